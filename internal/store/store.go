//go:build linux

// Package store keeps the daemon's files: drift, saved NTS sessions, the
// reserve of cookies and the state that survive a reboot, the backoff of key
// establishments, the process id. It belongs to layer 4.
//
// Every write is a temporary file, fsync, rename, fsync of the folder, so a
// power cut leaves the old file or the new one. Every read refuses what
// somebody else may have put there, or what is damaged, by its name and the
// reason; the daemon goes on without it.
//
// Not its business: when to write, and whether what a file says is still true.
package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Reason is why a file was refused.
type Reason uint8

// The reasons.
const (
	Symlink      Reason = iota + 1 // the last part of the path is a symbolic link
	NotRegular                     // a folder, a device, a pipe
	ForeignOwner                   // neither ours nor root's
	TooOpen                        // others may read a private file, or write one
	TooLong                        // longer than the caller expects
	Damaged                        // truncated or not what it should be
)

// String says the reason in words.
func (r Reason) String() string {
	switch r {
	case Symlink:
		return "symbolic link"
	case NotRegular:
		return "not a regular file"
	case ForeignOwner:
		return "it belongs to another user than ntsd runs as"
	case TooOpen:
		return "permissions too open: chmod 600 it"
	case TooLong:
		return "too long"
	case Damaged:
		return "damaged"
	}
	return "unknown reason"
}

// RefusedError is a file that exists and is not used.
type RefusedError struct {
	Path   string
	Reason Reason
	Err    error // what exactly is damaged; nil for the other reasons
}

// Error returns "store: /path: refused: damaged: line 3: unknown key".
func (e *RefusedError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("store: %s: refused: %v: %v", e.Path, e.Reason, e.Err)
	}
	return fmt.Sprintf("store: %s: refused: %v", e.Path, e.Reason)
}

// Unwrap returns the detail.
func (e *RefusedError) Unwrap() error { return e.Err }

// The permissions of what the daemon makes.
const (
	PrivatePerm fs.FileMode = 0o600 // keys and cookies
	PublicPerm  fs.FileMode = 0o644 // drift, process id
)

// StateDirPerm are the permissions of the folder on flash.
const StateDirPerm = 0o700

// MakeDir makes the folder path and those above it that are missing, and sets
// the permissions of the last: 0700 where private files lie, 0750 where a group
// may enter. One that exists stays as it is.
func MakeDir(path string, perm fs.FileMode) error {
	if fi, err := os.Stat(path); err == nil && fi.IsDir() {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("store: make folder: %w", err)
	}
	if err := os.Mkdir(path, perm); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("store: make folder: %w", err)
	}
	if err := os.Chmod(path, perm); err != nil { // the umask does not decide
		return fmt.Errorf("store: make folder: %w", err)
	}
	return nil
}

// WriteAtomic replaces path by a file with perm and data. After an error the
// old file is as it was, unless it is the folder's fsync that failed: then
// either may be found after a power cut.
func WriteAtomic(path string, perm fs.FileMode, data []byte) error {
	dir, name := filepath.Split(path)
	// One fixed name: what a crash left behind is overwritten, not gathered.
	temp := dir + "." + name + ".tmp"
	if err := writeTemp(temp, perm, data); err != nil {
		_ = os.Remove(temp)
		return fmt.Errorf("store: write %s: %w", path, bare(err))
	}
	if err := os.Rename(temp, path); err != nil {
		_ = os.Remove(temp)
		return fmt.Errorf("store: write %s: %w", path, bare(err))
	}
	return syncDir(path)
}

// bare returns err without the name of the temporary file, which tells people
// nothing unless it is itself in the way.
func bare(err error) error {
	var onPath *fs.PathError
	var onLink *os.LinkError
	switch {
	case errors.Is(err, unix.ENOTEMPTY):
	case errors.As(err, &onPath):
		return onPath.Err
	case errors.As(err, &onLink):
		return onLink.Err
	}
	return err
}

// writeTemp makes the file temp anew, whole and on the disk.
func writeTemp(temp string, perm fs.FileMode, data []byte) error {
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// O_EXCL also refuses a symbolic link that somebody puts there meanwhile.
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(perm)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// syncDir makes a rename or a removal in path's folder last.
func syncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("store: sync folder of %s: %w", path, err)
	}
	err = d.Sync()
	if errors.Is(err, unix.EINVAL) {
		err = nil // the file system has nothing to sync
	}
	if err = errors.Join(err, d.Close()); err != nil {
		return fmt.Errorf("store: sync folder of %s: %w", path, err)
	}
	return nil
}

// Remove unlinks path for good: it does not come back after a power cut. A
// missing file is no error.
func Remove(path string) error {
	err := os.Remove(path)
	if errors.Is(err, unix.EROFS) { // said before anybody looks whether it is there
		if _, gone := os.Lstat(path); errors.Is(gone, fs.ErrNotExist) {
			return nil
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("store: %w", err) // which begins with "remove"
	}
	return syncDir(path)
}

// ReadPrivate reads a file that holds secrets, of at most limit bytes. The
// error is a *RefusedError, or wraps fs.ErrNotExist and its like.
func ReadPrivate(path string, limit int) ([]byte, error) { return read(path, limit, 0o077) }

// ReadShared reads a file of secrets that an administrator keeps: the group that he
// gave it may read it, too.
func ReadShared(path string, limit int) ([]byte, error) { return read(path, limit, 0o027) }

// ReadPublic reads a file that others may read but not write.
func ReadPublic(path string, limit int) ([]byte, error) { return read(path, limit, 0o022) }

// read opens path without following a link in its last part (OpenWrt's /var is
// one, so those above may be) and checks the open file, not the name.
func read(path string, limit int, forbidden uint32) ([]byte, error) {
	// O_NONBLOCK: opening a pipe would wait for its other end.
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ELOOP) {
		return nil, &RefusedError{path, Symlink, nil}
	}
	if err != nil {
		return nil, &fs.PathError{Op: "store: open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, &fs.PathError{Op: "store: stat", Path: path, Err: err}
	}
	if reason := check(&st, limit, forbidden); reason != 0 {
		return nil, &RefusedError{path, reason, nil}
	}
	// The size may change under us: the limit holds for what is read.
	data, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if len(data) > limit {
		return nil, &RefusedError{path, TooLong, nil}
	}
	return data, nil
}

// check returns why a file with st is refused, or 0.
func check(st *unix.Stat_t, limit int, forbidden uint32) Reason {
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return NotRegular
	case st.Uid != 0 && st.Uid != uint32(os.Geteuid()):
		return ForeignOwner
	case st.Mode&forbidden != 0:
		return TooOpen
	case st.Size > int64(limit):
		return TooLong
	}
	return 0
}

// damaged refuses path for what err says.
func damaged(path string, err error) error { return &RefusedError{path, Damaged, err} }

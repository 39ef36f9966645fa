package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// Folder is a folder of files that grow, for everybody to read. They are not
// synced: what a power cut takes is a few lines.
type Folder struct{ dir string }

// OpenFolder returns a folder, which it makes if need be.
func OpenFolder(dir string) (*Folder, error) {
	_, err := os.Stat(dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if errors.Is(err, fs.ErrNotExist) {
		_ = os.Chmod(dir, 0o755) // whatever the mask of this process is
	}
	return &Folder{dir}, nil
}

func (f *Folder) path(name string) string { return filepath.Join(f.dir, name) }

// Each calls do for each regular file with its size in bytes.
func (f *Folder) Each(do func(name string, size int64)) error {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			do(e.Name(), info.Size())
		}
	}
	return nil
}

// Append adds text to a file, which it makes if need be. What was only written in
// part is taken back. A symlink, or what is no regular file, is refused.
func (f *Folder) Append(name string, text []byte) error {
	const flags = os.O_WRONLY | os.O_APPEND | os.O_CREATE | unix.O_NOFOLLOW | unix.O_NONBLOCK
	file, err := os.OpenFile(f.path(name), flags, PublicPerm)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return fmt.Errorf("store: %w", err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("store: %s: not a regular file", f.path(name))
	}
	if info.Size() == 0 {
		_ = file.Chmod(PublicPerm) // likewise
	}
	if _, err := file.Write(text); err != nil {
		_ = file.Truncate(info.Size()) // a full disk; if it fails the line is broken
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// Link makes name another name of the file to, a hard link as ntpd makes it, or
// a symlink where the file system has none. A file that has no other name than
// this is moved out of the way, to NAME.old.
func (f *Folder) Link(name, to string) error {
	target, err := os.Lstat(f.path(to))
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	old, err := os.Lstat(f.path(name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("store: %w", err)
	case os.SameFile(old, target):
		return nil // renaming one onto the other would do nothing
	case alone(old):
		if err := os.Rename(f.path(name), f.path(name+".old")); err != nil {
			return fmt.Errorf("store: %w", err)
		}
	}
	fresh := f.path(name + ".new")
	_ = os.Remove(fresh) // of an attempt that was interrupted
	if os.Link(f.path(to), fresh) != nil {
		if err := os.Symlink(to, fresh); err != nil {
			return fmt.Errorf("store: %w", err)
		}
	}
	if err := os.Rename(fresh, f.path(name)); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// alone reports whether a file would be lost with its name.
func alone(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return info.Mode().IsRegular() && ok && s.Nlink == 1
}

// Remove removes a file.
func (f *Folder) Remove(name string) error {
	if err := os.Remove(f.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

//go:build linux

package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// RunningError says that another daemon holds the lock.
type RunningError struct {
	Path string
	PID  int // 0: the file does not say
}

// Error names the other process.
func (e *RunningError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("store: %s: already running", e.Path)
	}
	return fmt.Sprintf("store: %s: already running as process %d", e.Path, e.PID)
}

// maxPIDFile holds the longest process id and a line end.
const maxPIDFile = 16

// PIDFile is a file with our process id and a lock on it. The lock ends with
// the process, so one that a crash left is not in the way, and a second daemon
// cannot share our ports by mistake.
type PIDFile struct {
	f    *os.File
	path string
}

// lockTries: between opening and locking, the holder may have removed the file.
const lockTries = 3

// LockPID makes or takes over path and locks it; *RunningError if another
// process has the lock.
func LockPID(path string) (*PIDFile, error) {
	for range lockTries {
		// O_CREATE without O_TRUNC: the other's id stays readable.
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, PublicPerm)
		if errors.Is(err, unix.ELOOP) {
			return nil, &RefusedError{path, Symlink, nil}
		}
		if err != nil {
			return nil, fmt.Errorf("store: lock: %w", err)
		}
		err = lockAndWrite(f, path)
		if err == nil {
			return &PIDFile{f, path}, nil
		}
		_ = f.Close()
		if !errors.Is(err, errRemoved) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("store: lock %s: %w", path, errRemoved)
}

// errRemoved: the locked file is not the one at its path any more.
var errRemoved = errors.New("removed while opening")

// lockAndWrite takes the lock on f and replaces its content.
func lockAndWrite(f *os.File, path string) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return fmt.Errorf("store: lock %s: %w", path, err)
	}
	if reason := check(&st, 1<<20, 0o022); reason != 0 {
		return &RefusedError{path, reason, nil}
	}
	if err := lock(f, path); err != nil {
		return err
	}
	var there unix.Stat_t
	if err := unix.Stat(path, &there); err != nil || there.Ino != st.Ino || there.Dev != st.Dev {
		return errRemoved
	}
	if err := f.Truncate(0); err != nil {
		return fmt.Errorf("store: lock: %w", err)
	}
	_, err := f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	if err != nil && !full(err) {
		return fmt.Errorf("store: lock: %w", err)
	}
	return nil
}

// full tells a full disk, which is no reason not to keep the time: the lock
// counts, the number in it is for people.
func full(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }

// Close removes the file and gives up the lock, in this order: who waits for
// the lock never finds our id in it.
func (p *PIDFile) Close() error { return errors.Join(os.Remove(p.path), p.f.Close()) }

// LockInstead holds out a second daemon where the file path cannot be made: it locks
// the folder that path is to lie in, or the nearest above it that is there, until the
// file that it returns is closed. *RunningError if somebody has that lock, or that of
// a file at path.
func LockInstead(path string) (*os.File, error) {
	if f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0); err == nil {
		defer f.Close()
		if err := lock(f, path); err != nil {
			return nil, err
		}
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		f, err := os.Open(dir)
		if err != nil && dir != filepath.Dir(dir) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("store: lock: %w", err)
		}
		if err := lock(f, dir); err != nil {
			_ = f.Close()
			return nil, err
		}
		return f, nil
	}
}

// lock takes the lock on f; *RunningError if another process has it.
func lock(f *os.File, path string) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		b, _ := io.ReadAll(io.LimitReader(f, maxPIDFile)) // of a folder: nothing
		pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
		return &RunningError{path, max(pid, 0)}
	}
	if err != nil {
		return fmt.Errorf("store: lock %s: %w", path, err)
	}
	return nil
}

//go:build linux

package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// On a full disk the lock is had all the same.
func TestLockOnAFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount a small file system")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=16k"); err != nil {
		t.Skipf("cannot mount: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, 0) })
	if err := os.WriteFile(filepath.Join(dir, "fill"), make([]byte, 1<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("filling the disk: got %v, want %v", err, unix.ENOSPC)
	}
	path := filepath.Join(dir, "ntsd.pid")
	first, err := LockPID(path)
	if err != nil {
		t.Fatal(err)
	}
	var running *RunningError
	if _, err := LockPID(path); !errors.As(err, &running) || running.PID != 0 {
		t.Errorf("second lock: got %v, want a RunningError that knows no process", err)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
}

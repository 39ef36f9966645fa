//go:build linux

package links

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestChanges: an interface that comes up, and an address that is added, are
// told. It needs a network namespace of its own.
func TestChanges(t *testing.T) {
	runtime.LockOSThread() // not unlocked: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("no network namespace: %v", err)
	}
	ip, err := exec.LookPath("ip")
	if err != nil {
		t.Skip(err)
	}
	w, err := Watch()
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range [][]string{
		{"link", "set", "lo", "up"},
		{"addr", "add", "192.0.2.1/24", "dev", "lo"},
		{"addr", "add", "2001:db8::1/64", "dev", "lo"},
		{"addr", "del", "192.0.2.1/24", "dev", "lo"},
	} {
		// A process that is started from this thread is in its namespace.
		if out, err := exec.Command(ip, change...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v: %s", change, err, out)
		}
		if err := w.Wait(); err != nil {
			t.Fatalf("after ip %v: %v", change, err)
		}
		w.drain(t)
	}
	done := make(chan error)
	go func() { done <- w.Wait() }()
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Errorf("Wait after Close: got %v, want %v", err, os.ErrClosed)
	}
}

// drain takes what one change has told more than once.
func (w *Watcher) drain(t *testing.T) {
	t.Helper()
	raw, err := w.socket.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Read(func(fd uintptr) bool {
		for {
			if _, _, err := unix.Recvfrom(int(fd), w.buf[:], unix.MSG_DONTWAIT); err != nil {
				return true
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
}

//go:build linux

package serving

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestClaimOfOthers: a name that another user has taken, to keep us from serving,
// does not.
func TestClaimOfOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can act as another user")
	}
	port := freePort(t)
	fd, err := listenAs(4711, fmt.Sprintf("@ntsd/udp/%d", port))
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) {
		t.Skipf("there is no other user: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for range 20 { // more than wait to be accepted there
		lock, err := claim(port)
		if err != nil || lock != nil {
			t.Fatalf("got %v, %v; want no lock and no error", lock, err)
		}
	}
	ports, err := Listen(port, 1, NewClock(dryRun(t, 0), true), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range ports {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

// listenAs listens under a name as another user.
func listenAs(uid int, name string) (fd int, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		if fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return
		}
		// The system call changes this thread alone, unlike syscall.Setresuid.
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0)); errno != 0 {
			err = errno
			return
		}
		if err = unix.Bind(fd, &unix.SockaddrUnix{Name: name}); err == nil {
			err = unix.Listen(fd, 4)
		}
	}()
	<-done
	return fd, err
}

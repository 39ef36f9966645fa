package acceptance

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ntsd/internal/interop"
)

// fullPipe returns the end of a pipe that nobody reads and that has no room left.
// To write to it waits for ever.
func fullPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	// Opened a second time, since a program that gets w shall wait.
	fd, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", w.Fd()), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for line := make([]byte, 1<<16); len(line) > 0; {
		if _, err := unix.Write(fd, line); errors.Is(err, syscall.EAGAIN) {
			line = line[:len(line)/2]
		} else if err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// TestNobodyReadsTheLog: a log that is full and that nobody reads costs lines, not
// the time: the daemon starts, follows its source, answers clients and ntsctl, and
// ends.
func TestNobodyReadsTheLog(t *testing.T) {
	w := newWorld(t)
	w.stderr = fullPipe(t)
	port := freePort(t)
	d := w.start(w.config(source(w.nts(nil)), serving(port, "127.0.0.0/8")), "-d")
	d.synchronised()
	eventually(t, "a reply with the time", func() bool {
		got, err := interop.ExchangePlain(onLoopback(port), silence)
		return err == nil && got.Header.Stratum != 0
	})
	d.ask("reload")
	d.stop()
}

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo-terminal: what the program sees, and the person's side
// of it.
type terminal struct {
	tty, person *os.File
}

// openTerminal makes one of rows by 100 characters.
func openTerminal(t *testing.T, rows uint16) terminal {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { person.Close() })
	fd := int(person.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	number, err := unix.IoctlGetUint32(fd, unix.TIOCGPTN)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { tty.Close() })
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: 100}); err != nil {
		t.Fatal(err)
	}
	return terminal{tty: tty, person: person}
}

// readUntil collects what the program shows until it has shown want.
func (x terminal) readUntil(t *testing.T, want string) string {
	t.Helper()
	var seen bytes.Buffer
	buf := make([]byte, 4096)
	deadline := time.Now().Add(10 * time.Second)
	for !strings.Contains(seen.String(), want) {
		fds := []unix.PollFd{{Fd: int32(x.person.Fd()), Events: unix.POLLIN}}
		if n, err := unix.Poll(fds, 100); err == nil && n == 1 {
			got, _ := unix.Read(int(x.person.Fd()), buf)
			seen.Write(buf[:max(got, 0)])
		}
		if time.Now().After(deadline) {
			t.Fatalf("never saw %q in\n%q", want, seen.String())
		}
	}
	return seen.String()
}

func TestTopOnTerminal(t *testing.T) {
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "1")
	x := openTerminal(t, 12)
	before, err := unix.IoctlGetTermios(int(x.tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		done <- RunTop(context.Background(), &reports{}, x.tty, TopOptions{Interval: time.Hour, Keyboard: x.tty})
	}()
	first := x.readUntil(t, "v words"+clearLine+clearBelow)
	if !strings.Contains(first, screenEnter) || !strings.Contains(first, "^* ntp1.example.net") {
		t.Errorf("first frame: got %q", first)
	}
	if n := strings.Count(first, clearLine); n != 12 {
		t.Errorf("got %d lines on 12 rows", n)
	}
	if strings.Contains(first, "\x1b[1;32m") {
		t.Error("colours in spite of NO_COLOR")
	}
	_, _ = x.person.WriteString("n")
	if got := x.readUntil(t, "v words"); !strings.Contains(got, "^* 10.66.0.1 ") {
		t.Errorf("after n: got %q", got)
	}
	_, _ = x.person.WriteString("s")
	x.readUntil(t, "(by state)")
	_, _ = x.person.WriteString("q")
	x.readUntil(t, screenLeave)
	if err := <-done; err != nil {
		t.Error(err)
	}
	after, err := unix.IoctlGetTermios(int(x.tty.Fd()), unix.TCGETS)
	if err != nil || *after != *before {
		t.Errorf("the terminal is not as it was: got %+v, %v; want %+v", after, err, before)
	}
}

func TestMakestepAsks(t *testing.T) {
	f := startFake(t)
	for _, c := range []struct {
		args   []string
		answer string
		code   int
		steps  int
	}{
		{[]string{"makestep"}, "n\n", exitFailed, 0},
		{[]string{"makestep"}, "\n", exitFailed, 0},
		{[]string{"makestep"}, "yes\n", exitDone, 1},
		{[]string{"makestep", "-y"}, "", exitDone, 1},
	} {
		f.mu.Lock()
		f.asked = nil
		f.mu.Unlock()
		x := openTerminal(t, 24)
		_, _ = x.person.WriteString(c.answer)
		var errs strings.Builder
		code := ctlMain(append([]string{"-h", f.socket}, c.args...), x.tty, x.tty, &errs)
		steps := strings.Count(strings.Join(f.asked, ","), "makestep")
		if code != c.code || steps != c.steps {
			t.Errorf("%v, answer %q: got status %d, %d steps (%s); want %d, %d", c.args, c.answer, code, steps, errs.String(), c.code, c.steps)
		}
	}
}

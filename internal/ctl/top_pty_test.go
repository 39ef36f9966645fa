package ctl

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"ntsd/internal/status"
	"ntsd/internal/tables"
)

// What package terminal writes.
const (
	screenEnter = "\x1b[?1049h\x1b[?25l\x1b[?7l"
	screenLeave = "\x1b[?7h\x1b[?25h\x1b[?1049l"
	screenHome  = "\x1b[H"
	clearLine   = "\x1b[K"
	clearBelow  = "\x1b[J"
)

// pty is a pseudo-terminal: what the program sees, and the person's side
// of it.
type pty struct {
	tty, person *os.File
}

// openTerminal makes one of rows by cols characters.
func openTerminal(t *testing.T, rows, cols uint16) pty {
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
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols}); err != nil {
		t.Fatal(err)
	}
	return pty{tty: tty, person: person}
}

// readUntil collects what the program shows until it has shown want.
func (x pty) readUntil(t *testing.T, want string) string {
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
	x := openTerminal(t, 12, 100)
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

// TestTopFits: on every terminal no line is longer than it is wide, no more
// lines than it is high, and the last words and the keys are in sight.
func TestTopFits(t *testing.T) {
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	for _, size := range []struct{ rows, cols uint16 }{{24, 40}, {24, 80}, {60, 200}, {3, 20}, {1, 80}} {
		x := openTerminal(t, size.rows, size.cols)
		done := make(chan error, 1)
		src := &reports{change: func(_ int, r *status.Report) error {
			r.Daemon.Log = []status.LogLine{{Level: "INFO", Text: "the last words"}}
			return nil
		}}
		o := TopOptions{Interval: time.Hour, Keyboard: x.tty, Table: tables.Options{Verbose: true}}
		go func() { done <- RunTop(context.Background(), src, x.tty, o) }()
		got := x.readUntil(t, clearBelow)
		_, _ = x.person.WriteString("q")
		if err := <-done; err != nil {
			t.Error(err)
		}
		_, got, _ = strings.Cut(got, screenHome)
		got, _, _ = strings.Cut(got, clearBelow)
		got = regexp.MustCompile(`\x1b\[[0-9;]*[mK]`).ReplaceAllString(got, "")
		lines := strings.Split(strings.ReplaceAll(got, "\r", ""), "\n")
		if len(lines) > int(size.rows) {
			t.Errorf("%+v: %d lines", size, len(lines))
		}
		for _, l := range lines {
			if utf8.RuneCountInString(l) > int(size.cols) {
				t.Errorf("%+v: too wide: %q", size, l)
			}
		}
		if n := len(lines); size.rows >= 3 && (!strings.HasPrefix(lines[n-1], "q quit") || !strings.Contains(lines[n-2], " ago: INFO")) {
			t.Errorf("%+v: got %q at the bottom", size, lines[n-2:])
		}
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
		{[]string{"makestep"}, "n\n", ExitFailed, 0},
		{[]string{"makestep"}, "\n", ExitFailed, 0},
		{[]string{"makestep"}, "yes\n", ExitDone, 1},
		{[]string{"makestep", "-y"}, "", ExitDone, 1},
	} {
		f.mu.Lock()
		f.asked = nil
		f.mu.Unlock()
		x := openTerminal(t, 24, 80)
		_, _ = x.person.WriteString(c.answer)
		var errs strings.Builder
		code := Main(append([]string{"-h", f.socket}, c.args...), Program{Stdin: x.tty, Stdout: x.tty, Stderr: &errs, Version: testVersion})
		steps := strings.Count(strings.Join(f.asked, ","), "makestep")
		if code != c.code || steps != c.steps {
			t.Errorf("%v, answer %q: got status %d, %d steps (%s); want %d, %d", c.args, c.answer, code, steps, errs.String(), c.code, c.steps)
		}
	}
}

// TestMakestepWarns: whoever is asked is told what the step would be worth.
func TestMakestepWarns(t *testing.T) {
	f := startFake(t)
	f.report.Tracking.Synchronised, f.report.Daemon.DryRun = false, true
	x := openTerminal(t, 24, 200)
	_, _ = x.person.WriteString("n\n")
	var errs strings.Builder
	if code := Main([]string{"-h", f.socket, "makestep"}, Program{Stdin: x.tty, Stdout: x.tty, Stderr: &errs, Version: testVersion}); code != ExitFailed {
		t.Errorf("got status %d", code)
	}
	got := x.readUntil(t, "now? [y/N]")
	for _, want := range []string{"The clock is not synchronised: ntp1.example.net: selected", "only seem to step"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
}

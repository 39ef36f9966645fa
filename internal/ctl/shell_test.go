package ctl

import (
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// feed runs the client against f with text as its standard input.
func (f *fakeDaemon) feed(text string, args ...string) (status int, stdout, stderr string) {
	var out, errs strings.Builder
	p := Program{Stdin: strings.NewReader(text), Stdout: &out, Stderr: &errs, Version: testVersion}
	status = Main(append([]string{"-h", f.socket}, args...), p)
	return status, out.String(), errs.String()
}

// TestCommandsFromInput: one command per line, with its own flags and those of
// the command line; one that fails says so, and the next ones follow.
func TestCommandsFromInput(t *testing.T) {
	f := startFake(t)
	_, numeric, _ := f.ntsctl("-n", "sources")
	_, named, _ := f.ntsctl("sources")
	for _, c := range []struct {
		name, text, out, errs string
		code                  int
	}{
		{"two", "dump\n  reload  \n", "200 OK\n200 OK\n", "", ExitDone},
		{"no newline at the end", "dump", "200 OK\n", "", ExitDone},
		{"comments", "# a\n! b\n% c\n; d\n\ndump\n", "200 OK\n", "", ExitDone},
		{"flags of one line", "-n sources\nsources\n", numeric + named, "", ExitDone},
		{"quit", "dump\nquit\nreload\n", "200 OK\n", "", ExitDone},
		{"one fails", "frobnicate\ndump\n", "200 OK\n", "no command \"frobnicate\"", ExitDone},
		{"the last fails", "dump\nonline nobody\n", "200 OK\n", "ntsctl: online: nobody: no such source", ExitFailed},
		{"too long", "dump\n" + strings.Repeat("x", maxLine+1), "200 OK\n", "a line of more than", ExitUsage},
		{"nothing", "# only this\n", "", "usage: ntsctl", ExitUsage},
	} {
		code, out, errs := f.feed(c.text)
		if strings.Count(errs, "\n") > 1 && c.text != "# only this\n" {
			t.Errorf("%s: told more than once: %q", c.name, errs)
		}
		if code != c.code || out != c.out || !strings.Contains(errs, c.errs) || c.errs == "" && errs != "" {
			t.Errorf("%s: status %d, stdout %q, stderr %q, want %d, %q, %q", c.name, code, out, errs, c.code, c.out, c.errs)
		}
	}
	if _, out, _ := f.feed("sources\n", "-n"); out != numeric {
		t.Errorf("-n for all: got\n%s\nwant\n%s", out, numeric)
	}
	if _, _, errs := f.feed("online nobody\nquit\n"); strings.Count(errs, "nobody") != 1 {
		t.Errorf("a failure is told %q, want once", errs)
	}
}

// TestSeveralCommands: -m and -e are chronyc's.
func TestSeveralCommands(t *testing.T) {
	f := startFake(t)
	for _, c := range []struct {
		args []string
		out  string
		code int
	}{
		{[]string{"-m", "dump", "activity -c", "reload"}, "200 OK\n2,0,0,0,0\n200 OK\n", ExitDone},
		{[]string{"-e", "dump"}, "200 OK\n.\n", ExitDone},
		{[]string{"-e", "-m", "dump", "online nobody", "reload"}, "200 OK\n.\n.\n", ExitFailed},
	} {
		if code, out, _ := f.ntsctl(c.args...); code != c.code || out != c.out {
			t.Errorf("%q: status %d, stdout %q, want %d, %q", c.args, code, out, c.code, c.out)
		}
	}
}

// TestPrompt: on a terminal commands are asked for, and a question that one of
// them asks gets its own answer.
func TestPrompt(t *testing.T) {
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "1")
	f := startFake(t)
	x := openTerminal(t, 24, 80)
	done := make(chan int, 1)
	go func() {
		done <- Main([]string{"-h", f.socket}, Program{Stdin: x.tty, Stdout: x.tty, Stderr: x.tty, Version: testVersion})
	}()
	x.readUntil(t, prompt)
	if _, err := x.person.WriteString("makestep\nno\nactivity\nquit\n"); err != nil {
		t.Fatal(err)
	}
	if seen := x.readUntil(t, "2 sources online"); !strings.Contains(seen, "not confirmed") {
		t.Errorf("makestep took another answer: %q", seen)
	}
	ended(t, done)
	for _, asked := range f.asked {
		if asked == "makestep" {
			t.Error("the clock was stepped without a yes")
		}
	}
}

// ended waits for the end of the program.
func ended(t *testing.T, done <-chan int) {
	t.Helper()
	select {
	case code := <-done:
		if code != ExitDone {
			t.Errorf("status %d", code)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it does not end")
	}
}

// TestKeys: what the keys of the prompt do to the line, and the terminal is as
// it was while a command runs and after.
func TestKeys(t *testing.T) {
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "1")
	f := startFake(t)
	x := openTerminal(t, 24, 80)
	before, err := unix.IoctlGetTermios(int(x.tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan int, 1)
	go func() {
		done <- Main([]string{"-h", f.socket}, Program{Stdin: x.tty, Stdout: x.tty, Stderr: x.tty, Version: testVersion})
	}()
	x.readUntil(t, prompt)
	for _, step := range []struct{ keys, shown string }{
		{"actX\x7fiv\t\r", "2 sources online"},                     // one word fits, and Backspace
		{"\x1b[A\r", "2 sources online"},                           // the line before
		{"sou\t\t", "sourcename  sources  sourcestats"},            // several fit
		{"\x15nonsense words\x17\x17offline nt\t1\t\r", "200 OK"},  // erased; a source's name
		{"\x1b[A\x1b[A\x1b[B\x1b[B\x1b[D\x1b[3~\x1bOAx\x03", "^C"}, // up and down, keys that do nothing, Ctrl-C
		{"\x1b[A\x1b[A\x1bOB\r", "200 OK"},                         // the last but one, and down again
		{"smoothtime re\t\r", "200 OK"},                            // a fixed word
		{"\x04", "\n"},                                             // the end
	} {
		if _, err := x.person.WriteString(step.keys); err != nil {
			t.Fatal(err)
		}
		// Keys that come while a command runs are the terminal's, not the prompt's.
		seen := x.readUntil(t, step.shown)
		if _, after, _ := strings.Cut(seen, step.shown); step.keys != "\x04" && !strings.Contains(after, prompt) {
			x.readUntil(t, prompt)
		}
	}
	ended(t, done)
	var did []string
	for _, a := range f.asked {
		if a != "report" {
			did = append(did, a)
		}
	}
	if want := []string{"offline ntp1.example.net", "offline ntp1.example.net", "smoothtime reset"}; !slices.Equal(did, want) {
		t.Errorf("did %q, want %q", did, want)
	}
	if after, err := unix.IoctlGetTermios(int(x.tty.Fd()), unix.TCGETS); err != nil || *after != *before {
		t.Errorf("the terminal is %+v, was %+v, %v", after, before, err)
	}
}

// TestSubnets: a command for all sources with an address in a subnet.
func TestSubnets(t *testing.T) {
	for args, want := range map[string]string{
		"offline 10.66.0.0/16":            "report;offline 10.66.0.1;offline 10.66.1.1",
		"burst 1/2 255.255.0.0/10.66.1.7": "report;burst 1/2 10.66.0.1;burst 1/2 10.66.1.1",
		"onoffline 10.66.1.0/24":          "report;onoffline 10.66.1.1",
		"burst 1/2":                       "burst 1/2",
	} {
		f := startFake(t)
		if code, out, errs := f.ntsctl(strings.Fields(args)...); code != ExitDone || out != "200 OK\n" {
			t.Errorf("%s: status %d, stdout %q, stderr %q", args, code, out, errs)
		}
		if got := strings.Join(f.asked, ";"); got != want {
			t.Errorf("%s: asked %q, want %q", args, got, want)
		}
	}
}

// TestSourcename: the name of an address, as chronyc tells it.
func TestSourcename(t *testing.T) {
	f := startFake(t)
	if code, out, _ := f.ntsctl("sourcename", "10.66.1.1"); code != ExitDone || out != "ntp2.example.net\n" {
		t.Errorf("status %d, stdout %q", code, out)
	}
}

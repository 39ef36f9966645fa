package ctl

import (
	"strings"
	"testing"
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
	if code := <-done; code != ExitDone {
		t.Errorf("status %d", code)
	}
	for _, asked := range f.asked {
		if asked == "makestep" {
			t.Error("the clock was stepped without a yes")
		}
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

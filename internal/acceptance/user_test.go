package acceptance

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ntsd/internal/interop"
)

// capNetBindService is its bit in the masks of /proc (capabilities(7)). The
// other capability that is kept, to set the clock, no test has.
const capNetBindService = "0000000000000400"

// process returns a field of what the kernel says of the daemon.
func (d *daemon) process(field string) string {
	d.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		d.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if name, value, _ := strings.Cut(line, ":"); name == field {
			return strings.Join(strings.Fields(value), " ")
		}
	}
	d.t.Fatalf("no field %s in\n%s", field, text)
	return ""
}

// TestRunsAsItsUser: started as root with a user, by option or by -u, the same
// process goes on as that user, keeps its sessions in folders that are his,
// serves port 123, and can gain nothing.
func TestRunsAsItsUser(t *testing.T) {
	for name, c := range map[string]struct {
		option string
		flag   []string
	}{
		"option": {option: "nobody"},
		"flag":   {option: "root", flag: []string{"-u", "nobody"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			needPort123(t)
			if len(powerless()) == 0 {
				interop.Unavailable(t, "acceptance: needs root and setpriv")
			}
			config := w.config(source(w.nts(nil)), serving(123, "127.0.0.0/8"))
			begin := "config ntsd 'main'\n"
			config = strings.Replace(config, begin, begin+"\toption user '"+c.option+"'\n", 1)
			d := w.start(config, c.flag...)
			d.synchronised()
			for field, want := range map[string]string{
				"Uid": "65534 65534 65534 65534", "Gid": "65534 65534 65534 65534", "Groups": "65534", "NoNewPrivs": "1",
				"CapEff": capNetBindService, "CapPrm": capNetBindService, "CapBnd": capNetBindService, "CapAmb": capNetBindService,
			} {
				if got := d.process(field); got != want {
					t.Errorf("%s: got %s, want %s", field, got, want)
				}
			}
			if !d.listening("udp", 123) {
				t.Error("does not listen on port 123")
			}
			sessions, err := filepath.Glob(filepath.Join(w.run, "*.nts"))
			if err != nil || len(sessions) == 0 {
				t.Errorf("sessions: got %v, %v, want some", sessions, err)
			}
			for _, path := range append(sessions, w.run, filepath.Join(w.dir, "state")) {
				if fi, err := os.Stat(path); err != nil || fi.Sys().(*syscall.Stat_t).Uid != 65534 {
					t.Errorf("%s: got %v, %v, want a file of user 65534", path, fi, err)
				}
			}
			if r := d.ctl("tracking"); r.exit != 0 {
				t.Errorf("ntsctl as root: got status %d, %s", r.exit, r.stderr)
			}
		})
	}
}

// TestUserThatCannotBe: who may not become the user, or asks for one that does
// not exist, gets one line.
func TestUserThatCannotBe(t *testing.T) {
	w := newWorld(t)
	path := w.write("ntsd.uci", w.config(source(w.plain(nil))))
	for _, c := range []struct {
		line []string
		want string
	}{
		{[]string{tool("ntsd"), "-x", "-t", "1", "-f", path, "-u", "no-such-user"}, `ntsd: -u no-such-user: there is no user "no-such-user"; name one`},
		{[]string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", tool("ntsd"), "-x", "-t", "1", "-f", path, "-u", "daemon"}, "only root can change its user"},
	} {
		if c.line[0] == "setpriv" && len(powerless()) == 0 {
			interop.Unavailable(t, "acceptance: needs root and setpriv")
		}
		out, err := exec.Command(c.line[0], c.line[1:]...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), c.want) {
			t.Errorf("%v: got %v, %q, want it to contain %q", c.line, err, out, c.want)
		}
	}
}

package acceptance

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ntsd/internal/interop"
	"ntsd/internal/status"
)

// Patience: what must happen is looked for every glance until limit.
const (
	glance = 20 * time.Millisecond
	limit  = 20 * time.Second
	// lifetime ends a daemon whose test was killed.
	lifetime = "150"
)

// daemon is a running ntsd.
type daemon struct {
	t      *testing.T
	w      *world
	cmd    *exec.Cmd
	config string // its file
	socket string
	out    *lockedBuffer
	done   chan struct{} // closed when it has ended
	err    error         // how, after done
}

// lockedBuffer collects what a running program prints.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// powerless returns the beginning of a command line whose program cannot set
// the clock, whatever it tries.
func powerless() []string {
	if _, err := exec.LookPath("setpriv"); err != nil || os.Geteuid() != 0 {
		return nil
	}
	return []string{"setpriv", "--bounding-set=-sys_time", "--inh-caps=-sys_time", "--"}
}

// start writes the configuration and starts the daemon with it.
func (w *world) start(config string, flags ...string) *daemon {
	w.t.Helper()
	path := w.write("ntsd.uci", config)
	args := append([]string{"-x", "-t", lifetime, "-f", path}, flags...)
	return w.launch(append([]string{tool("ntsd")}, args...), path, filepath.Join(w.run, "ntsd.sock"))
}

// files are contents by path.
type files map[string]string

// startWith is start in a world where files have other contents: the daemon
// sees them, nobody else does.
func (w *world) startWith(f files, config string) *daemon {
	w.t.Helper()
	path := w.write("ntsd.uci", config)
	line := append(w.mount(f), tool("ntsd"), "-x", "-t", lifetime, "-f", path)
	return w.launch(line, path, filepath.Join(w.run, "ntsd.sock"))
}

// uplink names resolvers of this machine, where it has systemd-resolved: they would be
// asked when those of a test do not answer.
const uplink = "/run/systemd/resolve/resolv.conf"

// mount returns the beginning of a command line whose program sees f instead
// of the machine's files.
func (w *world) mount(f files) []string {
	w.t.Helper()
	var script strings.Builder
	fmt.Fprintf(&script, "{ [ ! -e %[1]s ] || mount --bind /dev/null %[1]s; } && ", uplink)
	for path, text := range f {
		fmt.Fprintf(&script, "mount --bind %s %s && ", w.write(strings.ReplaceAll(path, "/", "_"), text), path)
	}
	return w.namespace(script.String())
}

// unshare returns the beginning of a command line whose program has a namespace
// of its own. Only root needs no namespace of users for that.
func unshare(kind string) []string {
	line := []string{"unshare", kind}
	if os.Geteuid() != 0 {
		line = append(line, "--user", "--map-root-user")
	}
	return append(line, "--")
}

// namespace returns the beginning of a command line whose program runs in a
// mount namespace of its own after the script. It skips the test where that
// cannot be.
func (w *world) namespace(script string) []string {
	w.t.Helper()
	line := append(unshare("--mount"), "sh", "-c", script+`exec "$@"`, "sh")
	if out, err := exec.Command(line[0], append(line[1:], "true")...).CombinedOutput(); err != nil {
		interop.Unavailable(w.t, "acceptance: mount namespace: %v: %s", err, out)
	}
	return line
}

// launch starts a command line that ends in an ntsd and waits until it answers.
func (w *world) launch(line []string, config, socket string) *daemon {
	w.t.Helper()
	d := w.spawn(line, config, socket)
	d.until("an answer", func(*status.Report) bool { return true })
	return d
}

// spawn starts a command line that ends in an ntsd.
func (w *world) spawn(line []string, config, socket string) *daemon {
	w.t.Helper()
	line = append(powerless(), line...)
	d := &daemon{
		t: w.t, w: w, cmd: exec.Command(line[0], line[1:]...), config: config, socket: socket,
		out: new(lockedBuffer), done: make(chan struct{}),
	}
	d.cmd.Stdout, d.cmd.Stderr, d.cmd.ExtraFiles = d.out, d.out, w.given
	if w.stderr != nil {
		d.cmd.Stderr = w.stderr
	}
	if err := d.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() {
		d.err = d.cmd.Wait()
		close(d.done)
	}()
	w.t.Cleanup(func() {
		d.kill()
		if w.t.Failed() {
			w.t.Logf("log of the daemon:\n%s", d.log())
		}
	})
	return d
}

// log returns what the daemon has written so far.
func (d *daemon) log() string { return d.out.String() }

// stop ends the daemon as procd does, and wants it to end well.
func (d *daemon) stop() {
	d.t.Helper()
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.done:
	case <-time.After(limit):
		d.kill()
		d.t.Fatal("ntsd does not end at SIGTERM")
	}
	if d.err != nil {
		d.t.Errorf("ntsd ended with %v", d.err)
	}
}

// kill ends the daemon like a power cut.
func (d *daemon) kill() {
	_ = d.cmd.Process.Signal(syscall.SIGKILL)
	<-d.done
}

// report asks the daemon for everything it knows.
func (d *daemon) report() (*status.Report, error) {
	return interop.AskReport(d.t.Context(), d.socket)
}

// until waits for the report to be as ok wants it, and returns that report.
func (d *daemon) until(what string, ok func(*status.Report) bool) *status.Report {
	d.t.Helper()
	return interop.AwaitReport(d.t, d.socket, what, limit, d.done, ok)
}

// synchronised waits until the daemon follows a source.
func (d *daemon) synchronised() *status.Report {
	d.t.Helper()
	return d.until("synchronisation", func(r *status.Report) bool { return r.Tracking.Synchronised })
}

// untilLog waits for a line that matches the expression.
func (d *daemon) untilLog(expression string) string {
	d.t.Helper()
	re := regexp.MustCompile(expression)
	var found string
	eventually(d.t, fmt.Sprintf("log line %q", expression), func() bool {
		found = re.FindString(d.log())
		return found != ""
	})
	return found
}

// noLog wants no line that matches the expression.
func (d *daemon) noLog(expression string) {
	d.t.Helper()
	if line := regexp.MustCompile(expression).FindString(d.log()); line != "" {
		d.t.Errorf("the log has %q", line)
	}
}

// count returns how many lines of the log contain text.
func (d *daemon) count(text string) int { return strings.Count(d.log(), text) }

// ctl runs ntsctl to its end.
func (d *daemon) ctl(args ...string) result {
	d.t.Helper()
	return runProgram(d.t, exec.Command(tool("ntsctl"), append([]string{"-h", d.socket}, args...)...))
}

// ask runs ntsctl, wants it to do what it is asked, and returns what it prints.
func (d *daemon) ask(args ...string) string {
	d.t.Helper()
	r := d.ctl(args...)
	if r.exit != 0 || r.stderr != "" {
		d.t.Errorf("ntsctl %v: exit status %d, stderr %q", args, r.exit, r.stderr)
	}
	return r.stdout
}

// change replaces the daemon's configuration file.
func (d *daemon) change(config string) {
	d.t.Helper()
	if err := os.WriteFile(d.config, []byte(config), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

// eventually waits until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !ok(); time.Sleep(glance) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s within %v", what, limit)
		}
	}
}

// find is interop's Source, by a short name.
func find(t *testing.T, r *status.Report, name string) *status.Source {
	t.Helper()
	return interop.Source(t, r, name)
}

// row returns the line of a table that has name as a word, split into words.
func row(t *testing.T, table, name string) []string {
	t.Helper()
	for line := range strings.Lines(table) {
		if words := strings.Fields(line); len(words) > 0 {
			for _, w := range words[:min(2, len(words))] {
				if w == name {
					return words
				}
			}
		}
	}
	t.Fatalf("no row for %s in\n%s", name, table)
	return nil
}

// authdata returns a source's row of authdata when it has all its cookies:
// while a reply is on its way, one is missing.
func (d *daemon) authdata(flags ...string) []string {
	d.t.Helper()
	name := flags[len(flags)-1]
	var words []string
	eventually(d.t, "eight cookies in authdata", func() bool {
		words = row(d.t, d.ask(append(flags[:len(flags)-1:len(flags)-1], "authdata")...), name)
		return words[8] == "8"
	})
	return words
}

// verdict returns how often replies of a source met a fate.
func verdict(s *status.Source, name string) uint64 {
	for _, v := range s.Counters.Verdicts {
		if v.Name == name {
			return v.Count
		}
	}
	return 0
}

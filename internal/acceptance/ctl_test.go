package acceptance

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"ntsd/internal/demo"
	"ntsd/internal/interop"
)

// tables are the reports of ntsctl that have the form of chronyc's.
func tables() []string {
	return []string{"sources", "sourcestats", "selectdata", "authdata", "ntpdata", "tracking", "activity"}
}

// TestCtlTables: each table comes as text, as JSON and as CSV, and nothing in
// them is a key or a cookie.
func TestCtlTables(t *testing.T) {
	w := newWorld(t)
	r := w.relayed(relayConfig{})
	plain := w.plain(nil)
	d := w.start(w.config(relaySource(r), source(plain)))
	d.until("replies", func(rep *report) bool {
		return find(t, rep, r.host()).Counters.Good >= 8 && find(t, rep, host(plain)).Counters.Good >= 8
	})
	for _, name := range tables() {
		if text := d.ask(name); !strings.Contains(text, "\n") || strings.Contains(text, "\x1b") {
			t.Errorf("%s: got %q", name, text)
		}
		var v any
		if err := json.Unmarshal([]byte(d.ask(name, "--json")), &v); err != nil {
			t.Errorf("%s --json: %v", name, err)
		}
		if list, ok := v.([]any); ok && len(list) != 2 {
			t.Errorf("%s --json: got %d sources, want 2", name, len(list))
		}
		records, err := csv.NewReader(strings.NewReader(d.ask("-c", name))).ReadAll()
		want := 2
		if name == "tracking" || name == "activity" {
			want = 1
		}
		if err != nil || len(records) != want {
			t.Errorf("-c %s: got %q, %v; want %d rows", name, records, err, want)
		}
	}
	full := d.ask("report")
	if !json.Valid([]byte(full)) {
		t.Errorf("report is not JSON:\n%s", full)
	}
	var saved []byte
	eventually(t, "a session with cookies", func() (ok bool) { // there is none while the last one is on its way
		saved, _ = os.ReadFile(w.session(r.host(), kePort))
		return len(saved) > 0
	})
	for line := range strings.Lines(string(saved)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		secret := name == "cookie" || name == "c2s" || name == "s2c"
		if secret && (strings.Contains(full, value) || strings.Contains(d.log(), value)) {
			t.Errorf("report or log holds a %s", name)
		}
	}
}

// TestCtlExitStatus: 0 done, 1 not done, 2 used wrongly, 3 daemon not there;
// errors are one line on standard error.
func TestCtlExitStatus(t *testing.T) {
	w := newWorld(t)
	s := w.nts(nil)
	d := w.start(w.config(source(s)))
	d.synchronised()
	for _, c := range []struct {
		args []string
		exit int
		want string
	}{
		{[]string{"tracking"}, 0, ""},
		{[]string{"help"}, 0, ""},
		{[]string{"help", "waitsync"}, 0, ""},
		{[]string{"version"}, 0, ""},
		{[]string{"ntpdata", host(s)}, 0, ""},
		{[]string{"ntpdata", "192.0.2.77"}, 1, "no source 192.0.2.77"},
		{[]string{"rekey", "nobody.example"}, 1, "no such source"},
		{[]string{"frobnicate"}, 2, "ntsctl help lists them"},
		{[]string{"--frobnicate", "sources"}, 2, "no option"},
		{[]string{"burst"}, 2, "usage: ntsctl burst"},
		{[]string{"burst", "9/4"}, 2, "GOOD/MAX"},
		{[]string{"burst", "1/2", "a", "b"}, 2, "usage"},
		{[]string{"waitsync", "soon"}, 2, "not a number"},
		{nil, 2, "no command given"},
	} {
		r := d.ctl(c.args...)
		lines := strings.Split(strings.TrimSuffix(r.stderr, "\n"), "\n")
		if r.exit != c.exit || !strings.Contains(r.stderr, c.want) || c.exit == 0 && r.stderr != "" ||
			c.exit != 0 && c.args != nil && (len(lines) != 1 || !strings.HasPrefix(r.stderr, "ntsctl: ") || r.stdout != "") {
			t.Errorf("ntsctl %v: exit status %d, want %d with %q; stderr %q", c.args, r.exit, c.exit, c.want, r.stderr)
		}
	}
}

// TestCtlWithoutDaemon: no daemon, no socket, no permission: 3 and what to do.
func TestCtlWithoutDaemon(t *testing.T) {
	w := newWorld(t)
	s := w.nts(nil)
	d := w.start(w.config(source(s)))
	nobody := runProgram(t, asNobody(t, []string{tool("ntsctl"), "-h", d.socket, "sources"}))
	if os.Geteuid() == 0 && (nobody.exit != 3 || !strings.Contains(nobody.stderr, "no permission")) {
		t.Errorf("as nobody: exit status %d, stderr %q", nobody.exit, nobody.stderr)
	}
	d.kill() // leaves its socket behind
	if _, err := os.Lstat(d.socket); err != nil {
		t.Fatal(err)
	}
	for _, socket := range []string{d.socket, filepath.Join(w.dir, "none.sock")} {
		for _, command := range append(tables(), "reload", "online", "report", "dump") {
			r := runProgram(t, exec.Command(tool("ntsctl"), "-h", socket, command))
			if r.exit != 3 || !strings.Contains(r.stderr, "ntsd is not running; start it with") || r.stdout != "" {
				t.Errorf("%s: exit status %d, stderr %q", command, r.exit, r.stderr)
			}
		}
	}
	// The next daemon takes the place of the socket that was left behind.
	d = w.start(w.config(source(s)))
	d.synchronised()
}

// TestCtlWaitsync: it waits until the clock is synchronised, or gives up with
// 1 after its tries.
func TestCtlWaitsync(t *testing.T) {
	w := newWorld(t)
	s := w.nts(nil)
	s.NoReply(true)
	d := w.start(w.config(source(s)))
	r := d.ctl("waitsync", "2", "0", "0", "0.1")
	if r.exit != 1 || strings.Count(r.stdout, "try: ") != 2 || !strings.Contains(r.stderr, "not synchronised after 2 tries") {
		t.Errorf("before: exit status %d\n%s%s", r.exit, r.stdout, r.stderr)
	}
	s.NoReply(false)
	if out := d.ask("waitsync", "100", "0.5", "1000", "0.1"); !inOrder(out, "try: 1", "refid: 7F", "correction: 0.0", "skew: ") {
		t.Errorf("after:\n%s", out)
	}
}

// TestCtlOfflineOnline: an offline source is not polled, an online one is;
// activity counts them.
func TestCtlOfflineOnline(t *testing.T) {
	w := newWorld(t)
	a, b := w.nts(nil), w.nts(nil)
	d := w.start(w.config(source(a), source(b, "offline", "yes")))
	d.until("replies", replied(t, host(a)))
	if st := b.Stats(); st.KEConnections+st.Requests != 0 {
		t.Errorf("configured offline: got %+v", st)
	}
	if out := d.ask("activity"); !inOrder(out, "200 OK", "1 sources online", "1 sources offline") {
		t.Errorf("activity:\n%s", out)
	}
	d.ask("offline", host(a))
	d.ask("online", host(b))
	d.until("replies", replied(t, host(b)))
	before := a.Stats().Requests
	n := b.Stats().Requests
	eventually(t, "more requests", func() bool { return b.Stats().Requests >= n+4 })
	if got := a.Stats().Requests; got != before {
		t.Errorf("offline: got %d more requests", got-before)
	}
	d.ask("online")
	d.until("both online", func(r *report) bool { return r.Activity.Online == 2 })
	d.ask("offline")
	d.until("both offline", func(r *report) bool { return r.Activity.Offline == 2 })
	d.ask("online")
	d.until("both online", func(r *report) bool { return r.Activity.Online == 2 })
}

// TestCtlOnOffline: sources to which there is a route are switched on, the
// others off.
func TestCtlOnOffline(t *testing.T) {
	w := newWorld(t)
	s := w.nts(nil)
	const far = "2001:db8::1" // documentation, RFC 3849
	d := w.start(w.config(source(s, "offline", "yes"), section("server", "hostname", far)))
	d.ask("onoffline")
	r := d.until("replies", replied(t, host(s)))
	conn, err := net.Dial("udp", "["+far+"]:123") // sends nothing
	if err == nil {
		conn.Close()
	}
	if got := find(t, r, far).Online; got != (err == nil) {
		t.Errorf("%s: online %v, although connecting gives %v", far, got, err)
	}
	d.ask("offline", host(s))
	d.ask("onoffline", host(s))
	d.until("online", func(r *report) bool { return find(t, r, host(s)).Online })
	if r := d.ctl("onoffline", "192.0.2.9"); r.exit != 1 || !strings.Contains(r.stderr, "no such source") {
		t.Errorf("exit status %d, stderr %q", r.exit, r.stderr)
	}
}

// TestCtlBurst: a burst brings samples at once, as many as asked for.
func TestCtlBurst(t *testing.T) {
	w := newWorld(t)
	s := w.nts(nil)
	d := w.start(w.config(section("server", "hostname", host(s), "nts", "yes", "minpoll", "10")))
	d.until("a reply", replied(t, host(s)))
	d.ask("burst", "2/3", host(s))
	d.until("a burst", func(r *report) bool { return find(t, r, host(s)).Counters.Good == 3 })
	d.until("its end", func(r *report) bool { return r.Activity.BurstOnline == 0 && r.Activity.Online == 1 })
	if got := s.Stats().Requests; got != 3 {
		t.Errorf("requests: got %d, want 3", got)
	}
}

// TestCtlRekey: it makes one key establishment, and the source goes on.
func TestCtlRekey(t *testing.T) {
	w := newWorld(t)
	s := w.nts(nil)
	d := w.start(w.config(source(s)))
	d.until("replies", func(r *report) bool { return find(t, r, host(s)).Counters.Good >= 3 })
	d.ask("rekey", host(s))
	r := d.until("new keys", func(r *report) bool { return find(t, r, host(s)).Auth.KEs == 2 })
	good := find(t, r, host(s)).Counters.Good
	d.until("replies", func(r *report) bool { return find(t, r, host(s)).Counters.Good >= good+4 })
	if st := s.Stats(); st.KEDone != 2 || st.NAKs != 0 {
		t.Errorf("got %d key establishments, %d NAKs; want 2, 0", st.KEDone, st.NAKs)
	}
}

// TestCtlRefreshAndDump: both are done at once and harm nothing.
func TestCtlRefreshAndDump(t *testing.T) {
	w := newWorld(t)
	s := w.nts(nil)
	d := w.start(w.config(source(s)))
	d.until("replies", func(r *report) bool { return find(t, r, host(s)).Counters.Good >= 12 })
	if out := d.ask("refresh"); out != "200 OK\n" {
		t.Errorf("refresh: got %q", out)
	}
	path := w.session(host(s), kePort)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	d.ask("dump")
	fileMode(t, path, 0o600)
	eventually(t, "a frequency worth keeping", func() bool {
		d.ask("dump")
		_, err := os.Stat(filepath.Join(w.run, "drift"))
		return err == nil
	})
	good := d.until("a report", func(*report) bool { return true }).Sources[0].Counters.Good
	d.until("replies", func(r *report) bool { return r.Sources[0].Counters.Good >= good+2 })
	if got := s.Stats().KEConnections; got != 1 {
		t.Errorf("connections: got %d, want 1", got)
	}
}

// TestCtlTopWithoutTerminal: the live view prints its tables, without control
// characters, until it is told to end.
func TestCtlTopWithoutTerminal(t *testing.T) {
	w := newWorld(t)
	s := w.nts(nil)
	d := w.start(w.config(source(s)))
	d.synchronised()
	cmd := exec.Command(tool("ntsctl"), "-h", d.socket, "top")
	out := new(lockedBuffer)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "two views", func() bool { return strings.Count(out.String(), "MS Name/IP address") >= 2 })
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("at SIGTERM: %v", err)
	}
	if text := out.String(); strings.Contains(text, "\x1b") || !strings.Contains(text, "^* "+host(s)) {
		t.Errorf("top printed\n%q", text)
	}
}

// reloads are the two ways to have the configuration read again.
func reloads() []string { return []string{"SIGHUP", "ntsctl reload"} }

// reload has the configuration read again.
func (d *daemon) reload(way string) result {
	d.t.Helper()
	if way == "SIGHUP" {
		if err := d.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			d.t.Fatal(err)
		}
		return result{}
	}
	return d.ctl("reload")
}

// TestReload: sources that did not change keep keys and samples, a new one
// appears, one that is gone is dropped with its session.
func TestReload(t *testing.T) {
	for _, way := range reloads() {
		t.Run(way, func(t *testing.T) {
			w := newWorld(t)
			kept, added, removed := w.nts(nil), w.nts(nil), w.nts(nil)
			d := w.start(w.config(source(kept), source(removed)))
			d.until("replies", func(r *report) bool { return find(t, r, host(kept)).Counters.Good >= 4 })
			before := find(t, d.until("a report", func(*report) bool { return true }), host(kept)).Counters.Good
			d.change(w.config(source(added), source(kept)))
			if r := d.reload(way); r.exit != 0 || r.stderr != "" {
				t.Errorf("exit status %d, stderr %q", r.exit, r.stderr)
			}
			d.untilLog(`configuration reloaded`)
			r := d.until("replies of the new one", func(r *report) bool {
				return len(r.Sources) == 2 && slices.ContainsFunc(r.Sources, isGood(added))
			})
			if got := find(t, r, host(kept)); got.Counters.Good < before || got.Auth.KEs != 1 {
				t.Errorf("the unchanged source began anew: %+v", got.Counters)
			}
			for _, s := range []*demo.Server{kept, added} {
				if got := s.Stats().KEConnections; got != 1 {
					t.Errorf("%s: got %d key establishments, want 1", host(s), got)
				}
			}
			if !r.Tracking.Synchronised {
				t.Error("not synchronised any more")
			}
			if _, err := os.Stat(w.session(host(removed), kePort)); !os.IsNotExist(err) {
				t.Errorf("the session of the source that is gone: %v", err)
			}
			// Other intervals are no reason for new keys.
			d.change(w.config(section("server", "hostname", host(kept), "nts", "yes", "minpoll", "-1", "maxpoll", "-1"), source(added)))
			d.reload(way)
			good := find(t, r, host(kept)).Counters.Good
			d.until("the new interval", func(r *report) bool {
				x := find(t, r, host(kept))
				return x.PollLog2 == -1 && x.Counters.Good != good && x.Reach&3 == 3
			})
			if got := kept.Stats().KEConnections; got != 1 {
				t.Errorf("after a change of intervals: got %d key establishments, want 1", got)
			}
		})
	}
}

// TestReloadOfBrokenFile: a file with a mistake changes nothing, and the reason
// is in the log and on standard error.
func TestReloadOfBrokenFile(t *testing.T) {
	for _, way := range reloads() {
		t.Run(way, func(t *testing.T) {
			w := newWorld(t)
			s, other := w.nts(nil), w.nts(nil)
			d := w.start(w.config(source(s)))
			d.synchronised()
			for name, text := range map[string]string{
				"syntax": w.config(source(other)) + "config server\n\toption hostname 'unfinished\n",
				"value":  w.config(source(other, "minsamples", "many")),
				"empty":  w.config(),
			} {
				d.change(text)
				n := d.count("configuration not reloaded")
				r := d.reload(way)
				if way != "SIGHUP" && (r.exit != 1 || !strings.Contains(r.stderr, "the old one stays in force")) {
					t.Errorf("%s: exit status %d, stderr %q", name, r.exit, r.stderr)
				}
				if name == "value" && way != "SIGHUP" && !strings.Contains(r.stderr, "must be a whole number") {
					t.Errorf("%s: stderr %q does not say why", name, r.stderr)
				}
				eventually(t, "a line in the log", func() bool { return d.count("configuration not reloaded") > n })
			}
			r, err := d.report()
			if err != nil || len(r.Sources) != 1 || r.Sources[0].Name != host(s) || !r.Tracking.Synchronised {
				t.Errorf("got %+v, %v", r, err)
			}
			if st := other.Stats(); st.KEConnections != 0 || s.Stats().KEConnections != 1 {
				t.Errorf("got %d and %d key establishments, want 1 and 0", s.Stats().KEConnections, st.KEConnections)
			}
			d.change(w.config(source(s), source(other)))
			d.reload(way)
			d.until("the new source", func(r *report) bool { return len(r.Sources) == 2 })
		})
	}
}

// TestManyClients: several people and scripts look at once; each gets its
// answer, and the daemon goes on.
func TestManyClients(t *testing.T) {
	w := newWorld(t)
	s := w.nts(nil)
	d := w.start(w.config(source(s)))
	d.synchronised()
	results := make(chan result)
	for i := range 12 {
		go func() {
			cmd := exec.Command(tool("ntsctl"), "-h", d.socket, tables()[i%len(tables())])
			out, err := cmd.CombinedOutput()
			if err != nil {
				out = append(out, err.Error()...)
			}
			results <- result{stdout: string(out), exit: cmd.ProcessState.ExitCode()}
		}()
	}
	for range 12 {
		if r := <-results; r.exit != 0 {
			t.Errorf("exit status %d: %s", r.exit, r.stdout)
		}
	}
	// Clients that hold connections and say nothing are not in the way of
	// others for ever: there are 16 places, then there is a word about it.
	hold := func() {
		conn, err := net.Dial("unix", d.socket)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
	}
	for range 16 {
		hold()
	}
	eventually(t, "a word about all places being taken", func() bool {
		r := d.ctl("activity")
		if r.exit == 0 {
			hold() // a client from before had not left yet
			return false
		}
		return r.exit == 1 && strings.Contains(r.stderr, "too many clients")
	})
	good := s.Stats().Replies
	eventually(t, "replies meanwhile", func() bool { return s.Stats().Replies >= good+3 })
}

// isGood reports whether a row is that server's and has good replies.
func isGood(s *demo.Server) func(statusSource) bool {
	return func(x statusSource) bool { return x.Is(host(s)) && x.Counters.Good > 0 }
}

// TestDemo: the demonstration shows the wrong server as x and follows another,
// and ends by itself.
func TestDemo(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(tool("ntsd"), "demo")
	cmd.Env = append(os.Environ(), "DEMO_SECONDS=8")
	r := runProgram(t, cmd)
	if strings.Contains(r.stderr, "address already in use") {
		interop.Unavailable(t, "acceptance: another demonstration is running: %s", r.stderr)
	}
	if r.exit != 0 || r.stderr != "" {
		t.Errorf("exit status %d, stderr %q", r.exit, r.stderr)
	}
	if !strings.Contains(r.stdout, "\n^x 127.0.0.13 ") || !strings.Contains(r.stdout, "\n^* 127.0.0.1") {
		t.Errorf("the demonstration shows\n%s", r.stdout)
	}
	if _, last, _ := strings.Cut(r.stdout, "What the servers saw"); strings.Count(last, " 1 key establishment") != 3 {
		t.Errorf("it ends with\n%s", last)
	}
	if r := ntsd(t, "demo", "more"); r.exit != 2 {
		t.Errorf("with an argument: got exit status %d, want 2", r.exit)
	}
}

// TestFailingSourceIsLoggedOnce: what does not work is said when it begins and
// when it ends, not at each try.
func TestFailingSourceIsLoggedOnce(t *testing.T) {
	w := newWorld(t)
	s := w.nts(nil)
	d := w.start(w.config(source(s)))
	d.synchronised()
	s.NoReply(true)
	d.untilLog("source gives no usable reply.*" + host(s))
	n := s.Stats().Requests
	eventually(t, "more requests", func() bool { return s.Stats().Requests >= n+4 })
	if got := d.count("source gives no usable reply"); got != 1 {
		t.Errorf("told %d times, want once", got)
	}
	s.NoReply(false)
	d.untilLog("source answers again.*" + host(s))
	if got := fmt.Sprint(d.count("source gives no usable reply"), d.count("source answers again")); got != "1 1" {
		t.Errorf("told %s times, want once each", got)
	}
}

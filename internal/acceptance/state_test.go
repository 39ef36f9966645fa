package acceptance

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ntsd/internal/demo"
	"ntsd/internal/nts"
	"ntsd/internal/wire"
)

// session returns the path of the saved session with a server.
func (w *world) session(addr string, port uint16) string {
	name := addr
	if port != kePort {
		name += fmt.Sprintf("_%d", port)
	}
	return filepath.Join(w.run, name+".nts")
}

// fileMode wants a file with the permissions.
func fileMode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	fi, err := os.Lstat(path)
	if err != nil {
		t.Error(err)
		return
	}
	if got := fi.Mode(); got != want {
		t.Errorf("%s: got mode %v, want %v", filepath.Base(path), got, want)
	}
}

// TestCheck08RunFolder: the run-time folder has one session per key
// establishment address, IPv4 and IPv6 as literals, the port in the name where
// it is not 4460; beside them drift, process id and socket.
func TestCheck08RunFolder(t *testing.T) {
	w := newWorld(t)
	four := w.nts(nil)
	six := w.nts(loopback6)
	d := w.start(w.config(source(four), section("server", quick("hostname", "::1", "nts", "yes", "ntsport", fmt.Sprint(six.KEAddr().Port()))...)))
	d.until("replies", func(r *report) bool {
		return find(t, r, host(four)).Counters.Good >= 8 && find(t, r, "::1").Counters.Good >= 8
	})
	eventually(t, "a frequency worth keeping", func() bool {
		d.ask("dump")
		_, err := os.Stat(filepath.Join(w.run, "drift"))
		return err == nil
	})
	fileMode(t, w.session(host(four), kePort), 0o600)
	fileMode(t, w.session("::1", six.KEAddr().Port()), 0o600)
	fileMode(t, filepath.Join(w.run, "drift"), 0o644)
	fileMode(t, filepath.Join(w.run, "ntsd.pid"), 0o644)
	pid, err := os.ReadFile(filepath.Join(w.run, "ntsd.pid"))
	if got := strings.TrimSpace(string(pid)); err != nil || got != fmt.Sprint(d.cmd.Process.Pid) {
		t.Errorf("ntsd.pid: got %q, %v; want %d", got, err, d.cmd.Process.Pid)
	}
	if fi, err := os.Lstat(d.socket); err != nil || fi.Mode().Type() != os.ModeSocket || fi.Mode().Perm()&0o007 != 0 {
		t.Errorf("socket: got %v, %v; want a socket, closed to others", fi, err)
	}
	d.stop()
	for _, path := range []string{d.socket} {
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			t.Errorf("%s is still there after the end: %v", filepath.Base(path), err)
		}
	}
	entries, err := os.ReadDir(w.run)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".tmp") || strings.Contains(e.Name(), "~") {
			t.Errorf("left behind: %s", e.Name())
		}
	}
}

// driftLine reads a drift file.
func driftLine(t *testing.T, path string) (freq, skew float64) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(string(data))
	if len(words) != 2 {
		t.Fatalf("drift file: %q", data)
	}
	freq, err1 := strconv.ParseFloat(words[0], 64)
	skew, err2 := strconv.ParseFloat(words[1], 64)
	if err1 != nil || err2 != nil {
		t.Fatalf("drift file: %q", data)
	}
	return freq, skew
}

// TestCheck09DriftIsReadAtStart: the log tells frequency and skew as read from
// the drift file; a damaged file is refused by its name.
func TestCheck09DriftIsReadAtStart(t *testing.T) {
	w := newWorld(t)
	s := w.nts(nil)
	if err := os.MkdirAll(w.run, 0o755); err != nil {
		t.Fatal(err)
	}
	drift := filepath.Join(w.run, "drift")
	write := func(text string) {
		if err := os.WriteFile(drift, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("           12.345000             0.250000\n")
	d := w.start(w.config(source(s)))
	d.untilLog(`frequency read from drift file.* freq_ppm=-?12\.345 skew_ppm=0\.25`)
	d.stop()
	write("12.3")
	d = w.start(w.config(source(s)))
	d.untilLog(`level=WARN msg="drift file refused" reason=".*/run/drift: refused: damaged`)
	d.stop()
}

// TestCheck59DriftFileSpeedsUpStart: the saved frequency is in force before the
// first reply, with its sign, and what the daemon learnt is saved at its end.
func TestCheck59DriftFileSpeedsUpStart(t *testing.T) {
	w := newWorld(t)
	s := w.nts(nil)
	s.NoReply(true)
	if err := os.MkdirAll(w.run, 0o755); err != nil {
		t.Fatal(err)
	}
	drift := filepath.Join(w.run, "drift")
	if err := os.WriteFile(drift, []byte("           -7.500000             0.100000\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	d := w.start(w.config(source(s)))
	r := d.until("a frequency", func(r *report) bool { return r.Tracking.FreqPPM != 0 })
	// chronyc and the drift file both count a fast clock as positive.
	if got := r.Tracking.FreqPPM; math.Abs(got+7.5) > 0.01 || r.Tracking.Synchronised {
		t.Errorf("before any reply: got %v ppm, want -7.5", got)
	}
	if out := d.ask("tracking"); !strings.Contains(out, "7.500 ppm slow") {
		t.Errorf("tracking:\n%s", out)
	}
	s.NoReply(false)
	d.until("replies", func(r *report) bool { return find(t, r, host(s)).Counters.Good >= 10 })
	d.stop()
	freq, skew := driftLine(t, drift)
	if math.Abs(freq) > 500 || skew <= 0 {
		t.Errorf("drift at the end: got %v %v", freq, skew)
	}
}

// TestCheck16RestartWithoutKeyEstablishment: sessions are saved, so a restart
// goes on with them: no connection to the servers of keys.
func TestCheck16RestartWithoutKeyEstablishment(t *testing.T) {
	w := newWorld(t)
	a, b := w.nts(nil), w.nts(loopback6)
	config := w.config(source(a), section("server", quick("hostname", "::1", "nts", "yes", "ntsport", fmt.Sprint(b.KEAddr().Port()))...))
	d := w.start(config)
	d.until("replies of both", replied(t, host(a), "::1"))
	for range 3 {
		d.stop()
		d = w.start(config)
		d.until("replies of both", replied(t, host(a), "::1"))
		d.synchronised()
	}
	for _, s := range []*demo.Server{a, b} {
		if st := s.Stats(); st.KEConnections != 1 || st.NAKs != 0 {
			t.Errorf("%v: got %d connections, %d NAKs over three restarts; want 1, 0", s.KEAddr(), st.KEConnections, st.NAKs)
		}
	}
	// chronyc's authdata counts what this process did, and Last goes on.
	if got := d.authdata(host(a)); got[2] == "0" || got[3] == "0" {
		t.Errorf("authdata after a restart: got %v", got)
	}
}

// TestPowerCutsNeverReuseCookies: killed at any moment the daemon goes on with
// what was saved: no key establishment, no NAK, and never a cookie twice.
func TestPowerCutsNeverReuseCookies(t *testing.T) {
	w := newWorld(t)
	r := w.relayed(relayConfig{})
	config := w.config(relaySource(r))
	for range 6 {
		n := len(r.seen())
		d := w.start(config)
		// The last request may be on its way when the power goes.
		eventually(t, "requests", func() bool { return len(r.seen()) >= n+3 })
		d.kill()
	}
	d := w.start(config)
	d.synchronised()
	noRepeats(t, r.seen())
	if got := r.established(); got != 1 {
		t.Errorf("key establishments: got %d over six power cuts, want 1", got)
	}
	if got := r.server.Stats().NAKs; got != 0 {
		t.Errorf("NAKs: got %d, want none", got)
	}
}

// TestBadSessionsAreRefused: a saved session that is damaged, cut off, readable
// by others, a link, or another server's is refused by its name in the log; the
// others load.
func TestBadSessionsAreRefused(t *testing.T) {
	w := newWorld(t)
	names := []string{"good", "damaged", "cut", "open", "link", "foreign"}
	servers := make(map[string]*demo.Server)
	var sections []string
	for _, name := range names {
		servers[name] = w.nts(nil)
		sections = append(sections, source(servers[name]))
	}
	d := w.start(w.config(sections...))
	for _, s := range servers {
		d.until("a reply of each", replied(t, host(s)))
	}
	d.stop()
	path := func(name string) string { return w.session(host(servers[name]), kePort) }
	text := func(name string) []byte {
		data, err := os.ReadFile(path(name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(path("damaged"), []byte(strings.Replace(string(text("damaged")), "strict", "strikt", 1)), 0o600))
	must(os.WriteFile(path("cut"), text("cut")[:200], 0o600))
	must(os.Chmod(path("open"), 0o644))
	must(os.Rename(path("link"), w.dir+"/elsewhere"))
	must(os.Symlink(w.dir+"/elsewhere", path("link")))
	must(os.WriteFile(path("foreign"), text("good"), 0o600))
	d = w.start(w.config(sections...))
	for name, reason := range map[string]string{
		"damaged": "damaged", "cut": "damaged", "open": "permissions too open", "link": "symbolic link", "foreign": "damaged: .*another server",
	} {
		d.untilLog(`level=WARN msg="saved session refused" reason=".*/` + host(servers[name]) + `\.nts: refused: ` + reason)
	}
	for _, s := range servers {
		d.until("a reply of each", replied(t, host(s)))
	}
	for name, s := range servers {
		want := uint64(2)
		if name == "good" {
			want = 1
		}
		if got := s.Stats().KEDone; got != want {
			t.Errorf("%s: got %d key establishments, want %d", name, got, want)
		}
	}
	d.noLog("refused.*" + host(servers["good"]))
	fileMode(t, path("open"), 0o600)
}

// TestSessionsHoldNoSpentCookie: what lies on the disk while the daemon runs
// never contains a cookie that was sent.
func TestSessionsHoldNoSpentCookie(t *testing.T) {
	w := newWorld(t)
	r := w.relayed(relayConfig{})
	d := w.start(w.config(relaySource(r)))
	path := w.session(r.host(), kePort)
	for n := 1; n < 8; n++ {
		eventually(t, "a request", func() bool { return len(r.seen()) > n })
		saved, err := os.ReadFile(path)
		if err != nil {
			continue // between two versions
		}
		for i, pkt := range r.seen()[:n] {
			if len(pkt) == wire.HeaderLen {
				continue // a busy machine lost so many that the path is tested
			}
			if strings.Contains(string(saved), fmt.Sprintf("%x", cookieOf(t, pkt))) {
				t.Errorf("the cookie of request %d is still in the file", i)
			}
		}
	}
	d.stop()
	saved, err := os.ReadFile(path)
	// One less for each reply that was late on a busy machine.
	if got := strings.Count(string(saved), "\ncookie "); err != nil || got < nts.MaxCookies/2 {
		t.Errorf("after the end: got %d cookies, %v; want about %d", got, err, nts.MaxCookies)
	}
}

// TestSessionsBelongToTheirName: cookies of a server that was configured by
// one name are not used under another, though the address is the same.
func TestSessionsBelongToTheirName(t *testing.T) {
	w := newWorld(t)
	s := w.nts(nil, "one.example", "two.example")
	hosts := files{"/etc/hosts": host(s) + " one.example two.example\n"}
	for i, name := range []string{"one.example", "one.example", "two.example"} {
		d := w.startWith(hosts, w.config(section("server", quick("hostname", name, "nts", "yes")...)))
		d.until("a reply", replied(t, name))
		d.stop()
		if got, want := s.Stats().KEDone, []uint64{1, 1, 2}[i]; got != want {
			t.Errorf("start %d as %s: got %d key establishments, want %d", i+1, name, got, want)
		}
	}
}

// TestFullDisk: when sessions cannot be written any more, the log says so once,
// time goes on, and a crash then makes new keys rather than send an old cookie
// again; when there is room again, saving goes on.
func TestFullDisk(t *testing.T) {
	w := newWorld(t)
	r := w.relayed(relayConfig{})
	config := w.config(relaySource(r))
	d := w.start(config)
	d.synchronised()
	// In the way of the temporary file that replaces the session.
	obstacle := filepath.Join(w.run, "."+r.host()+".nts.tmp")
	if err := os.MkdirAll(filepath.Join(obstacle, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	d.untilLog("cannot save a session")
	n := len(r.seen())
	eventually(t, "more requests", func() bool { return len(r.seen()) >= n+3 })
	if got := d.count("cannot save a session"); got != 1 {
		t.Errorf("told %d times, want once", got)
	}
	d.kill()
	d = w.start(config)
	d.synchronised()
	noRepeats(t, r.seen())
	if err := os.RemoveAll(obstacle); err != nil {
		t.Fatal(err)
	}
	d.untilLog("can save a session again")
	fileMode(t, w.session(r.host(), kePort), 0o600)
}

// TestSecondDaemonIsRefused: two daemons do not share a folder: the second
// says who has it.
func TestSecondDaemonIsRefused(t *testing.T) {
	w := newWorld(t)
	s := w.nts(nil)
	d := w.start(w.config(source(s)))
	r := ntsd(t, "-x", "-t", "5", "-f", d.config)
	if r.exit != 1 || !strings.Contains(r.stderr, fmt.Sprint(d.cmd.Process.Pid)) {
		t.Errorf("got exit status %d, stderr %q; want 1 and process %d", r.exit, r.stderr, d.cmd.Process.Pid)
	}
	if _, err := d.report(); err != nil {
		t.Errorf("the first one does not answer any more: %v", err)
	}
}

// TestBackoffSurvivesRestart: a server of keys that refuses is not asked again
// at once because the daemon was restarted.
func TestBackoffSurvivesRestart(t *testing.T) {
	w := newWorld(t)
	s := w.nts(nil)
	s.Pause()
	config := w.config(source(s))
	for range 3 {
		d := w.start(config)
		// The attempt is planned before it is made: the first daemon may not end
		// in between.
		d.until("an attempt and a planned one", func(r *report) bool {
			return find(t, r, host(s)).Auth.NextKE > 0 && s.Stats().KEConnections > 0
		})
		d.stop()
	}
	if got := s.Stats().KEConnections; got != 1 {
		t.Errorf("connections over three starts: got %d, want 1", got)
	}
	if !slices.ContainsFunc(entries(t, w.run), func(name string) bool { return name == "backoff" }) {
		t.Errorf("no backoff file among %q", entries(t, w.run))
	}
}

func entries(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

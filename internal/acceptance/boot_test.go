package acceptance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ntsd/internal/clock"
	"ntsd/internal/demo"
	"ntsd/internal/interop"
	"ntsd/internal/store"
)

// booting is a world with three operators and a daemon that climbs the ladder.
type booting struct {
	*world
	config string
	state  string
}

func newBooting(t *testing.T) *booting {
	w := newWorld(t)
	b := &booting{world: w, state: filepath.Join(w.dir, "state")}
	var sources []string
	for range 3 {
		s := w.nts(nil)
		sources = append(sources, source(s, "iburst", "yes"))
	}
	b.config = w.config(append(sources, section("bootstrap", "mode", "ladder"))...)
	return b
}

// boot starts the daemon with nothing in memory.
func (b *booting) boot(flags ...string) *daemon {
	b.t.Helper()
	if err := os.RemoveAll(b.run); err != nil {
		b.t.Fatal(err)
	}
	return b.start(b.config, flags...)
}

// kes counts the key establishments of all sources.
func kes(r *report) (n uint64) {
	for i := range r.Sources {
		n += r.Sources[i].Auth.KEs
	}
	return n
}

// TestCheck10RebootWithoutMemory: the first boot checks certificates twice, the next one spends
// the reserve and makes no key establishment; what lies on flash is private.
func TestCheck10RebootWithoutMemory(t *testing.T) {
	b := newBooting(t)
	d := b.boot()
	r := d.until("trust", func(r *report) bool { return r.Bootstrap.Phase == "done" && r.Tracking.Synchronised && kes(r) >= 5 })
	if len(r.Bootstrap.Agreeing) < 2 || r.Bootstrap.Confirmed < 2 || r.Bootstrap.Needed != 2 {
		t.Errorf("bootstrap: got %+v", r.Bootstrap)
	}
	text := d.ask("bootstrap")
	for _, want := range []string{"done: the time is trusted", "2 of 3 must agree", "on trial", "strictly at", "agreement", "accepted"} {
		if !strings.Contains(text, want) {
			t.Errorf("ntsctl bootstrap: no %q in\n%s", want, text)
		}
	}
	d.until("the flash written", func(r *report) bool { return r.Tracking.FlashWrites == 2 })
	fileMode(t, filepath.Join(b.state, "state"), 0o600)
	fileMode(t, filepath.Join(b.state, "reserve"), 0o600)
	d.stop()
	d = b.boot("-s")
	r = d.until("trust", func(r *report) bool { return r.Bootstrap.Phase == "done" && r.Tracking.Synchronised })
	if n := kes(r); n != 0 {
		t.Errorf("the next boot: %d key establishments, want none", n)
	}
	if text := d.ask("bootstrap"); !strings.Contains(text, "a cookie for") {
		t.Errorf("no reserve in\n%s", text)
	}
	d.untilLog(`last trusted time read from flash`)
	d.stop()
}

// TestCheck33StartsFromTheSavedTime: with -s a clock that is behind the time of
// the last stop is set to it, before anybody is asked.
func TestCheck33StartsFromTheSavedTime(t *testing.T) {
	w := newWorld(t)
	s := w.nts(nil)
	state := filepath.Join(w.dir, "state")
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	// As nobody can set the clock of a test back, the stop was in ten minutes.
	saved := store.State{Time: clock.WallTime(time.Now().Add(10 * time.Minute)), TimeError: time.Millisecond}
	if err := store.SaveState(filepath.Join(state, "state"), saved); err != nil {
		t.Fatal(err)
	}
	d := w.start(w.config(source(s)), "-s")
	d.untilLog(`clock was stepped.* offset_s=(599|600)\.`)
	d.untilLog(`clock was stepped.* offset_s=-(599|600)\.`)
	d.synchronised()
	d.stop()
	if err := store.SaveState(filepath.Join(state, "state"), saved); err != nil {
		t.Fatal(err)
	}
	d = w.start(w.config(source(s)))
	d.synchronised()
	d.noLog(`clock was stepped`)
	d.stop()
}

// TestBootstrapOneLies: a server that is a day ahead, and one that nobody
// reaches: there is no majority, nothing is set, and it is said what is missing.
func TestBootstrapOneLies(t *testing.T) {
	w := newWorld(t)
	good, liar := w.nts(nil), w.nts(func(c *demo.ServerConfig) { c.Offset = 24 * 3600e9 })
	d := w.start(w.config(source(good), source(liar), section("server", quick("hostname", newAddr().String(), "nts", "yes")...),
		section("bootstrap", "mode", "ladder", "deadline", "1")))
	d.untilLog(`the first time is still missing.*1 of 3 operators agree`)
	r := d.until("a reply refused", func(r *report) bool { return find(t, r, host(good)).Counters.Good > 0 })
	if r.Tracking.Synchronised || r.Tracking.Steps != 0 || r.Bootstrap.Phase != "searching" {
		t.Errorf("got synchronised %t, %d steps, %+v", r.Tracking.Synchronised, r.Tracking.Steps, r.Bootstrap)
	}
	if out := d.ctl("waitsync", "1", "0", "0", "1"); !strings.Contains(out.stderr, "the first time: 1 of 3 operators agree") {
		t.Errorf("waitsync does not say why: %s%s", out.stdout, out.stderr)
	}
	d.stop()
}

// TestBootstrapFlash: damaged files are refused by name; a folder that cannot
// be written is said once, and its reserve is not touched.
func TestBootstrapFlash(t *testing.T) {
	b := newBooting(t)
	d := b.boot()
	d.until("the flash written", func(r *report) bool { return r.Tracking.FlashWrites == 2 })
	d.stop()
	if err := os.Truncate(filepath.Join(b.state, "state"), 40); err != nil {
		t.Fatal(err)
	}
	d = b.boot()
	d.untilLog(`saved state refused.*state/state: refused: damaged`)
	d.until("trust", func(r *report) bool { return r.Bootstrap.Phase == "done" && kes(r) == 0 })
	d.stop()
	if os.Geteuid() != 0 {
		interop.Unavailable(t, "acceptance: needs root, to mount a folder read-only")
	}
	if err := unix.Mount(b.state, b.state, "", unix.MS_BIND, ""); err != nil {
		t.Skipf("cannot mount: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(b.state, unix.MNT_DETACH) })
	if err := unix.Mount("", b.state, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
		t.Skipf("cannot remount: %v", err)
	}
	before, err := os.ReadFile(filepath.Join(b.state, "reserve"))
	if err != nil {
		t.Fatal(err)
	}
	d = b.boot()
	d.until("trust", func(r *report) bool { return r.Bootstrap.Phase == "done" && kes(r) >= 5 })
	d.untilLog(`cannot take cookies out of the reserve.*read-only`)
	d.ask("dump")
	d.ask("dump")
	d.untilLog(`cannot save the state for the next boot.*read-only`)
	d.stop()
	if n := d.count("read-only"); n != 2 {
		t.Errorf("the read-only flash is told of %d times, want once for reading and once for writing", n)
	}
	if after, err := os.ReadFile(filepath.Join(b.state, "reserve")); err != nil || string(after) != string(before) {
		t.Errorf("the reserve was changed: %v", err)
	}
}

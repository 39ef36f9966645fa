package vmtest

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"ntsd/internal/clock"
)

// How the daemon runs on the router.
const (
	stateFolder = "/etc/ntsd/state"
	user        = "ntp"
	userID      = "123"
)

// syncPatience is how long a start may take here, on a computer that has other
// things to do; idleness is how long a router is watched that must not find
// the time.
const (
	syncPatience = 60 * time.Second
	idleness     = 15 * time.Second
)

// tolerance is how far from the truth a synchronised clock may be: emulation
// and a shared computer make milliseconds of jitter. One that has other things
// to do makes more of them in the first measurements; the next ones, within
// settling, must be better.
const (
	tolerance = 20 * time.Millisecond
	settling  = 60 * time.Second
	// sluggishness is what the fastest slew (1/12) does to the clock while a
	// busy computer lets the daemon wait.
	sluggishness = 5 * time.Millisecond
)

// router is the machine in its world. It is for one goroutine.
type router struct {
	*machine
	w       *world
	told    time.Duration // the bound of its error, when it was synchronised
	started time.Duration // uptime when the daemon could begin: it runs, and there is a network
}

// setClock sets the router's clock to so much after the truth.
func (r *router) setClock(after time.Duration) {
	r.t.Helper()
	sec, _ := r.w.truth().Add(after).Unix()
	r.do("set", fmt.Sprint(sec))
}

// plugIn connects the router with the network.
func (r *router) plugIn() {
	r.t.Helper()
	r.started = r.seconds("net")
	r.w.awaitRequest()
}

// startDaemon starts the daemon as the router's init script does where there is
// no jail.
func (r *router) startDaemon() {
	r.t.Helper()
	r.do("own", stateFolder, userID)
	r.started = r.seconds("start", "ntsd", "/bin/ntsd", "-u", user)
	r.w.awaitRequest()
}

// await waits until the kernel says that its clock is synchronised, and
// measures everything.
func (r *router) await() {
	r.t.Helper()
	at := r.seconds("await", fmt.Sprint(int(syncPatience.Seconds())))
	f := &r.w.figures
	f.synced, f.toAsk, f.toSync = true, time.Duration(r.w.asked.Load()), at-r.started
	r.told = r.maxError()
	r.measure()
	r.told = max(r.told, r.maxError())
}

// maxError is how wrong the kernel was told that its clock can be.
func (r *router) maxError() time.Duration {
	r.t.Helper()
	return time.Duration(r.timex()["maxerror"]) * time.Microsecond
}

// awaitKE waits until all servers together have seen so many key
// establishments.
func (r *router) awaitKE(n int) {
	r.t.Helper()
	for begin := time.Now(); r.w.figures.ke < n; r.measure() {
		if time.Since(begin) > settling {
			r.t.Fatalf("%d key establishments after %v, want %d", r.w.figures.ke, settling, n)
		}
	}
}

// measure reads the clock and the counters.
func (r *router) measure() {
	r.t.Helper()
	f := &r.w.figures
	f.offset, f.bound = r.offset()
	f.offset -= clock.Offset(r.w.ahead.Load())
	good, bad := r.w.keyEstablishments()
	f.ke, f.bad = good-r.w.ke, bad-r.w.bad
	r.countWrites()
}

func (r *router) countWrites() {
	r.t.Helper()
	n, err := strconv.Atoi(r.do("watched"))
	if err != nil {
		r.t.Fatal(err)
	}
	r.w.figures.writes = n
}

// wantMemory fails the test where the daemon has more memory than so many kB, or
// ever had. Pages of the binary count as far as it uses them, as on routers: no
// file system here has large pages.
func (r *router) wantMemory(most, peak int) {
	r.t.Helper()
	pid := strings.TrimSpace(r.read("/var/run/ntsd/ntsd.pid"))
	kB := make(map[string]int)
	for line := range strings.Lines(r.read("/proc/" + pid + "/status")) {
		name, value, _ := strings.Cut(line, ":")
		var n int
		fmt.Sscan(value, &n) // of what is no number it stays 0
		kB[name] = n
	}
	r.t.Logf("%d kB resident, %d of them its own; %d at the peak", kB["VmRSS"], kB["RssAnon"], kB["VmHWM"])
	if kB["VmRSS"] == 0 || kB["VmRSS"] > most || kB["VmHWM"] > peak {
		r.t.Errorf("got %d kB resident, %d at the peak, want at most %d and %d", kB["VmRSS"], kB["VmHWM"], most, peak)
	}
}

func (r *router) read(path string) string {
	r.t.Helper()
	text, err := base64.StdEncoding.DecodeString(r.do("read", path))
	if err != nil {
		r.t.Fatalf("%s: %v", path, err)
	}
	return string(text)
}

// off shuts the router down in good order, unless it is off.
func (r *router) off() {
	r.t.Helper()
	select {
	case <-r.gone:
		return
	default:
	}
	r.countWrites()
	// It may count what failed, and what there was nothing to do for.
	if n := int(r.report().Tracking.FlashWrites); n < r.w.figures.writes {
		r.t.Errorf("flash: the daemon tells of %d writes, there were %d", n, r.w.figures.writes)
	}
	if got := r.do("stop", "ntsd"); got != "exit status 0" {
		r.t.Errorf("the daemon's end: %s", got)
	}
	r.countWrites()
	if n := r.w.figures.writes; n > maxWrites {
		r.t.Errorf("flash: got %d writes, want at most %d", n, maxWrites)
	}
	r.powerOff()
}

// maxWrites is what the flash is spared more than in a day.
const maxWrites = 8

// wantTime fails the test unless the router's clock gets within some time of
// the truth. No cookie may have been spent twice on the way.
func (r *router) wantTime(within time.Duration) {
	r.t.Helper()
	f := &r.w.figures
	// However bad the measurements are, what the kernel is told bounds them,
	// but for the time between a decision and the deed.
	if f.offset.Abs() > r.told+f.bound+sluggishness {
		r.t.Errorf("the clock is off by %v (+-%v), and the kernel was told %v at most", f.offset.Duration(), f.bound, r.told)
	}
	for begin := time.Now(); f.offset.Abs() > within+f.bound; r.measure() {
		if time.Since(begin) > settling {
			r.t.Errorf("the clock is off by %v (+-%v), want at most %v", f.offset.Duration(), f.bound, within)
			break
		}
	}
	r.wantCookiesOnce()
}

func (r *router) wantCookiesOnce() {
	r.t.Helper()
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	if r.w.reused != 0 {
		r.t.Errorf("%d cookies were used twice", r.w.reused)
	}
}

// wantSync waits until the router has the right time, with so many key
// establishments at most since it was switched on.
func (r *router) wantSync(ke, bad int) {
	r.t.Helper()
	r.await()
	r.wantTime(tolerance)
	if f := r.w.figures; f.ke > ke || f.bad > bad {
		r.t.Errorf("key establishments: got %d and %d that failed, want at most %d and %d", f.ke, f.bad, ke, bad)
	}
}

// wantNoTime fails the test if the router believes anybody, or moves its clock
// to what it was told by one that it should not believe. It looks for a while.
func (r *router) wantNoTime() {
	r.t.Helper()
	before, _ := r.offset()
	at, err := r.try("await", fmt.Sprint(int(idleness.Seconds())))
	r.measure()
	if err == nil {
		r.t.Errorf("synchronised at %s s, with the clock off by %v", at, r.w.figures.offset.Duration())
	}
	after, _ := r.offset()
	if moved := (after - before).Abs(); moved > time.Second {
		r.t.Errorf("the clock was moved by %v", moved)
	}
	r.wantCookiesOnce()
}

// wantChip fails the test unless the kernel sets the real-time clock right: it
// does so while it is told that its clock is synchronised.
func (r *router) wantChip() {
	r.t.Helper()
	const path = "/sys/class/rtc/rtc0/since_epoch"
	deadline := time.Now().Add(replyPatience)
	for {
		data, err := base64.StdEncoding.DecodeString(r.do("read", path))
		if err != nil {
			r.t.Fatal(err)
		}
		sec, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
		if err != nil {
			r.t.Fatal(err)
		}
		off := clock.WallUnix(sec, 0).Sub(r.w.truth())
		if off.Abs() <= 2*time.Second { // it counts whole seconds
			return
		}
		if time.Now().After(deadline) {
			r.t.Errorf("the real-time clock is off by %v", off.Duration())
			return
		}
	}
}

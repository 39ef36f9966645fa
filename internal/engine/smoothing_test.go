package engine

import (
	"errors"
	"math"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/discipline"
	"ntsd/internal/event"
	"ntsd/internal/local"
	"ntsd/internal/smooth"
	"ntsd/internal/upstream"
	"ntsd/internal/wire"
)

// chain is a server of true time, one of ours that has its time from it, and a
// client of that one. It begins so long after epoch.
func chain(t *testing.T, seed uint64, begin time.Duration, change func(*Config)) (h *home, up, mid, client *host) {
	h = newHouse(t, seed)
	h.now = begin
	up = h.add("203.0.113.9", 0, 0)
	mid = h.add("192.0.2.1", clock.RatePPM(20), 0)
	client = h.add("192.0.2.9", clock.RatePPM(-30), 0)
	up.start(Config{Local: local.Config{Enabled: true, Stratum: 1}})
	ask := func(addr string) Config {
		return with(upstream.Source{Name: addr, IBurst: true, MinPoll: 4, MaxPoll: 6})
	}
	cfg := ask("203.0.113.9")
	cfg.MakeStep.Limit = 0
	change(&cfg)
	mid.start(cfg)
	client.start(ask("192.0.2.1"))
	return h, up, mid, client
}

// watch lets d pass and looks each second at the time that x serves. It
// returns by how much at most its rate was off, and the largest jump of the
// rate from one second to the next, in ppm.
func (x *host) watch(d time.Duration) (rate, jump float64) {
	last, before := x.served(), math.NaN()
	for range int(d / time.Second) {
		x.h.run(time.Second)
		now := x.served()
		r := (now.Sub(last).Seconds() - 1) * 1e6
		rate = max(rate, math.Abs(r))
		if !math.IsNaN(before) {
			jump = max(jump, math.Abs(r-before))
		}
		last, before = now, r
	}
	return rate, jump
}

// TestSmoothedTime: the server's upstream jumps by a third of a second. What
// the server's own clock corrects in seconds its client never sees as anything
// but a slow drift; and it is told that the time is not the best there is.
func TestSmoothedTime(t *testing.T) {
	const jump = 300 * time.Millisecond
	h, up, mid, client := chain(t, 71, 0, func(c *Config) {
		c.Smooth = smooth.Config{MaxRate: clock.RatePPM(100), MaxWander: clock.RatePPM(0.05)}
	})
	h.run(time.Hour)
	if s := mid.eng.Snapshot(mid.read()).Smoothing; !s.Active || !s.Enabled || s.LeapOnly {
		t.Fatalf("after an hour: got %+v, want it active", s)
	}
	if sys := mid.eng.System(mid.read()); sys.ReferenceID == smooth.ReferenceID() && sys.RootDispersion < time.Microsecond {
		t.Errorf("nothing to smooth: got %+v", sys)
	}
	steps := client.steps
	up.wall.At.Wall = up.wall.At.Wall.Add(jump)
	sawFar := false
	for range 30 {
		rate, change := mid.watch(3 * time.Minute)
		// Twice: what an estimate of the rate differs from the one before.
		if rate > 100+5 || change > 0.05+0.02 {
			t.Errorf("after %v: served time runs %.3f ppm off, which changes by %.3f ppm in a second", h.now, rate, change)
		}
		sys := mid.eng.System(mid.read())
		off := mid.served().Sub(mid.read().Wall)
		if off.Abs() > 50*time.Millisecond {
			sawFar = true
			if sys.RootDispersion < off.Abs() || sys.ReferenceID != smooth.ReferenceID() || sys.Leap != event.LeapNone {
				t.Errorf("served time is %v off, the reply says %+v", off.Duration(), sys)
			}
			s := mid.eng.Snapshot(mid.read()).Smoothing
			if (s.Offset-off).Abs() > time.Millisecond || s.Remaining == 0 || s.Rate == 0 {
				t.Errorf("served time is %v off, smoothing shows %+v", off.Duration(), s)
			}
		}
		if d := client.read().Wall.Sub(mid.served()); d.Abs() > 3*time.Millisecond {
			t.Errorf("after %v: the client is %v off the time that it is served", h.now, d.Duration())
		}
	}
	if !sawFar || client.steps != steps {
		t.Errorf("the jump was seen %v, the client stepped %d times", sawFar, client.steps-steps)
	}
	for name, x := range map[string]*host{"server": mid, "client": client} {
		if got := x.wrong() - jump; got.Abs() > time.Millisecond {
			t.Errorf("in the end the %s is %v off", name, got)
		}
	}
}

// untilMidnight is how long after epoch the day ends.
const untilMidnight = 16 * time.Hour

// TestLeapSmear: a leap second is inserted at midnight. The server's clock has
// it at once, its client gets it in small pieces and is told of none.
func TestLeapSmear(t *testing.T) {
	for _, mode := range []discipline.LeapMode{discipline.LeapSlew, discipline.LeapSystem} {
		h, up, mid, client := chain(t, 72, untilMidnight-90*time.Minute, func(c *Config) {
			// 6250 s, with at most 320 ppm.
			c.Smooth = smooth.Config{MaxRate: clock.RatePPM(400), MaxWander: clock.RatePPM(0.1024), LeapOnly: true}
			c.LeapMode = mode
		})
		h.run(time.Hour)
		up.leap = event.LeapInsert
		h.run(29 * time.Minute)
		if k := mid.eng.Snapshot(mid.read()).Tracking; mid.kernelLeap == event.LeapInsert != (mode == discipline.LeapSystem) ||
			mid.eng.clock.Stats().Leap != event.LeapInsert {
			t.Errorf("mode %d: before midnight the kernel was told %v, tracking shows %+v", mode, mid.kernelLeap, k)
		}
		h.after(time.Minute, func() { up.leapNow(); mid.leapNow() })
		steps := client.steps
		announced := false
		mid.h.after(30*time.Second, func() { announced = mid.eng.System(mid.read()).Leap != event.LeapNone })
		// Corrections go through in this mode; they are less than 10 us.
		rate, _ := mid.watch(10 * time.Minute)
		if announced || rate > 320+10 {
			t.Errorf("mode %d: a client sees a leap second announced %v, and time that runs %.1f ppm off", mode, announced, rate)
		}
		if got := mid.read().Wall.Sub(up.read().Wall); got.Abs() > time.Millisecond {
			t.Errorf("mode %d: the server's own clock is %v off", mode, got.Duration())
		}
		sys := mid.eng.System(mid.read())
		if off := mid.served().Sub(mid.read().Wall); off.Seconds() < 0.98 || sys.RootDispersion < off.Abs() {
			t.Errorf("mode %d: nine minutes later %v of the second are left, root dispersion %v", mode, off.Duration(), sys.RootDispersion)
		}
		h.run(6250*time.Second - 8*time.Minute)
		sys = mid.eng.System(mid.read())
		if got := mid.served().Sub(mid.read().Wall); got.Abs() > time.Millisecond || sys.RootDispersion > 10*time.Millisecond ||
			sys.ReferenceID == smooth.ReferenceID() {
			t.Errorf("mode %d: after the smear served time is %v off: %+v", mode, got.Duration(), sys)
		}
		if got := client.read().Wall.Sub(up.read().Wall); got.Abs() > time.Millisecond || client.steps != steps {
			t.Errorf("mode %d: in the end the client is %v off, after %d steps", mode, got.Duration(), client.steps-steps)
		}
	}
}

// TestLeapModes: without smoothing the clock gets the second as configured, and
// nobody is told a time in the moment when it may be off by one.
func TestLeapModes(t *testing.T) {
	for _, c := range []struct {
		mode  discipline.LeapMode
		steps int
		after time.Duration // how long until the clock is right
	}{
		{discipline.LeapSystem, 0, 2 * time.Second},
		{discipline.LeapStep, 1, 2 * time.Second},
		{discipline.LeapSlew, 0, 40 * time.Second},
		{discipline.LeapIgnore, 0, 15 * time.Minute},
	} {
		h, up, mid, _ := chain(t, 73, untilMidnight-40*time.Minute, func(cfg *Config) { cfg.LeapMode = c.mode })
		h.run(20 * time.Minute)
		up.leap = event.LeapInsert
		h.run(20*time.Minute - 10*time.Second)
		if got := mid.eng.System(mid.read()).Leap; got != event.LeapInsert {
			t.Errorf("mode %d: ten seconds before: leap %v, want it announced", c.mode, got)
		}
		h.after(10*time.Second, func() { up.leapNow(); mid.leapNow() })
		h.run(9 * time.Second)
		said := ""
		for range 16 {
			said += string('0' + byte(mid.eng.System(mid.read()).Leap))
			h.run(500 * time.Millisecond)
		}
		// Half seconds from one before the leap second on: not synchronised from
		// 1.5 s before it until some seconds after it, then nothing is announced.
		if want := "33333"; said[:5] != want || said[14:] != "00" {
			t.Errorf("mode %d: the leap indicator was %s, want %s at first and 0 in the end", c.mode, said, want)
		}
		h.run(c.after)
		if got := mid.read().Wall.Sub(up.read().Wall); got.Abs() > time.Millisecond || mid.steps != c.steps {
			t.Errorf("mode %d: the clock is %v off after %d steps, want %d", c.mode, got.Duration(), mid.steps, c.steps)
		}
	}
}

// TestSmoothCommands: what chronyc's smoothtime does.
func TestSmoothCommands(t *testing.T) {
	_, _, mid, _ := chain(t, 74, 0, func(*Config) {})
	do := func(kind event.CommandKind) error {
		_, err := mid.eng.HandleCommand(mid.read(), event.Command{Kind: kind}, nil)
		return err
	}
	for _, kind := range []event.CommandKind{event.CommandSmoothReset, event.CommandSmoothActivate} {
		if err := do(kind); !errors.Is(err, ErrNotSmoothing) {
			t.Errorf("command %d without a configuration: got %v, want %v", kind, err, ErrNotSmoothing)
		}
	}
	h, up, smoothing, _ := chain(t, 74, 0, func(c *Config) {
		c.Smooth = smooth.Config{MaxRate: clock.RatePPM(100), MaxWander: clock.RatePPM(1e-9)} // never settled
	})
	h.run(10 * time.Minute)
	mid = smoothing
	if mid.eng.System(mid.read()).Served.Active {
		t.Fatal("smoothing began though the skew is too large")
	}
	if err := do(event.CommandSmoothActivate); err != nil || !mid.eng.System(mid.read()).Served.Active {
		t.Fatalf("activate: %v", err)
	}
	up.wall.At.Wall = up.wall.At.Wall.Add(50 * time.Millisecond)
	h.run(20 * time.Minute)
	if off := mid.served().Sub(mid.read().Wall); off.Duration() > -45*time.Millisecond {
		t.Errorf("after a correction by 50 ms served time is %v off the clock, want -50 ms", off.Duration())
	}
	if err := do(event.CommandSmoothReset); err != nil || mid.served().Sub(mid.read().Wall).Abs() > time.Millisecond {
		t.Errorf("reset: %v, served time is %v off", err, mid.served().Sub(mid.read().Wall).Duration())
	}
	if id := (wire.ReferenceID{127, 127, 1, 255}); smooth.ReferenceID() != id {
		t.Errorf("reference ID %v", smooth.ReferenceID())
	}
}

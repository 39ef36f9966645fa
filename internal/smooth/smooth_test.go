package smooth

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"ntsd/internal/clock"
)

const (
	start = clock.Mono(5e12)
	civil = clock.Wall(1_800_000_000_000_000_000)
)

func ppm(rate, wander float64) Config {
	return Config{MaxRate: clock.RatePPM(rate), MaxWander: clock.RatePPM(wander)}
}

func lineAt(m clock.Mono, offset time.Duration, rate float64) clock.Line {
	return clock.Line{At: clock.Reading{Mono: m, Wall: civil.Add(m.Sub(start) + offset)}, Rate: clock.RatePPM(rate)}
}

// begun returns a smoother that has begun, with the clock on the line.
func begun(t *testing.T, cfg Config, line clock.Line) *Smoother {
	t.Helper()
	s := new(Smoother)
	now := clock.Reading{Mono: start, Wall: line.WallAt(start)}
	s.HandleConfig(now, cfg)
	s.HandleBelief(now, line, 0)
	if p := s.Plan(); !p.Active || p.Offset(start) != 0 {
		t.Fatalf("the smoothing did not begin: %+v", p)
	}
	return s
}

// TestStages: an offset is gone after the time that chrony's manual gives for
// it, and the rate has its maximum in the middle: chrony.conf, leapsecmode.
func TestStages(t *testing.T) {
	for _, c := range []struct {
		cfg    Config
		offset time.Duration
		takes  time.Duration
		peak   float64 // ppm
	}{
		{ppm(400, 0.001024), time.Second, 62500 * time.Second, 32},
		{ppm(400, 0.001024), -time.Second, 62500 * time.Second, -32},
		{ppm(10, 0.001), time.Second, 110000 * time.Second, 10}, // 10000 s, 90000 s, 10000 s
	} {
		s := begun(t, c.cfg, lineAt(start, 0, 0))
		now := clock.Reading{Mono: start}
		s.HandleBelief(now, lineAt(start, c.offset, 0), 0)
		p := s.Plan()
		if got := p.Remaining(start); (got - c.takes).Abs() > time.Second {
			t.Errorf("%v: takes %v, want %v", c.offset, got, c.takes)
		}
		if got := p.Offset(start); got != -clock.Offset(c.offset) {
			t.Errorf("%v: begins %v off, want what was served before", c.offset, got.Duration())
		}
		middle := start.Add(c.takes / 2)
		if rate, _ := p.Motion(middle); math.Abs(rate.PPM()-c.peak) > 0.01 {
			t.Errorf("%v: rate in the middle %v ppm, want %v", c.offset, rate.PPM(), c.peak)
		}
		if got := p.Offset(middle); math.Abs(got.Seconds()+c.offset.Seconds()/2) > 1e-6 {
			t.Errorf("%v: got %v in the middle, want half", c.offset, got.Duration())
		}
		end := start.Add(c.takes + time.Second)
		if rate, wander := p.Motion(end); p.Offset(end) != 0 || rate != 0 || wander != 0 || p.Remaining(end) != 0 {
			t.Errorf("%v: got %v at the end, want nothing left", c.offset, p.Offset(end).Duration())
		}
	}
}

// watcher follows served time and complains where it is not smooth.
type watcher struct {
	t        *testing.T
	s        *Smoother
	m        clock.Mono
	wall     clock.Wall
	rate     float64
	seen     int
	slack    float64 // ppm, of the believed rates
	rateStep float64 // the largest change of the rate, ppm per second
}

// look advances to m.
func (w *watcher) look(m clock.Mono, cfg Config) {
	p := w.s.Plan()
	wall := p.WallAt(m)
	took := m.Sub(w.m)
	rate := (wall.Sub(w.wall).Seconds() - took.Seconds()) / took.Seconds() * 1e6
	if w.seen > 0 && math.Abs(rate) > cfg.MaxRate.PPM()+w.slack {
		w.t.Fatalf("at %v: served time runs at %v ppm", m.Sub(start), rate)
	}
	if w.seen > 1 {
		w.rateStep = max(w.rateStep, math.Abs(rate-w.rate)/took.Seconds())
	}
	w.m, w.wall, w.rate = m, wall, rate
	w.seen++
}

// TestSmooth: whatever is believed from moment to moment, no client sees a step,
// a rate above the bound, or a jump of the rate.
func TestSmooth(t *testing.T) {
	const seed, slack = 77, 30
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for range 20 {
		cfg := ppm(50+rng.Float64()*500, math.Exp(rng.Float64()*6-6))
		s := begun(t, cfg, lineAt(start, 0, 0))
		w := &watcher{t: t, s: s, m: start, wall: lineAt(start, 0, 0).WallAt(start), slack: slack}
		m := start
		for range 40 {
			for range rng.IntN(100) {
				m = m.Add(10 * time.Second)
				w.look(m, cfg)
			}
			offset := time.Duration(rng.NormFloat64() * float64(50*time.Millisecond))
			s.HandleBelief(clock.Reading{Mono: m}, lineAt(m, offset, rng.Float64()*2*slack-slack), 0)
		}
		// Ten seconds of wander, and what a nanosecond is of them.
		if limit := cfg.MaxWander.PPM()*1.001 + 1e-4; w.rateStep > limit {
			t.Errorf("%+v: the rate changed by %v ppm per second, want at most %v", cfg, w.rateStep, limit)
		}
		m = m.Add(s.plan.Remaining(m) + time.Second)
		if got := s.plan.Offset(m); got != 0 {
			t.Errorf("%+v: %v left in the end", cfg, got.Duration())
		}
	}
}

// TestLimitLowered: a rate above a new limit is brought down to it.
func TestLimitLowered(t *testing.T) {
	s := begun(t, ppm(500, 0.1), lineAt(start, 0, 0))
	s.HandleBelief(clock.Reading{Mono: start}, lineAt(start, 10*time.Second, 0), 0)
	m := start.Add(6000 * time.Second)
	s.HandleConfig(clock.Reading{Mono: m}, ppm(100, 0.1))
	p := s.Plan()
	if rate, wander := p.Motion(m); rate.PPM() < 499 || wander >= 0 {
		t.Errorf("got rate %v ppm, wander %v: want it to come down from 500", rate.PPM(), wander)
	}
	if rate, _ := p.Motion(m.Add(4001 * time.Second)); math.Abs(rate.PPM()-100) > 0.001 {
		t.Errorf("later: got rate %v ppm, want 100", rate.PPM())
	}
	end := m.Add(p.Remaining(m) - time.Second)
	if got := p.Offset(end); got.Abs() > time.Microsecond {
		t.Errorf("a second before the end %v are left", got.Duration())
	}
}

// TestLeapOnly: corrections go through, a leap second does not, and takes the
// same time whatever was corrected meanwhile.
func TestLeapOnly(t *testing.T) {
	cfg := ppm(400, 0.001024)
	cfg.LeapOnly = true
	s := begun(t, cfg, lineAt(start, 0, 0))
	line := lineAt(start, 3*time.Millisecond, 0)
	now := clock.Reading{Mono: start}
	s.HandleBelief(now, line, 0)
	p := s.Plan()
	if got := p.Offset(start); got != 0 || p.WallAt(start) != line.At.Wall {
		t.Errorf("after a correction: got %v off, want the belief", got.Duration())
	}
	line.At.Wall = line.At.Wall.Add(-time.Second)
	s.HandleLeap(now, line, -clock.Offset(time.Second))
	p = s.Plan()
	if got := p.Offset(start); got != clock.Offset(time.Second) {
		t.Errorf("at the leap second: got %v, want the second that was inserted", got.Duration())
	}
	m := start
	for range 600 {
		m = m.Add(64 * time.Second)
		s.HandleBelief(clock.Reading{Mono: m}, lineAt(m, -time.Second+time.Duration(m%1000)*time.Microsecond, 0), 0)
	}
	p = s.Plan()
	if got := p.Since(m) + p.Remaining(m); p.Remaining(m).Round(time.Second) != (62500-38400)*time.Second {
		t.Errorf("after 38400 s: %v remain, in all %v; want the end at 62500 s", p.Remaining(m), got)
	}
}

// TestBegin: smoothing begins when the clock has settled, or when it is told to.
func TestBegin(t *testing.T) {
	line := lineAt(start, 0, 0)
	off := func(d time.Duration) clock.Reading { return clock.Reading{Mono: start, Wall: civil.Add(d)} }
	s := new(Smoother)
	s.Activate(off(0), line)
	s.HandleBelief(off(0), line, 0)
	if s.Enabled() || s.Plan() != (Plan{}) {
		t.Error("it begins without a configuration")
	}
	s.HandleConfig(off(0), ppm(100, 0.001))
	s.HandleBelief(off(2*time.Millisecond), line, 0)
	s.HandleBelief(off(0), line, clock.RatePPM(11))
	if s.Plan().Active {
		t.Error("it begins while the clock is being corrected, or its rate is unknown")
	}
	s.HandleBelief(off(100*time.Microsecond), line, clock.RatePPM(9))
	if p := s.Plan(); !p.Active || p.WallAt(start) != civil.Add(100*time.Microsecond) {
		t.Error("it does not begin with what the clock shows")
	}
	s.Reset(off(0))
	if p := s.Plan(); !p.Active || p.WallAt(start) != civil {
		t.Error("after a reset the belief is not served")
	}
	s.Suspend()
	if s.Plan().Active {
		t.Error("suspended, and still active")
	}
	s.Activate(off(time.Second), line)
	if p := s.Plan(); p.WallAt(start) != civil.Add(time.Second) {
		t.Error("told to begin, it does not begin with what the clock shows")
	}
	s.HandleConfig(off(0), Config{})
	if s.Plan().Active {
		t.Error("switched off, and still active")
	}
}

package discipline

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/filter"
)

const start = clock.Wall(1_798_718_400_000_000_000) // 2026-12-31T12:00:00Z

// plant is a wall clock that does what it is told.
type plant struct {
	t    *testing.T
	d    *Discipline
	now  clock.Mono
	wall clock.Line
	// true time runs at 1+rate relative to Mono
	truth    clock.Line
	late     func() time.Duration // how late timers fire; nil: in time
	overshot time.Duration        // largest error of the wrong sign
	sign     clock.Offset
	fastest  clock.Rate

	steps    int
	saves    []event.SaveDrift
	statuses []event.SetStatus
	notices  []event.Notice
}

// newPlant makes a clock that is wrong by offset (positive: slow) and whose
// oscillator needs the correction rate.
func newPlant(t *testing.T, cfg Config, offset time.Duration, rate clock.Rate, known bool) *plant {
	p := &plant{t: t, now: 5e9, sign: clock.Offset(offset)}
	p.truth = clock.Line{At: clock.Reading{Mono: p.now, Wall: start}, Rate: rate}
	p.wall = clock.Line{At: clock.Reading{Mono: p.now, Wall: start.Add(-offset)}}
	if !known {
		rate = 0
	}
	p.d = New(cfg, p.reading(), rate, 1e-8, known)
	p.do(p.d.HandleTimer(p.reading(), nil))
	return p
}

func (p *plant) reading() clock.Reading {
	return clock.Reading{Mono: p.now, Wall: p.wall.WallAt(p.now)}
}

func (p *plant) wrong() clock.Offset {
	return p.truth.WallAt(p.now).Sub(p.wall.WallAt(p.now))
}

func (p *plant) do(actions []event.Action) {
	for _, a := range actions {
		switch a := a.(type) {
		case event.SetRate:
			p.wall = clock.Line{At: p.reading(), Rate: a.Rate}
			p.fastest = max(p.fastest, a.Rate-p.truth.Rate, p.truth.Rate-a.Rate)
		case event.Step:
			p.wall.At = p.reading()
			p.wall.At.Wall = p.wall.At.Wall.Add(a.Offset.Duration())
			p.steps++
		case event.SaveDrift:
			p.saves = append(p.saves, a)
		case event.SetStatus:
			p.statuses = append(p.statuses, a)
		case event.Notice:
			p.notices = append(p.notices, a)
		default:
			p.t.Errorf("action %T: got one that a discipline has no business with", a)
		}
	}
}

func (p *plant) count(kind event.NoticeKind) (n int) {
	for _, x := range p.notices {
		if x.Kind == kind {
			n++
		}
	}
	return n
}

// run lets time pass and fires the timers.
func (p *plant) run(d time.Duration) {
	end := p.now.Add(d)
	for n := 0; ; n++ {
		if n > 10000 {
			p.t.Fatal("NextDeadline does not move on")
		}
		at := p.d.NextDeadline()
		if at == clock.Never || at > end {
			break
		}
		if p.late != nil {
			at = at.Add(p.late())
		}
		p.now = max(p.now, at)
		p.look()
		p.do(p.d.HandleTimer(p.reading(), nil))
	}
	p.now = max(p.now, end)
	p.look()
}

// look notes how far the clock has gone beyond true time.
func (p *plant) look() {
	if w := p.wrong(); w != 0 && w > 0 != (p.sign > 0) {
		p.overshot = max(p.overshot, w.Abs())
	}
}

// update tells the discipline the truth.
func (p *plant) update() { p.updateBy(false) }

func (p *plant) updateBy(companion bool) {
	p.do(p.d.HandleUpdate(p.reading(), Update{
		Estimate: filter.Estimate{
			Line: p.truth.From(p.now), OffsetSD: time.Microsecond, RateSD: 1e-9, Samples: 8,
		},
		RootDelay: 20 * time.Millisecond, RootDispersion: time.Millisecond, Companion: companion,
	}, nil))
}

var makestep = Config{Threshold: time.Second, Limit: 3}

func TestDriftInForce(t *testing.T) {
	p := newPlant(t, Config{}, 0, 30e-6, true)
	p.run(1000 * time.Second)
	if got := p.wrong(); got.Abs() > 5 {
		t.Errorf("error after 1000 s on the drift file's rate: got %v, want 0s", got.Duration())
	}
	if len(p.statuses) != 0 {
		t.Error("SetStatus before the first update")
	}
}

func TestStep(t *testing.T) {
	p := newPlant(t, makestep, 5*time.Second, 30e-6, false)
	p.update()
	if p.steps != 1 || p.wrong() != 0 || p.count(event.NoticeStep) != 1 {
		t.Fatalf("steps %d, error %v, notices %+v: want one step to the truth", p.steps, p.wrong().Duration(), p.notices)
	}
	if s := p.statuses[0]; !s.Synchronised || s.MaxError > 12*time.Millisecond {
		t.Errorf("status after the step: got %+v, want synchronised within 11 ms", s)
	}
	p.run(64 * time.Second)
	if got := p.wrong(); got.Abs() > 2 {
		t.Errorf("error 64 s after the step: got %v, want 0s", got.Duration())
	}
	if s := p.d.Stats(); s.Steps != 1 || s.Updates != 1 || s.Frequency != 30e-6 {
		t.Errorf("stats: got %+v", s)
	}
}

func TestStepLimit(t *testing.T) {
	p := newPlant(t, makestep, 0, 0, false)
	for range 3 {
		p.update()
		p.run(64 * time.Second)
	}
	p.truth.At.Wall = p.truth.At.Wall.Add(2 * time.Second)
	for range 2 {
		p.update()
		p.run(2 * time.Second)
	}
	if p.steps != 0 || p.count(event.NoticeWrongClock) != 1 {
		t.Errorf("2 s off after the limit: got %d steps, notices %+v; want no step, one warning", p.steps, p.notices)
	}
	p.run(60 * time.Second)
	if got := p.wrong(); got.Abs() > time.Microsecond {
		t.Errorf("error a minute later: got %v, want it slewed away", got.Duration())
	}
	p.d.HandleConfig(Config{Threshold: time.Second, Limit: -1})
	p.truth.At.Wall = p.truth.At.Wall.Add(-2 * time.Second)
	p.update()
	if p.steps != 1 {
		t.Errorf("2 s off with limit -1: got %d steps, want 1", p.steps)
	}
}

// TestSlew: however late the timers, the clock gets there, soon, and hardly
// goes beyond; a step excepted, it never goes back.
func TestSlew(t *testing.T) {
	for _, offset := range []time.Duration{100, 10 * time.Microsecond, -3 * time.Millisecond, 700 * time.Millisecond, -10 * time.Second} {
		for _, limit := range []clock.Rate{0, 1000e-6} {
			const seed = 7
			rng := rand.New(rand.NewPCG(seed, 1))
			p := newPlant(t, Config{MaxSlew: limit}, offset, -40e-6, false)
			p.late = func() time.Duration { return time.Duration(rng.Int64N(int64(10 * time.Millisecond))) }
			p.update()
			fast := max(limit, defaultMaxSlew*clock.Rate(1-min(1, limit*1e9)))
			p.run(10*time.Second + time.Duration(1.3*float64(offset.Abs())/float64(fast)))
			if got := p.wrong(); got.Abs() > time.Microsecond {
				t.Errorf("offset %v, limit %v, seed %d: left %v", offset, limit, seed, got.Duration())
			}
			if p.overshot > 15*time.Microsecond {
				t.Errorf("offset %v, limit %v, seed %d: overshot by %v", offset, limit, seed, p.overshot)
			}
			if p.fastest > fast*1.0001 {
				t.Errorf("offset %v: slewed at %v ppm, limit %v", offset, p.fastest.PPM(), fast.PPM())
			}
			if p.steps != 0 {
				t.Errorf("offset %v: stepped without makestep", offset)
			}
		}
	}
}

func TestMakeStep(t *testing.T) {
	p := newPlant(t, Config{}, 500*time.Millisecond, 0, false)
	p.update()
	p.run(time.Second)
	p.do(p.d.MakeStep(p.reading(), nil))
	if got := p.wrong(); got != 0 || p.steps != 1 {
		t.Errorf("after MakeStep: error %v, %d steps", got.Duration(), p.steps)
	}
	p.do(p.d.MakeStep(p.reading(), nil))
	if p.steps != 1 {
		t.Error("MakeStep without a correction: got a step")
	}
}

func TestInterference(t *testing.T) {
	p := newPlant(t, makestep, 0, 10e-6, false)
	p.update()
	p.run(100 * time.Second)
	p.wall.At.Wall = p.wall.At.Wall.Add(-300 * time.Millisecond)
	p.sign = 1
	p.update()
	if p.count(event.NoticeInterference) != 1 {
		t.Fatalf("notices: got %+v, want interference", p.notices)
	}
	for _, n := range p.notices {
		if n.Kind == event.NoticeInterference && (n.Offset+clock.Offset(300*time.Millisecond)).Abs() > time.Microsecond {
			t.Errorf("interference: got %v, want -300ms", n.Offset.Duration())
		}
	}
	p.run(40 * time.Second)
	if got := p.wrong(); got.Abs() > time.Microsecond {
		t.Errorf("error later: got %v, want it slewed away", got.Duration())
	}
	if p.count(event.NoticeInterference) != 1 {
		t.Errorf("interference was reported again: %+v", p.notices)
	}
}

// TestWakesInSlew: a machine sleeps for an hour while its clock is being slewed.
// What was believed before it slept is not slewed to, nor stepped.
func TestWakesInSlew(t *testing.T) {
	p := newPlant(t, makestep, 50*time.Millisecond, 10e-6, false)
	p.update()
	p.run(100 * time.Millisecond)
	p.wall.At.Wall = p.wall.At.Wall.Add(time.Hour)
	p.truth.At.Wall = p.truth.At.Wall.Add(time.Hour)
	p.run(60 * time.Second)
	p.do(p.d.MakeStep(p.reading(), nil))
	if got := p.wrong(); got.Abs() > 50*time.Millisecond {
		t.Errorf("a minute after waking: got an error of %v, want at most the 50ms from before", got.Duration())
	}
	p.update()
	p.run(60 * time.Second)
	if got := p.wrong(); got.Abs() > time.Microsecond || p.steps != 0 {
		t.Errorf("after the next sample: got an error of %v and %d steps, want it slewed away", got.Duration(), p.steps)
	}
}

// TestLeapSecond: the second that the kernel inserts is no interference and is
// not slewed back.
func TestLeapSecond(t *testing.T) {
	p := newPlant(t, Config{}, 0, 0, false)
	p.do(p.d.HandleUpdate(p.reading(), Update{
		Estimate: filter.Estimate{Line: p.truth, RateSD: 1e-9}, Leap: event.LeapInsert,
	}, nil))
	if s := p.statuses[0]; s.Leap != event.LeapInsert || p.count(event.NoticeLeap) != 1 {
		t.Errorf("status %+v, notices %+v: want the leap second announced", s, p.notices)
	}
	p.run(300 * time.Second)
	p.wall.At.Wall = p.wall.At.Wall.Add(-time.Second)
	p.truth.At.Wall = p.truth.At.Wall.Add(-time.Second)
	p.run(1000 * time.Second)
	if got := p.wrong(); got.Abs() > 10 || p.count(event.NoticeInterference) != 0 {
		t.Errorf("after the leap second: error %v, notices %+v", got.Duration(), p.notices)
	}
}

// TestVagueEstimate: a source that has just been added need not unlearn a
// frequency that is known well.
func TestVagueEstimate(t *testing.T) {
	p := newPlant(t, Config{}, 0, 50e-6, true)
	p.do(p.d.HandleUpdate(p.reading(), Update{Estimate: filter.Estimate{
		Line: clock.Line{At: p.truth.At}, OffsetSD: time.Millisecond, RateSD: 1e-4, Samples: 1,
	}}, nil))
	if s := p.d.Stats(); s.Frequency != 50e-6 || s.Residual != -50e-6 {
		t.Errorf("frequency, residual: got %v, %v ppm, want 50, -50", s.Frequency.PPM(), s.Residual.PPM())
	}
	p.run(100 * time.Second)
	if got := p.wrong(); got.Abs() > 10 {
		t.Errorf("error after 100 s: got %v, want 0s", got.Duration())
	}
}

func TestDriftSaved(t *testing.T) {
	p := newPlant(t, Config{}, 0, 20e-6, false)
	for range 120 {
		p.update()
		p.run(64 * time.Second)
	}
	if got, want := len(p.saves), 3; got != want {
		t.Errorf("SaveDrift in 7680 s: got %d, want %d", got, want)
	}
	p.do(p.d.HandleStop(p.reading(), nil))
	if last := p.saves[len(p.saves)-1]; len(p.saves) != 4 || last.Rate != 20e-6 || last.Skew != 1e-9 {
		t.Errorf("SaveDrift at stop: got %+v", p.saves)
	}
	if p.wall.Rate != 20e-6 || p.d.NextDeadline() != clock.Never {
		t.Errorf("after HandleStop: rate %v ppm, deadline %v", p.wall.Rate.PPM(), p.d.NextDeadline())
	}
}

func TestStatus(t *testing.T) {
	p := newPlant(t, Config{}, 0, 0, false)
	p.update()
	p.run(3000 * time.Second)
	if got, want := len(p.statuses), 6; got != want {
		t.Errorf("SetStatus in 3000 s: got %d, want %d", got, want)
	}
	if a, b := p.statuses[0], p.statuses[5]; b.MaxError <= a.MaxError || b.MaxError > a.MaxError+5*time.Millisecond {
		t.Errorf("MaxError: got %v, then %v: want some growth", a.MaxError, b.MaxError)
	}
	p.do(p.d.HandleUnsynchronised(p.reading(), nil))
	p.do(p.d.HandleUnsynchronised(p.reading(), nil))
	if s := p.statuses[len(p.statuses)-1]; len(p.statuses) != 7 || s.Synchronised || s.Leap != event.LeapUnsynchronised {
		t.Errorf("unsynchronised: got %+v", s)
	}
	if p.d.Stats().Synchronised || p.d.NextDeadline() != clock.Never {
		t.Error("still synchronised, or still a deadline")
	}
	p.update()
	if p.count(event.NoticeSynchronised) != 2 {
		t.Errorf("notices: got %+v, want synchronised twice", p.notices)
	}
}

func TestStats(t *testing.T) {
	p := newPlant(t, Config{LogChange: time.Millisecond}, 0, 0, false)
	p.update()
	p.run(64 * time.Second)
	p.truth.At.Wall = p.truth.At.Wall.Add(2 * time.Millisecond)
	p.update()
	s := p.d.Stats()
	if s.LastOffset != clock.Offset(2*time.Millisecond) || s.Interval != 64*time.Second || s.Updates != 2 {
		t.Errorf("stats: got %+v, want 2 ms after 64 s", s)
	}
	if s.RMSOffset < 600*time.Microsecond || s.RMSOffset > 700*time.Microsecond {
		t.Errorf("RMSOffset: got %v, want sqrt(0.1) * 2 ms", s.RMSOffset)
	}
	if p.count(event.NoticeOffset) != 1 {
		t.Errorf("notices: got %+v, want the offset logged once", p.notices)
	}
	if got := p.d.Correction(p.reading()); got != clock.Offset(2*time.Millisecond) {
		t.Errorf("Correction: got %v, want 2ms", got.Duration())
	}
	if got := p.d.RootDispersion(p.reading()); got != 3*time.Millisecond {
		t.Errorf("RootDispersion: got %v, want 1 ms and the correction", got)
	}
	if got := p.d.RootDelay(); got != 20*time.Millisecond {
		t.Errorf("RootDelay: got %v", got)
	}
}

// TestSmallInterference: 10 ms are noticed at an ordinary rate, and taken for a
// late system call while the clock is slewed fast.
func TestSmallInterference(t *testing.T) {
	for _, c := range []struct {
		offset time.Duration
		want   int
	}{{0, 1}, {2 * time.Second, 0}} {
		p := newPlant(t, Config{}, c.offset, 10e-6, false)
		p.update()
		p.run(time.Second / 2)
		p.wall.At.Wall = p.wall.At.Wall.Add(10 * time.Millisecond)
		p.update()
		if got := p.count(event.NoticeInterference); got != c.want {
			t.Errorf("10 ms while %v are slewed: got %d notices, want %d", c.offset, got, c.want)
		}
	}
}

// TestLeaped: the second of the kernel is reported once, anything else never.
func TestLeaped(t *testing.T) {
	p := newPlant(t, Config{}, 0, 0, false)
	p.do(p.d.HandleUpdate(p.reading(), Update{
		Estimate: filter.Estimate{Line: p.truth, RateSD: 1e-9}, Leap: event.LeapInsert,
	}, nil))
	p.run(time.Second)
	if got := p.d.Leaped(p.reading()); got != 0 {
		t.Errorf("before the leap second: got %v", got.Duration())
	}
	p.wall.At.Wall = p.wall.At.Wall.Add(-time.Second)
	if got := p.d.Leaped(p.reading()); got != -clock.Offset(time.Second) {
		t.Errorf("after it: got %v, want -1s", got.Duration())
	}
	if got := p.d.Leaped(p.reading()); got != 0 {
		t.Errorf("once more: got %v, want 0", got.Duration())
	}
}

// TestHoldOver: alone, the stated bound grows with the rate's deviation, the
// wander and what a deviation may not show.
func TestHoldOver(t *testing.T) {
	p := newPlant(t, Config{}, 0, 0, false)
	e := filter.Estimate{Line: p.truth, OffsetSD: 10 * time.Microsecond, RateSD: 1e-8, Wander: 1e-9}
	p.do(p.d.HandleUpdate(p.reading(), Update{Estimate: e, RootDispersion: time.Millisecond}, nil))
	last := p.d.RootDispersion(p.reading())
	for _, c := range []struct{ after, least, most time.Duration }{
		{100 * time.Second, 100 * time.Microsecond, 110 * time.Microsecond},
		{10000 * time.Second, 12 * time.Millisecond, 14 * time.Millisecond},
		{24 * time.Hour, 130 * time.Millisecond, 200 * time.Millisecond},
	} {
		p.now = p.d.at.Add(c.after)
		if got := p.d.RootDispersion(p.reading()) - last; got < c.least || got > c.most {
			t.Errorf("growth in %v: got %v, want %v to %v", c.after, got, c.least, c.most)
		}
	}
}

// What sources beside the reference bring moves the clock and is not counted:
// makestep's limit and the interval of tracking are the reference's.
func TestCompanionsAreNotCounted(t *testing.T) {
	p := newPlant(t, Config{}, 0, 0, false)
	p.update()
	p.run(10 * time.Second)
	p.updateBy(true)
	p.run(54 * time.Second)
	p.update()
	if s := p.d.Stats(); s.Updates != 2 || s.Interval != 64*time.Second {
		t.Errorf("got %d updates, interval %v; want 2, 64s", s.Updates, s.Interval)
	}
}

// TestSlewOfDecades: where no step is allowed even a clock that shows 1970 is
// slewed, and its timer is not due all the time.
func TestSlewOfDecades(t *testing.T) {
	const decades = 56 * 365 * 24 * time.Hour
	for _, offset := range []time.Duration{decades, -decades, math.MaxInt64 / 2} {
		p := newPlant(t, Config{}, offset, 0, true)
		p.update()
		for range 10 {
			if next := p.d.NextDeadline(); next <= p.now {
				t.Fatalf("offset %v: next deadline %v after now, want one that is to come", offset, next.Sub(p.now))
			} else if next < clock.Never {
				p.now = next
			}
			p.do(p.d.HandleTimer(p.reading(), nil))
		}
		if p.fastest <= 0 || p.wrong().Abs() >= offset.Abs() {
			t.Errorf("offset %v: wrong by %v after some time, fastest %v", offset, p.wrong().Duration(), p.fastest)
		}
	}
}

package filter

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/ntptime"
)

// epoch is a wall time late enough that a float64 could not hold it to the
// nanosecond.
const epoch = clock.Wall(1_800_000_000_123_456_789)

// model is a server seen over a path, with a local oscillator that is off.
type model struct {
	rng      *rand.Rand
	now      time.Duration // true time since the beginning
	mono     float64       // local time (ns) since the beginning
	rate     float64       // of the local oscillator
	wander   float64       // per square root of a second
	to, back time.Duration // mean queues
	base     time.Duration // each way
	jump     clock.Offset  // error of the server
	bias     time.Duration // asymmetry: added to the way there
}

func newModel(seed uint64) *model {
	return &model{
		rng: rand.New(rand.NewPCG(seed, 1)), rate: 100e-6, wander: 1e-9, base: time.Millisecond,
		to: 100 * time.Microsecond, back: 100 * time.Microsecond,
	}
}

// truth is the true wall time now.
func (m *model) truth() clock.Wall { return epoch.Add(m.now) }

func (m *model) local() clock.Mono { return clock.Mono(math.Round(m.mono)) }

// wait lets d pass.
func (m *model) wait(d time.Duration) {
	for d > 0 {
		step := min(d, time.Second)
		m.now += step
		m.mono += float64(step) * (1 + m.rate)
		m.rate += m.wander * m.rng.NormFloat64() * math.Sqrt(step.Seconds())
		d -= step
	}
}

// sample measures the server.
func (m *model) sample() Sample {
	there := m.base + m.bias + time.Duration(m.rng.ExpFloat64()*float64(m.to))
	back := m.base + time.Duration(m.rng.ExpFloat64()*float64(m.back))
	sent := m.local()
	m.wait(there)
	server := m.truth().Add(m.jump.Duration())
	m.wait(back)
	trip := m.local().Sub(sent)
	return Sample{At: sent.Add(trip / 2), True: server, Delay: trip, Dispersion: time.Microsecond}
}

// wrong is how far the estimate is from the truth now.
func (m *model) wrong(t *testing.T, f *Filter) time.Duration {
	t.Helper()
	e, ok := f.Estimate(m.local())
	if !ok {
		t.Fatal("Estimate: got none")
	}
	return e.Line.At.Wall.Sub(m.truth()).Duration()
}

func TestEmpty(t *testing.T) {
	f := New(Config{})
	if _, ok := f.Estimate(5); ok {
		t.Error("Estimate without samples: got ok")
	}
	if got := f.Stats(); got != (Stats{}) {
		t.Errorf("Stats without samples: got %+v, want zero", got)
	}
	if got := f.PollChange(6); got != 0 {
		t.Errorf("PollChange without samples: got %d, want 0", got)
	}
}

func TestOneSample(t *testing.T) {
	f := New(Config{})
	s := Sample{At: 1e12, True: epoch, Delay: 20 * time.Millisecond}
	if !f.Update(s) {
		t.Fatal("Update: got false, want true")
	}
	e, ok := f.Estimate(1e12)
	if !ok || e.Line.At.Wall != epoch || e.Samples != 1 || e.MinDelay != s.Delay {
		t.Errorf("Estimate: got %+v, %v, want the sample itself", e, ok)
	}
	if e.OffsetSD <= 0 || e.OffsetSD > s.Delay/2 {
		t.Errorf("OffsetSD: got %v, want at most half the delay", e.OffsetSD)
	}
	if e.RateSD < clock.RatePPM(50) {
		t.Errorf("RateSD: got %v ppm, want an unknown rate", e.RateSD.PPM())
	}
}

// TestNanosecond: with quiet paths the estimate is right to a few nanoseconds,
// although the wall time has 19 digits.
func TestNanosecond(t *testing.T) {
	m := newModel(1)
	m.to, m.back, m.wander = 0, 0, 0
	f := New(Config{})
	for range 50 {
		f.Update(m.sample())
		m.wait(64 * time.Second)
	}
	if got := m.wrong(t, f); got.Abs() > 20 {
		t.Errorf("error after 50 samples without jitter: got %v, want at most 20ns", got)
	}
	e, _ := f.Estimate(m.local())
	if got, want := float64(e.Line.Rate), 1/(1+m.rate)-1; math.Abs(got-want) > 1e-9 {
		t.Errorf("rate: got %v, want %v", got, want)
	}
}

func TestBurst(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		m := newModel(seed)
		f := New(Config{})
		for n := 1; n <= 4; n++ {
			f.Update(m.sample())
			e, _ := f.Estimate(m.local())
			if got := m.wrong(t, f); got.Abs() > 400*time.Microsecond || got.Abs() > 6*e.OffsetSD {
				t.Errorf("seed %d: error after %d samples: got %v, SD %v", seed, n, got, e.OffsetSD)
			}
			m.wait(2 * time.Second)
		}
	}
}

// TestHonest: what the filter says of its own error must be what it is, before
// each sample, for quiet and noisy paths and oscillators.
func TestHonest(t *testing.T) {
	for _, c := range []struct {
		name     string
		to, back time.Duration
		wander   float64
	}{
		{"quiet", 10 * time.Microsecond, 10 * time.Microsecond, 1e-9},
		{"ordinary", 100 * time.Microsecond, 100 * time.Microsecond, 1e-9},
		{"noisy", time.Millisecond, time.Millisecond, 1e-8},
		{"one-sided", time.Millisecond, 10 * time.Microsecond, 1e-9},
	} {
		var sum float64
		var n int
		seeds := uint64(2)
		if testing.Short() {
			seeds = 1
		}
		for seed := uint64(1); seed <= seeds; seed++ {
			m := newModel(seed)
			m.to, m.back, m.wander = c.to, c.back, c.wander
			f := New(Config{})
			for i := range 200 {
				m.wait(64 * time.Second)
				s := m.sample()
				if i >= 40 {
					e, _ := f.Estimate(m.local())
					z := float64(m.wrong(t, f)) / float64(e.OffsetSD)
					sum += z * z
					n++
				}
				f.Update(s)
			}
		}
		if z := math.Sqrt(sum / float64(n)); z < 0.5 || z > 2 {
			t.Errorf("%s: RMS of error/SD got %.2f, want about 1", c.name, z)
		}
	}
}

// settled returns a model and a filter that has seen n samples at 64 s.
func settled(seed uint64, n int) (*model, *Filter) {
	m := newModel(seed)
	f := New(Config{})
	for range n {
		f.Update(m.sample())
		m.wait(64 * time.Second)
	}
	return m, f
}

func TestOutlier(t *testing.T) {
	m, f := settled(3, 60)
	before := m.wrong(t, f)
	s := m.sample()
	s.True = s.True.Add(100 * time.Millisecond)
	s.Delay = 2 * time.Millisecond
	if f.Update(s) {
		t.Error("Update with a sample 100 ms off: got true, want false")
	}
	if got := (m.wrong(t, f) - before).Abs(); got > 5*time.Microsecond {
		t.Errorf("an outlier moved the estimate by %v, want at most 5µs", got)
	}
	m.wait(64 * time.Second)
	if !f.Update(m.sample()) {
		t.Error("Update with a good sample after it: got false, want true")
	}
}

// TestJump: a server that has moved for good is followed after some samples.
func TestJump(t *testing.T) {
	m, f := settled(4, 60)
	m.jump = clock.Offset(50 * time.Millisecond)
	for range surprises {
		f.Update(m.sample())
		m.wait(64 * time.Second)
	}
	if got := m.wrong(t, f) - m.jump.Duration(); got.Abs() > time.Millisecond {
		t.Errorf("error after %d samples of a server that jumped: got %v, want below 1ms", surprises, got)
	}
}

// TestTwoJumps: a server that jumps twice while it is new, so that the estimate
// begins anew from samples that do not belong together, is not misjudged for
// good.
func TestTwoJumps(t *testing.T) {
	for seed := range uint64(50) {
		m := newModel(seed)
		m.rate, m.base, m.to, m.back = -40e-6, 200*time.Microsecond, 20*time.Microsecond, 20*time.Microsecond
		f := New(Config{})
		step := func(n int, wait time.Duration) {
			for range n {
				f.Update(m.sample())
				m.wait(wait)
			}
		}
		step(1, 4*time.Second)
		m.jump -= clock.Offset(326 * time.Millisecond)
		step(1, 6*time.Second)
		m.jump -= clock.Offset(27750 * time.Microsecond)
		step(40, 16*time.Second)
		if e := m.wrong(t, f) - m.jump.Duration(); e.Abs() > time.Millisecond {
			t.Errorf("seed %d: 40 samples later the estimate is wrong by %v, want at most 1ms", seed, e)
		}
	}
}

// TestDoubt: while a sample that does not fit waits for others, the bound holds
// also if it is right, now and at the next sample.
func TestDoubt(t *testing.T) {
	for seed := range uint64(20) {
		m, f := settled(seed, 100) // an interval ago
		m.rate += 50e-6            // 3.2 ms per interval
		for range surprises - 1 {
			m.wait(64 * time.Second)
			if f.Update(m.sample()) {
				break
			}
			for range 2 {
				e, _ := f.Estimate(m.local())
				if wrong := m.wrong(t, f); wrong.Abs() > e.Bound(0) {
					t.Errorf("seed %d: wrong by %v, bound %v", seed, wrong, e.Bound(0))
				}
				m.wait(30 * time.Second)
			}
		}
	}
}

func TestReroute(t *testing.T) {
	m, f := settled(5, 100)
	m.base += 10 * time.Millisecond
	worst := time.Duration(0)
	for range 40 {
		f.Update(m.sample())
		worst = max(worst, m.wrong(t, f).Abs())
		m.wait(64 * time.Second)
	}
	if worst > 200*time.Microsecond {
		t.Errorf("largest error while the route got longer: got %v, want at most 200µs", worst)
	}
	e, _ := f.Estimate(m.local())
	if e.MinDelay < 21*time.Millisecond {
		t.Errorf("MinDelay after the route got longer: got %v, want about 22ms", e.MinDelay)
	}
	m.base -= 10 * time.Millisecond
	f.Update(m.sample())
	if e, _ = f.Estimate(m.local()); e.MinDelay > 3*time.Millisecond {
		t.Errorf("MinDelay after the route got shorter: got %v, want about 2ms at once", e.MinDelay)
	}
}

// TestBufferbloat: a queue that fills in one direction for minutes is not
// mistaken for the clock.
func TestBufferbloat(t *testing.T) {
	m, f := settled(6, 100)
	m.bias = 50 * time.Millisecond
	for range 5 {
		f.Update(m.sample())
		m.wait(64 * time.Second)
	}
	if got := m.wrong(t, f); got.Abs() > 100*time.Microsecond {
		t.Errorf("error after five minutes of a full queue: got %v, want at most 100µs", got)
	}
}

func TestOneSided(t *testing.T) {
	var sum float64
	const seeds = 3
	for seed := uint64(1); seed <= seeds; seed++ {
		m := newModel(seed)
		m.to, m.back = time.Millisecond, 10*time.Microsecond
		f := New(Config{})
		for range 300 {
			f.Update(m.sample())
			m.wait(64 * time.Second)
		}
		e := m.wrong(t, f).Seconds()
		sum += e * e
	}
	if rms := math.Sqrt(sum/seeds) * 1e6; rms > 30 {
		t.Errorf("RMS error with queues in one direction: got %.1f us, want at most 30", rms)
	}
}

// TestError: a sample's error is what it is said to be, also where queues are
// in one direction.
func TestError(t *testing.T) {
	for _, back := range []time.Duration{time.Millisecond, 10 * time.Microsecond} {
		const seed, samples = 4, 500
		m := newModel(seed)
		m.to, m.back, m.wander = time.Millisecond, back, 0
		f := New(Config{})
		var lean, square float64
		for i := range 2 * samples {
			s := m.sample()
			f.Update(s)
			if i >= samples {
				mean, sd := f.Error(s)
				// The local clock gains 100 ppm and showed 0 when the world began.
				truth := epoch.Add(time.Duration(math.Round(float64(s.At) / (1 + m.rate))))
				miss := (s.True.Sub(truth).Seconds() - mean.Seconds()) / sd.Seconds()
				lean += miss / samples
				square += miss * miss / samples
			}
			m.wait(64 * time.Second)
		}
		if math.Abs(lean) > 0.3 || square < 0.3 || square > 2 {
			t.Errorf("seed %d, queues of 1ms and %v: mean %.2f, mean square %.2f of what is said, want 0 and 1", seed, back, lean, square)
		}
	}
}

func TestBackwards(t *testing.T) {
	m, f := settled(7, 3)
	s := m.sample()
	f.Update(s)
	if f.Update(s) {
		t.Error("Update with the same sample again: got true, want false")
	}
	s.At -= 1e9
	if f.Update(s) {
		t.Error("Update with an earlier sample: got true, want false")
	}
}

func TestReset(t *testing.T) {
	_, f := settled(8, 30)
	f.Reset()
	if _, ok := f.Estimate(0); ok {
		t.Error("Estimate after Reset: got ok")
	}
	f.Update(Sample{At: 1, True: epoch, Delay: time.Millisecond})
	if e, ok := f.Estimate(1); !ok || e.Samples != 1 {
		t.Errorf("Estimate after Reset and one sample: got %+v, %v", e, ok)
	}
}

func TestKnownRate(t *testing.T) {
	m := newModel(9)
	f := New(Config{Rate: -100e-6, RateSD: 0.1e-6})
	f.Update(m.sample())
	first := m.wrong(t, f)
	m.wait(100 * time.Second)
	if got := (m.wrong(t, f) - first).Abs(); got > 20*time.Microsecond {
		t.Errorf("drift in 100 s with a known rate: got %v, want at most 20µs", got)
	}
}

func TestPollChange(t *testing.T) {
	longest := func(wander float64) ntptime.Exponent {
		m := newModel(10)
		m.wander = wander
		f := New(Config{})
		poll := ntptime.Exponent(6)
		for range 150 {
			f.Update(m.sample())
			poll = max(6, min(10, poll+ntptime.Exponent(f.PollChange(poll))))
			m.wait(poll.Duration())
		}
		return poll
	}
	if got := longest(1e-9); got < 9 {
		t.Errorf("poll with a quiet oscillator: got %d, want at least 9", got)
	}
	if got := longest(1e-7); got > 7 {
		t.Errorf("poll with a restless oscillator: got %d, want at most 7", got)
	}
}

func TestStats(t *testing.T) {
	_, f := settled(11, 100)
	s := f.Stats()
	if s.Samples != window || s.Span < 63*64*time.Second || s.Span > 64*65*time.Second {
		t.Errorf("Samples, Span: got %d, %v, want %d over 63 intervals", s.Samples, s.Span, window)
	}
	if s.Runs < 10 || s.Runs > 55 {
		t.Errorf("Runs: got %d of %d samples", s.Runs, s.Samples)
	}
	if s.StdDev < 5*time.Microsecond || s.StdDev > 200*time.Microsecond {
		t.Errorf("StdDev with queues of 100 us: got %v", s.StdDev)
	}
	if math.Abs(s.Rate.PPM()+100) > 0.1 || s.Skew <= 0 || s.Skew > clock.RatePPM(1) {
		t.Errorf("Rate, Skew: got %v, %v ppm, want -100 and less than 1", s.Rate.PPM(), s.Skew.PPM())
	}
}

func TestExpNeg(t *testing.T) {
	for x := 0.0; x > -60; x -= 0.0371 {
		got, want := expNeg(x), math.Exp(x)
		if math.Abs(got-want) > 7e-7*want {
			t.Errorf("expNeg(%v): got %v, want %v", x, got, want)
		}
	}
	if got := expNeg(-1e300); got != 0 {
		t.Errorf("expNeg(-1e300): got %v, want 0", got)
	}
}

func FuzzUpdate(f *testing.F) {
	f.Add(int64(1), int64(epoch), int64(1e6), int64(0), uint8(20))
	f.Add(int64(1<<62), int64(-1<<62), int64(0), int64(1<<62), uint8(255))
	f.Add(int64(-1<<63), int64(1<<63-1), int64(1<<63-1), int64(-1), uint8(3))
	f.Fuzz(func(t *testing.T, at, wall, delay, disp int64, n uint8) {
		flt := New(Config{})
		rng := rand.New(rand.NewPCG(uint64(at), uint64(wall)))
		for range n {
			flt.Update(Sample{
				At: clock.Mono(at), True: clock.Wall(wall), Delay: time.Duration(max(delay, 0)),
				Dispersion: time.Duration(max(disp, 0)),
			})
			at += rng.Int64N(1 << (1 + rng.UintN(50)))
			wall += rng.Int64N(1<<(1+rng.UintN(50))) - 1<<20
			delay = rng.Int64N(1 << (1 + rng.UintN(40)))
			disp = rng.Int64N(1 << (1 + rng.UintN(30)))
			flt.PollChange(6)
			flt.Stats()
			e, ok := flt.Estimate(clock.Mono(at))
			if r := float64(e.Line.Rate); ok && (math.IsNaN(r) || math.IsNaN(float64(e.RateSD)) || e.OffsetSD < 0) {
				t.Fatalf("Estimate: got %+v", e)
			}
		}
	})
}

// TestAhead: what would be believed with one more sample, of a filter that
// learns nothing by it; the two share no memory.
func TestAhead(t *testing.T) {
	f := New(Config{})
	sample := func(i int, off clock.Offset) Sample {
		at := clock.Mono(i) * 64e9
		return Sample{At: at, True: clock.Wall(at).Add(off.Duration()), Delay: time.Millisecond, Dispersion: time.Microsecond}
	}
	for i := 1; i <= 30; i++ {
		f.Update(sample(i, clock.Offset(i%3)*100))
	}
	before, _ := f.Estimate(31 * 64e9)
	var ahead Filter
	if !f.Ahead(sample(31, 500), &ahead) {
		t.Fatal("refused")
	}
	got, _ := ahead.Estimate(31 * 64e9)
	if after, _ := f.Estimate(31 * 64e9); after != before || got == before || got.Samples != 31 {
		t.Errorf("before %+v, after %+v, ahead %+v", before, after, got)
	}
	for i := 31; i <= 60; i++ {
		f.Update(sample(i, -5000))
	}
	if again, _ := ahead.Estimate(31 * 64e9); again != got {
		t.Errorf("what was ahead has changed: %+v, then %+v", got, again)
	}
}

// TestReplace: as if the better sample had been the first.
func TestReplace(t *testing.T) {
	for _, n := range []int{1, 2, replay} {
		f, want := New(Config{}), New(Config{})
		for i := 1; i <= n; i++ {
			s := Sample{At: clock.Mono(i) * 2e9, True: clock.Wall(i) * 2e9, Delay: time.Duration(1+i%3) * time.Millisecond}
			better := s
			if i == n {
				better.Delay, better.True = better.Delay-100*time.Microsecond, better.True+50000
			}
			f.Update(s)
			want.Update(better)
			if i == n && !f.Replace(better) {
				t.Errorf("the newest of %d: refused", n)
			}
		}
		a, _ := f.Estimate(2e9 * clock.Mono(n))
		if b, _ := want.Estimate(2e9 * clock.Mono(n)); a != b {
			t.Errorf("the newest of %d: %+v, want %+v", n, a, b)
		}
		if f.Replace(Sample{At: 1}) {
			t.Errorf("of %d: a sample of another exchange was taken", n)
		}
	}
	f := New(Config{})
	if f.Replace(Sample{}) {
		t.Error("a sample that is not there was replaced")
	}
	for i := 1; i <= replay+1; i++ {
		f.Update(Sample{At: clock.Mono(i) * 2e9, True: clock.Wall(i) * 2e9, Delay: time.Millisecond})
	}
	if f.Replace(Sample{At: (replay + 1) * 2e9}) {
		t.Error("an old estimate was built anew")
	}
}

package refclock

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/refdata"
)

const (
	begin = clock.Mono(1e9)
	truth = clock.Wall(1_800_000_000_000_000_000) // at begin, a whole second
)

// at is the true time at m, by an oscillator without error.
func at(m clock.Mono) clock.Wall { return truth.Add(m.Sub(begin)) }

func config(driver refdata.Driver) Config {
	return Config{Spec: refdata.Spec{Driver: driver}, RefID: "TEST", Poll: 4, Delay: time.Nanosecond, Precision: time.Microsecond}
}

func sample(m clock.Mono, off time.Duration) event.Measurement {
	return event.Measurement{At: m, True: at(m).Add(off)}
}

// aimAt is an aim that is wrong by off and knows itself to distance.
func aimAt(m clock.Mono, off, distance time.Duration) Aim {
	return Aim{At: clock.Reading{Mono: m, Wall: at(m).Add(off)}, Distance: distance, OK: true}
}

// TestMedian: of many readings those round the median count, so wild ones do
// not move the sample, and a drifting oscillator does not either.
func TestMedian(t *testing.T) {
	const seed = 5
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	const rate = clock.Rate(80e-6)
	c := New(config(refdata.SHM), begin)
	for i := range 16 {
		m := begin.Add(time.Duration(i) * time.Second)
		off := rate.Over(m.Sub(begin)) + time.Duration(rng.NormFloat64()*1000)
		if i%5 == 2 {
			off += 40 * time.Millisecond
		}
		if !c.Add(m, sample(m, off), Aim{}, 0) {
			t.Fatal(c.Problem())
		}
	}
	s, reached, ok := c.Poll(rate)
	wrong := s.True.Sub(at(s.At).Add(rate.Over(s.At.Sub(begin)))).Abs()
	if !reached || !ok || wrong > 2*time.Microsecond || s.Used != 10 {
		t.Errorf("got %+v, wrong by %v, reached %v, ok %v", s, wrong, reached, ok)
	}
	if s.Dispersion < time.Microsecond || s.Dispersion > 10*time.Microsecond {
		t.Errorf("dispersion: got %v, want four deviations of the mean of ten readings with 1 us each", s.Dispersion)
	}
	if _, reached, ok := c.Poll(rate); reached || ok {
		t.Error("a second sample from the same readings")
	}
}

// TestFilterLength: the oldest readings make room.
func TestFilterLength(t *testing.T) {
	cfg := config(refdata.SOCK)
	cfg.Filter = 4
	c := New(cfg, begin)
	for i := range 10 {
		m := begin.Add(time.Duration(i) * time.Second)
		off := time.Second
		if i >= 6 {
			off = 0
		}
		c.Add(m, sample(m, off), Aim{}, 0)
	}
	s, _, _ := c.Poll(0)
	if s.True != at(s.At) || s.At.Sub(begin) != 7500*time.Millisecond {
		t.Errorf("got %+v, want the last four only", s)
	}
}

// TestPulses: a pulse is the second that is nearest to what is known, at any
// rate of pulses, and by nothing else.
func TestPulses(t *testing.T) {
	for _, rate := range []int{1, 3, 5, 100} {
		period := time.Second / time.Duration(rate)
		for _, off := range []time.Duration{-period * 45 / 100, -time.Microsecond, 0, time.Microsecond, period * 45 / 100} {
			cfg := config(refdata.PPS)
			cfg.Rate, cfg.Offset = rate, clock.Offset(250*time.Microsecond)
			c := New(cfg, begin)
			for k := range rate {
				m := begin.Add(5*time.Second + time.Duration(k)*time.Second/time.Duration(rate))
				pulse := event.Measurement{At: m, Pulse: true}
				if !c.Add(m, pulse, aimAt(m.Add(30*time.Millisecond), off, period/4), 0) {
					t.Fatalf("%d Hz, aim off by %v: %s", rate, off, c.Problem())
				}
				got, _, _ := c.Last()
				if miss := got.True.Sub(at(m).Add(250 * time.Microsecond)).Abs(); miss > 1 {
					t.Errorf("%d Hz, aim off by %v, pulse %d: off by %v", rate, off, k, miss)
				}
			}
		}
	}
}

// TestPulsesOfTimes: with option pps the whole seconds of a clock do not count,
// whatever they are.
func TestPulsesOfTimes(t *testing.T) {
	cfg := config(refdata.PHC)
	cfg.Pulses = true
	c := New(cfg, begin)
	for _, wrong := range []time.Duration{37 * time.Second, -30 * 365 * 24 * time.Hour, 1700000000 * time.Second, 0} {
		for _, off := range []time.Duration{-400 * time.Millisecond, -time.Microsecond, 0, 123 * time.Microsecond, 400 * time.Millisecond} {
			m := begin.Add(3300 * time.Millisecond)
			c.Add(m, sample(m, wrong+off), aimAt(m, 0, time.Millisecond), 0)
			if got, _, ok := c.Last(); !ok || got.True.Sub(at(m)) != clock.Offset(off) {
				t.Errorf("wrong by %v and %v: got %v off, problem %q", wrong, off, got.True.Sub(at(m)).Duration(), c.Problem())
			}
		}
	}
}

func TestRefused(t *testing.T) {
	m := begin.Add(5 * time.Second)
	pulse := event.Measurement{At: m, Pulse: true}
	for name, c := range map[string]struct {
		change func(*Config)
		now    clock.Mono
		x      event.Measurement
		aim    Aim
		tai    int32
		want   bool
	}{
		"good":                    {x: sample(m, 0), want: true},
		"old":                     {now: m.Add(33 * time.Second), x: sample(m, 0)},
		"not too old":             {now: m.Add(31 * time.Second), x: sample(m, 0), want: true},
		"future":                  {now: m.Add(-10 * time.Millisecond), x: sample(m, 0)},
		"leap unknown":            {x: event.Measurement{At: m, True: at(m), Leap: 3}},
		"before 1970":             {x: event.Measurement{At: m, True: -1}},
		"after 2242":              {x: event.Measurement{At: m, True: math.MaxInt64}},
		"pulse after 2242":        {x: event.Measurement{At: m, True: math.MaxInt64, Pulse: true}, aim: aimAt(m, 0, 0), want: true},
		"leap negative":           {x: event.Measurement{At: m, True: at(m), Leap: -1}},
		"pulse without a second":  {x: pulse},
		"pulse":                   {x: pulse, aim: aimAt(m, 0, 400*time.Millisecond), want: true},
		"pulse, vague":            {x: pulse, aim: aimAt(m, 0, 500*time.Millisecond)},
		"locked":                  {change: lock, x: pulse, aim: aimAt(m, 300*time.Millisecond, 50*time.Millisecond), want: true},
		"locked, too far":         {change: lock, x: pulse, aim: aimAt(m, 390*time.Millisecond, 50*time.Millisecond)},
		"locked, silent":          {change: lock, x: pulse, aim: aimAt(m.Add(-2*time.Second), 0, 0)},
		"locked, a bit old":       {change: lock, x: pulse, aim: aimAt(m.Add(-1900*time.Millisecond), 0, 0), want: true},
		"lockage":                 {change: func(c *Config) { lock(c); c.MaxLockAge = 9 }, x: pulse, aim: aimAt(m.Add(-8*time.Second), 0, 0), want: true},
		"right edge":              {change: width, x: pulse, aim: aimAt(m, 90*time.Millisecond, 10*time.Millisecond), want: true},
		"wrong edge":              {change: width, x: event.Measurement{At: m.Add(-200 * time.Millisecond), Pulse: true}, aim: aimAt(m, 0, 10*time.Millisecond)},
		"edge, vague":             {change: width, x: pulse, aim: aimAt(m, 0, 110*time.Millisecond)},
		"TAI":                     {change: tai, x: sample(m, 37*time.Second), tai: 37, want: true},
		"TAI without a list":      {change: tai, x: sample(m, 37*time.Second)},
		"offset far off, no aim":  {x: sample(m, 1000*time.Hour), want: true},
		"socket's pulse, no time": {x: event.Measurement{At: m, True: at(m), Pulse: true}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(refdata.SOCK)
			if c.change != nil {
				c.change(&cfg)
			}
			if c.now == 0 {
				c.now = m
			}
			k := New(cfg, begin)
			got := k.Add(c.now, c.x, c.aim, c.tai)
			if got != c.want || got != (k.Problem() == "") {
				t.Errorf("got %v (%q), want %v", got, k.Problem(), c.want)
			}
			if last, _, ok := k.Last(); ok && cfg.TAI && last.True != at(m) {
				t.Errorf("TAI: off by %v", last.True.Sub(at(m)).Duration())
			}
		})
	}
}

func lock(c *Config)  { c.Lock = "NMEA" }
func width(c *Config) { c.Width = 200 * time.Millisecond }
func tai(c *Config)   { c.TAI = true }

// TestRhythm: it is read every dpoll and sampled every poll, one reading at a
// time, and a reading that is never answered is given up.
func TestRhythm(t *testing.T) {
	cfg := config(refdata.SHM)
	cfg.Poll, cfg.DPoll = 3, 1
	c := New(cfg, begin)
	var reads, polls []time.Duration
	for m := begin; m < begin.Add(33*time.Second); m = c.NextDeadline() {
		read, poll := c.HandleTimer(m)
		if read {
			reads = append(reads, m.Sub(begin)/time.Second)
			if m < begin.Add(9*time.Second) {
				c.Read("")
			}
		}
		if poll {
			polls = append(polls, m.Sub(begin)/time.Second)
		}
	}
	if want := []time.Duration{0, 2, 4, 6, 8, 10, 28}; !slices.Equal(reads, want) {
		t.Errorf("read at %v, want %v: from 10 on nobody answers", reads, want)
	}
	if want := []time.Duration{8, 16, 24, 32}; !slices.Equal(polls, want) {
		t.Errorf("sampled at %v, want %v", polls, want)
	}
	// After a long sleep of the machine nothing is made up for.
	late := begin.Add(time.Hour)
	c.HandleTimer(late)
	if next := c.NextDeadline(); next <= late {
		t.Errorf("next deadline %v before now", late.Sub(next))
	}
}

// TestMaxDispersion: what scatters too much makes no sample, but is there.
func TestMaxDispersion(t *testing.T) {
	cfg := config(refdata.SHM)
	cfg.MaxDispersion = time.Millisecond
	c := New(cfg, begin)
	for i := range 10 {
		m := begin.Add(time.Duration(i) * time.Second)
		c.Add(m, sample(m, time.Duration(i%2)*20*time.Millisecond), Aim{}, 0)
	}
	if s, reached, ok := c.Poll(0); !reached || ok || c.Problem() == "" {
		t.Errorf("got %+v, reached %v, ok %v, %q", s, reached, ok, c.Problem())
	}
}

func TestRoot(t *testing.T) {
	for _, x := range []uint64{0, 1, 2, 3, 4, 99, 100, 1 << 32, 1<<62 - 1, 1 << 62} {
		r := root(x)
		if r*r > x || (r+1)*(r+1) <= x {
			t.Errorf("root of %d: got %d", x, r)
		}
	}
}

// Package refclock decides what a reference clock at this machine says: which of
// its raw measurements count, which second a pulse belongs to, and the one sample
// that a poll interval makes of them, with chrony's options and their meaning.
// It is layer 2, deterministic and free of I/O: it says when to read the clock,
// and is told what was read.
//
// Non-goals: devices (linux/refclock), bytes (refdata), and what the samples say
// about our clock (packages filter and selection).
package refclock

import (
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/ntptime"
	"ntsd/internal/refdata"
)

// Config is one reference clock. It is comparable.
type Config struct {
	Spec          refdata.Spec
	RefID         string // its name
	Lock          string // name of the clock that numbers the seconds, "": our own does
	Poll, DPoll   ntptime.Exponent
	Offset        clock.Offset // added to what it says
	Delay         time.Duration
	Precision     time.Duration // least error of a measurement
	MaxDispersion time.Duration // of a sample, 0: any
	Width         time.Duration // of a pulse, 0: only one edge is seen
	Rate          int           // pulses in a second, 0: 1
	MaxLockAge    int           // in pulses, 0: the default
	Filter        int           // measurements kept between polls, 0: the default
	Stratum       uint8
	Pulses        bool // whatever it says, only where in a second it lies counts
	TAI           bool
}

// Implementation constants; those of the options are chrony's.
const (
	defaultFilter  = 64
	defaultLockAge = 2
	// share of the measurements round the median that makes a sample, in percent.
	share = 60
	// lockLimit is how far a pulse may be from the clock that it is locked to,
	// in percent of the interval.
	lockLimit = 40
	// ahead is how far in the future a measurement may lie: its time was
	// converted from another scale.
	ahead = time.Millisecond
	// lastTime is in 2242: differences with it do not overflow.
	lastTime = clock.Wall(time.Second) << 33
	// deviations of a sample's error are its dispersion.
	deviations = 4
	// silence is after how many poll intervals an unanswered reading is given up.
	silence = 2
)

// Aim is what is known of the time without the pulse.
type Aim struct {
	At       clock.Reading
	Distance time.Duration // its error at most
	Leap     int
	OK       bool
}

// Sample is what a poll interval came to.
type Sample struct {
	At         clock.Mono
	True       clock.Wall
	Delay      time.Duration
	Dispersion time.Duration
	Leap       int
	Used       int // measurements
}

// Clock is a reference clock. It is not safe for concurrent use; make one with
// New.
type Clock struct {
	cfg      Config
	nextRead clock.Mono
	nextPoll clock.Mono
	asked    clock.Mono // when the reading under way began
	reading  bool
	problem  string // with the latest reading, or measurement

	kept    []event.Measurement // since the last poll, at most cfg.Filter
	reached int                 // measurements since the last poll that passed the tests
	last    event.Measurement
	known   bool // last is set
}

// New returns a clock that is to be read at once.
func New(cfg Config, now clock.Mono) *Clock {
	c := &Clock{cfg: cfg, nextRead: now}
	c.nextPoll = now.Add(c.poll())
	return c
}

func (c *Clock) poll() time.Duration { return c.cfg.Poll.Duration() }

// NextDeadline is when HandleTimer wants to be called.
func (c *Clock) NextDeadline() clock.Mono { return min(c.nextRead, c.nextPoll) }

// HandleTimer says what is due: to read the clock, and to make a sample.
func (c *Clock) HandleTimer(now clock.Mono) (read, poll bool) {
	if now >= c.nextPoll {
		poll = true
		c.nextPoll = next(c.nextPoll, now, c.poll())
	}
	if now >= c.nextRead {
		c.nextRead = next(c.nextRead, now, min(c.cfg.DPoll.Duration(), c.poll()))
		if read = !c.reading || now.Sub(c.asked) > silence*max(c.poll(), time.Second); read {
			c.reading, c.asked = true, now
		}
	}
	return read, poll
}

// next returns the moment after now in the rhythm of last.
func next(last, now clock.Mono, every time.Duration) clock.Mono {
	if at := last.Add(every); at > now {
		return at
	}
	return now.Add(every) // time was lost: no hurry to make up for it
}

// Read notes that the driver has answered; problem is empty if it could be read.
// Measurements follow by Add.
func (c *Clock) Read(problem string) {
	c.reading = false
	c.problem = problem
}

// NeedsTime reports whether all that the clock says is where in a second it is.
// Those of a socket may tell the time or not.
func (c *Config) NeedsTime() bool { return c.Pulses || c.Spec.Driver == refdata.PPS }

// Problem says why the latest reading or measurement brought nothing.
func (c *Clock) Problem() string { return c.problem }

// NeedsAim reports whether measurements of this clock say only where in a second
// they lie.
func (c *Clock) NeedsAim(m event.Measurement) bool { return m.Pulse || c.cfg.Pulses }

// Last returns the latest measurement that counted, and what it may be off, for
// the clocks that are locked to this one.
func (c *Clock) Last() (m event.Measurement, distance time.Duration, ok bool) {
	return c.last, c.cfg.Precision + c.last.Error + c.spread(), c.known
}

// Add judges a measurement. TAI is TAI-UTC in seconds, for clocks that keep TAI;
// 0: unknown. It reports whether the measurement counts.
func (c *Clock) Add(now clock.Mono, m event.Measurement, aim Aim, tai int32) bool {
	why := c.judge(now, &m, aim, tai)
	c.problem = why
	if why != "" {
		return false
	}
	c.reached++
	limit := c.cfg.Filter
	if limit <= 0 {
		limit = defaultFilter
	}
	if len(c.kept) >= limit {
		c.kept = c.kept[len(c.kept)-limit+1:]
	}
	c.kept = append(c.kept, m)
	c.last, c.known = m, true
	return true
}

// judge completes m, or says what is wrong with it.
func (c *Clock) judge(now clock.Mono, m *event.Measurement, aim Aim, tai int32) string {
	age := now.Sub(m.At)
	switch {
	case age < -ahead || age > 2*c.poll():
		return "its measurements are too old, or in the future"
	case m.Leap < refdata.LeapNone || m.Leap > refdata.LeapDelete:
		return "it does not know the time"
	}
	pulse := c.NeedsAim(*m)
	if pulse {
		m.True %= clock.Wall(time.Second)
	}
	if m.True < 0 && !pulse || m.True > lastTime {
		return "it tells a time that cannot be"
	}
	m.True = m.True.Add(c.cfg.Offset.Duration())
	if pulse {
		return c.align(m, aim)
	}
	if c.cfg.TAI {
		if tai == 0 {
			return "there is no list of leap seconds, and it keeps TAI"
		}
		m.True = m.True.Add(-time.Duration(tai) * time.Second)
	}
	return ""
}

// align gives a pulse the second, or the part of it, that is nearest to aim.
func (c *Clock) align(m *event.Measurement, aim Aim) string {
	rate := time.Duration(max(1, c.cfg.Rate))
	period := time.Second / rate
	if !aim.OK {
		return "nothing says which second its pulses begin"
	}
	age := m.At.Sub(aim.At.Mono)
	expected := aim.At.Wall.Add(age)
	// In whole seconds first: their product with the rate could overflow.
	gap := expected.Sub(m.True).Duration()
	whole := gap / time.Second * time.Second
	pulses := ((gap-whole)*rate + sign(gap)*time.Second/2) / time.Second
	m.True = m.True.Add(whole + pulses*time.Second/rate)
	miss := m.True.Sub(expected).Abs()
	distance := aim.Distance
	if c.cfg.Lock != "" {
		most := max(c.cfg.MaxLockAge, 1)
		if c.cfg.MaxLockAge == 0 {
			most = defaultLockAge
		}
		if age.Abs() >= time.Duration(most)*period {
			return "the clock that it is locked to is silent"
		}
		if miss+distance+c.cfg.Precision > period*lockLimit/100 {
			return "its pulses are too far from the clock that it is locked to"
		}
		distance = 0
	} else if distance >= period/2 {
		return "the clock is not synchronised well enough to tell one pulse from the next"
	}
	if w := c.cfg.Width; w > 0 {
		if limit := min(w, period-w) / 2; miss > limit || distance > limit {
			return "its pulses are those of the wrong edge"
		}
	}
	m.Leap = aim.Leap
	return ""
}

func sign(d time.Duration) time.Duration {
	if d < 0 {
		return -1
	}
	return 1
}

// Poll ends a poll interval. rate is what the oscillator is slow by. reached says
// that measurements came, ok that they make a sample.
func (c *Clock) Poll(rate clock.Rate) (s Sample, reached, ok bool) {
	reached = c.reached > 0
	c.reached = 0
	if !reached {
		c.known = false
		c.kept = c.kept[:0]
		return s, false, false
	}
	s = c.combine(rate)
	c.kept = c.kept[:0]
	if c.cfg.MaxDispersion > 0 && s.Dispersion > c.cfg.MaxDispersion {
		c.problem = "its dispersion is above maxdispersion"
		return s, true, false
	}
	return s, true, true
}

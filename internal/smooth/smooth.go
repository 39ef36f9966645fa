// Package smooth makes the time that is served to others move smoothly where
// the believed time does not: a correction, or a leap second, is spread over
// hours, with a bounded rate and a bounded change of the rate (chrony's
// smoothtime). It is layer 2 and free of I/O: the clock's owner tells it what
// is believed, and servers ask the Plan that comes of it.
//
// What is served is then knowingly not the best estimate of true time; whoever
// serves it has to add Offset to the error that he states.
//
// Non-goals: steering the clock (discipline), and smoothing of anything that
// was stepped on purpose.
package smooth

import (
	"math"
	"time"

	"ntsd/internal/clock"
)

// Implementation constants.
const (
	// settled is how near the clock is to the believed time when smoothing
	// begins by itself. Served time goes over from the one to the other then.
	settled = time.Millisecond
	// settledSkew is the ratio of skew and maximum wander below which smoothing
	// begins by itself, in seconds: chrony's.
	settledSkew = 10000
)

// Config says how time is smoothed. MaxRate 0 switches it off.
type Config struct {
	MaxRate   clock.Rate // largest difference in rate from the believed time
	MaxWander clock.Rate // its largest change per second
	LeapOnly  bool       // leap seconds alone; corrections are served as they come
}

// Enabled reports whether there is anything to do.
func (c Config) Enabled() bool { return c.MaxRate > 0 && c.MaxWander > 0 }

// Smoother is the state of the smoothing. It is for one goroutine. The zero
// value is off: HandleConfig switches it on.
type Smoother struct {
	cfg  Config
	plan Plan
}

// HandleConfig puts a configuration in force. What is being smoothed goes on
// within the new bounds.
func (s *Smoother) HandleConfig(now clock.Reading, cfg Config) {
	if cfg == s.cfg {
		return
	}
	s.cfg = cfg
	if !cfg.Enabled() {
		s.plan = Plan{}
	} else if s.plan.Active {
		s.replan(now.Mono, s.plan.line, 0, 0)
	}
}

// Enabled reports whether smoothing is configured.
func (s *Smoother) Enabled() bool { return s.cfg.Enabled() }

// Plan returns what is to be served.
func (s *Smoother) Plan() Plan { return s.plan }

// HandleBelief takes the line that is believed to be true time now, with the
// bound of its rate's error. To be called after every event that may have
// changed it.
func (s *Smoother) HandleBelief(now clock.Reading, line clock.Line, skew clock.Rate) {
	switch {
	case !s.cfg.Enabled():
	case s.plan.Active:
		if line != s.plan.line {
			s.follow(now.Mono, line)
		}
	case line.WallAt(now.Mono).Sub(now.Wall).Abs() <= settled &&
		(s.cfg.LeapOnly || float64(skew) < float64(s.cfg.MaxWander)*settledSkew):
		s.Activate(now, line)
	}
}

// follow goes on from the served time towards another line.
func (s *Smoother) follow(m clock.Mono, line clock.Line) {
	old := s.plan.line
	if s.cfg.LeapOnly {
		s.replan(m, line, 0, 0)
		return
	}
	s.replan(m, line, old.WallAt(m).Sub(line.WallAt(m)), old.Rate-line.Rate)
}

// HandleLeap takes the line after civil time has jumped by a leap second.
func (s *Smoother) HandleLeap(now clock.Reading, line clock.Line, by clock.Offset) {
	if s.plan.Active {
		s.replan(now.Mono, line, -by, 0)
	}
}

// Activate begins to smooth: from here on a clock that reads now and a belief
// that changes are no longer seen by clients.
func (s *Smoother) Activate(now clock.Reading, line clock.Line) {
	if !s.cfg.Enabled() || s.plan.Active {
		return
	}
	s.plan = Plan{Active: true, line: line, at: now.Mono}
	if !s.cfg.LeapOnly {
		s.replan(now.Mono, line, now.Wall.Sub(line.WallAt(now.Mono)), 0)
	}
}

// Reset serves the believed time from now on, at once.
func (s *Smoother) Reset(now clock.Reading) {
	if s.plan.Active {
		s.plan = Plan{Active: true, line: s.plan.line, at: now.Mono}
	}
}

// Suspend serves the clock as it is, until smoothing begins again by itself.
func (s *Smoother) Suspend() { s.plan = Plan{} }

// replan starts from what is served now, with offset and rate added to its
// difference from line.
func (s *Smoother) replan(m clock.Mono, line clock.Line, offset clock.Offset, rate clock.Rate) {
	x, v, _ := s.plan.state(m)
	x += offset.Seconds()
	v += float64(rate)
	s.plan = Plan{Active: true, line: line, at: m, offset: x, rate: v, stages: stages(s.cfg, x, v)}
}

// stages are the way from an offset x and a rate v to none of both: in the
// first stage the rate changes at the maximum wander up to the maximum rate, in
// the second it stays, in the third it goes back to zero. Each may be empty.
func stages(cfg Config, x, v float64) [3]stage {
	wander, limit := float64(cfg.MaxWander), float64(cfg.MaxRate)
	// Where the rate is brought to zero at once the offset moves by v|v|/2w yet:
	// what is left then says in which direction to go.
	dir := 1.0
	if x+v*math.Abs(v)/(2*wander) > 0 {
		dir = -1
	}
	way, speed := -dir*x, dir*v // both as seen in that direction
	peak := math.Sqrt(max(0, wander*way+speed*speed/2))
	first, cruise := dir*wander, 0.0
	if peak > limit {
		peak = limit
		cruise = max(0, way-(2*peak*peak-speed*speed)/(2*wander)) / peak
		if speed > limit { // the limit was lowered, or the belief has changed its rate
			first = -first
			cruise = max(0, way-speed*speed/(2*wander)) / peak
		}
	}
	return [3]stage{
		{wander: first, seconds: math.Abs(peak-speed) / wander},
		{seconds: cruise},
		{wander: -dir * wander, seconds: peak / wander},
	}
}

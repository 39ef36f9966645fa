package smooth

import (
	"time"

	"ntsd/internal/clock"
)

// Plan is the time that is served, for as long as nothing new is learnt. It is
// a value and may be shared. The zero Plan is not active: the clock is to be
// served as it is.
type Plan struct {
	Active bool

	line         clock.Line // believed true time
	at           clock.Mono // from then on:
	offset, rate float64    // seconds, and per second, that served time is ahead
	stages       [3]stage
}

// stage is a time of constant change of the rate.
type stage struct {
	wander  float64 // per second
	seconds float64
}

// WallAt returns the time that is served at m, of an active Plan.
func (p *Plan) WallAt(m clock.Mono) clock.Wall {
	return p.line.WallAt(m).Add(p.Offset(m).Duration())
}

// Offset is what served time is ahead of the believed time.
func (p *Plan) Offset(m clock.Mono) clock.Offset {
	x, _, _ := p.state(m)
	return clock.OffsetSeconds(x)
}

// Motion is how fast that changes, and how fast the rate does, per second.
func (p *Plan) Motion(m clock.Mono) (rate, wander clock.Rate) {
	_, v, w := p.state(m)
	return clock.Rate(v), clock.Rate(w)
}

// Since is how long ago the plan was made; Remaining, until nothing is smoothed
// any more.
func (p *Plan) Since(m clock.Mono) time.Duration {
	if !p.Active {
		return 0
	}
	return max(0, m.Sub(p.at))
}

// Remaining is how long it takes until served time is the believed time.
func (p *Plan) Remaining(m clock.Mono) time.Duration {
	whole := 0.0
	for _, s := range p.stages {
		whole += s.seconds
	}
	return max(0, clock.OffsetSeconds(whole).Duration()-p.Since(m))
}

// state follows the stages up to m. At their end nothing is left but rounding
// errors, which are dropped.
func (p *Plan) state(m clock.Mono) (offset, rate, wander float64) {
	left := p.Since(m).Seconds()
	offset, rate = p.offset, p.rate
	for _, s := range p.stages {
		t := min(left, s.seconds)
		offset += float64(t*rate) + float64(float64(s.wander*t)*t)/2
		rate += float64(s.wander * t)
		if left < s.seconds {
			return offset, rate, s.wander
		}
		left -= t
	}
	return 0, 0, 0
}

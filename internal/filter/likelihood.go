package filter

import "math"

// shape is a hypothesis about how queues divide between the two directions.
type shape struct {
	// lean is the ratio of the busier direction's mean queue to the other's;
	// 0 stands for a path whose round trip says nothing (Gaussian noise), 1 for
	// one that queues alike both ways.
	lean float64
	// side is +1 when the way to the server queues more, -1 when the way back.
	side float64
}

// likelihood is the density of one sample's error e = measured phase - true
// phase, in nanoseconds.
type likelihood struct {
	lo, hi float64 // beyond these the density is negligible
	half   float64 // half the excess: within, the round trip allows e
	edge   float64 // standard deviation of the bound's own error
	decay  float64 // per nanosecond away from the leaning end
	side   float64
	fade   float64 // length over which the density fades out beyond the bound
	norm   float64
	gauss  bool
}

// newLikelihood describes a sample with the given excess over a path with
// these delay statistics.
func newLikelihood(s shape, p *path, excess, floor float64) likelihood {
	if s.lean == 0 && excess < float64(usualExcess*p.queue) {
		sd := math.Sqrt(float64(p.spread*p.spread) + float64(floor*floor))
		return likelihood{lo: -priorReach * sd, hi: priorReach * sd, edge: sd, gauss: true, norm: 1 / float64(sd*rootTwoPi)}
	}
	edge := math.Sqrt(float64(p.minSD*p.minSD)+float64(floor*floor)) / 2
	l := likelihood{half: excess / 2, edge: edge, side: s.side}
	l.fade = float64(edgeReach * edge)
	l.hi = l.half + l.fade
	l.lo = -l.hi
	area := excess
	// A queue far beyond what this path has shown obeys laws of its own: only
	// the bound is believed, whatever the shape.
	if s.lean != 1 && excess < float64(usualExcess*p.queue) {
		// Given the excess, the error is distributed like exp(-decay*e) between
		// the bounds (two exponential queues, one mean shorter than the other).
		mean := max(busyQueue*p.queue, edge)
		l.decay = (s.lean - 1) / mean
		area = (1 - expNeg(-float64(l.decay*excess))) / l.decay
		reach := l.half - float64(decayReach/l.decay)
		if s.side > 0 {
			l.lo = max(l.lo, reach)
		} else {
			l.hi = min(l.hi, -reach)
		}
	}
	l.norm = 1 / (area + float64(fadeArea*l.fade))
	return l
}

// bound is the part of the density of e that the round trip's bound makes: 1
// within, fading out to 0 beyond.
func (l *likelihood) bound(e float64) float64 {
	out := math.Abs(e) - l.half
	if out <= 0 {
		return 1
	}
	t := out / l.fade
	t = max(0, 1-float64(t*t))
	return float64(t * t)
}

// slope is the other part, of the way the path leans, at e, and the factor by
// which it changes when e falls by h. Together with bound and norm they are the
// density; it is at most 1, also beyond the bound.
func (l *likelihood) slope(e, h float64) (now, factor float64) {
	if l.decay == 0 {
		return 1, 1
	}
	now = exp(-float64(l.decay * (l.half - float64(l.side*e))))
	return now, exp(-float64(l.side * float64(l.decay*h)))
}

// noise returns the usual error (ns) of a sample under the hypothesis.
func (s shape) noise(p *path) float64 {
	switch {
	case s.lean == 0:
		return p.spread
	case s.lean == 1:
		return p.queue
	}
	return float64(busyQueue*p.queue) / min(s.lean, leanNoise)
}

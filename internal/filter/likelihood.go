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
	l.hi = l.half + float64(edgeReach*edge)
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
	l.norm = 1 / (area + float64(rootTwoPi*edge))
	return l
}

// at returns the density of the error e.
func (l *likelihood) at(e float64) float64 {
	if l.gauss {
		t := e / l.edge
		return l.norm * expNeg(float64(-0.5*t)*t)
	}
	d := l.norm
	if l.decay > 0 {
		d *= expNeg(-float64(l.decay * (l.half - float64(l.side*e))))
	}
	if out := math.Abs(e) - l.half; out > 0 {
		t := out / l.edge
		d *= expNeg(float64(-0.5*t) * t)
	}
	return d
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

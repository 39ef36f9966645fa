package filter

// shape is a hypothesis about how queues divide between the two directions.
type shape struct {
	// lean is the ratio of the busier direction's mean queue to the other's;
	// 0 stands for a path whose round trip says nothing (Gaussian noise), 1 for
	// one that queues alike both ways.
	lean float64
	// side is +1 when the way to the server queues more, -1 when the way back.
	side float64
	// prior is its weight before any sample.
	prior float64
}

// kind is the family of a likelihood.
type kind uint8

const (
	even    kind = iota // uniform between the bounds
	leaning             // exponential, away from one of the bounds
	gauss               // normal
)

// likelihood is the density of one sample's error e = measured phase - true
// phase, in nanoseconds: one of three families, each blurred by the bounds' own
// uncertainty.
type likelihood struct {
	kind  kind
	half  float64 // the round trip allows e up to here
	blur  float64 // variance of the bounds' own error
	decay float64 // leaning: per nanosecond away from the bound
	last  float64 // leaning: what is left of the exponential at the other bound
	side  float64 // leaning: +1 towards e = half, -1 towards -half
	// mean and noise are the mean and variance of e. They are all that matters
	// when the prior's variance exceeds vague.
	mean, noise, vague float64
}

// newLikelihood describes a sample with the given excess over a path with
// these delay statistics.
func newLikelihood(s shape, p *path, excess, floor float64) likelihood {
	usual := excess < float64(usualExcess*p.queue)
	if s.lean == 0 && usual {
		return likelihood{kind: gauss, noise: float64(p.spread*p.spread) + float64(floor*floor)}
	}
	// The minimum may lie above the truth, never below: the bounds are wider
	// than the excess says, by about as much as they are uncertain.
	edge := p.edge(s.lean)
	l := likelihood{half: excess/2 + float64(edgeShift*edge), side: s.side}
	l.blur = float64(float64(edgeBlur*edge)*float64(edgeBlur*edge)) + float64(floor*floor)/4
	width := 2 * l.half
	// A queue far beyond what this path has shown obeys laws of its own: only
	// the bound is believed, whatever the shape.
	if s.lean > 1 && usual {
		// Given the excess, the error is distributed like exp(-decay*e) between
		// the bounds (two exponential queues, one mean shorter than the other).
		l.decay = (s.lean - 1) / float64(busyQueue*p.queue)
		if reach := float64(l.decay * width); reach > leastLean {
			l.kind = leaning
			l.last = expNeg(-reach)
			lost := l.last / (1 - l.last)
			tail := 1 / l.decay
			l.mean = float64(l.side * (l.half - tail + float64(width*lost)))
			l.noise = float64(tail*tail) - float64(float64(width*width)*float64(lost*(1+lost))) + l.blur
			width = min(width, tail)
			l.vague = float64(vague*width) * float64(vague*width)
			return l
		}
	}
	l.noise = float64(l.half*l.half)/3 + l.blur
	l.vague = float64(vague*width) * float64(vague*width)
	return l
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

package filter

// kind is a family of likelihoods.
type kind uint8

const (
	even    kind = iota // uniform between the bounds: both ways queue alike
	leaning             // exponential, away from one of the bounds: one way queues more
	gauss               // normal: the round trip says nothing
)

// shape is a hypothesis about how queues divide between the two directions.
// The factors of a leaning one follow from its lean, the ratio of the busier
// direction's mean queue to the other's.
type shape struct {
	kind    kind
	side    float64 // leaning: +1 when the way to the server queues more, -1 when the way back
	prior   float64 // its weight before any sample
	slope   float64 // leaning: the decay times the mean queue, (lean-1)/busyQueue
	perRoot float64 // leaning: 1/sqrt(lean)
	worth   float64 // leaning: usual error of a sample over the mean queue
}

// shapes are the hypotheses about a path. Most are alike both ways. One way has
// ten or a hundred times the other's queues.
var shapes = [...]shape{
	{kind: even, prior: 0.5},
	{kind: leaning, side: +1, prior: 0.1, slope: (10 - 1) / busyQueue, perRoot: 0.316227766, worth: busyQueue / 10},
	{kind: leaning, side: -1, prior: 0.1, slope: (10 - 1) / busyQueue, perRoot: 0.316227766, worth: busyQueue / 10},
	{kind: leaning, side: +1, prior: 0.05, slope: (100 - 1) / busyQueue, perRoot: 0.1, worth: busyQueue / leanNoise},
	{kind: leaning, side: -1, prior: 0.05, slope: (100 - 1) / busyQueue, perRoot: 0.1, worth: busyQueue / leanNoise},
	{kind: gauss, prior: 0.2},
}

// likelihood is the density of one sample's error e = measured phase - true
// phase, in nanoseconds: one of three families, each blurred by the bounds' own
// uncertainty.
type likelihood struct {
	kind    kind
	half    float64 // the round trip allows e up to here
	blur    float64 // variance of the bounds' own error; gauss: of all
	density float64 // the highest; even: everywhere; leaning: at the bound it leans to
	decay   float64 // leaning: per nanosecond away from the bound
	last    float64 // leaning: what is left of the exponential at the other bound
	side    float64 // leaning: +1 towards e = half, -1 towards -half
	// vague is the prior's variance from which on only moments matter.
	vague float64
}

// newLikelihood describes a sample with the given excess over a path with
// these delay statistics.
func newLikelihood(s *shape, p *path, excess, floor float64) likelihood {
	usual := less(excess, mul(usualExcess, p.queue))
	if s.kind == gauss && usual {
		blur := add(mul(p.spread, p.spread), mul(floor, floor))
		return likelihood{kind: gauss, blur: blur, density: mul(rsqrt(blur), 1/rootTwoPi)}
	}
	// The minimum may lie above the truth, never below: the bounds are wider
	// than the excess says, by about as much as they are uncertain.
	edge := p.edge(s)
	blur := mul(edgeBlur, edge)
	l := likelihood{
		half: add(mul(0.5, excess), mul(edgeShift, edge)),
		blur: add(mul(blur, blur), mul(0.25, mul(floor, floor))),
		side: s.side,
	}
	width := mul(2, l.half)
	// A queue far beyond what this path has shown obeys laws of its own: only
	// the bound is believed, whatever the shape.
	if s.kind == leaning && usual {
		// Given the excess, the error is distributed like exp(-decay*e) between
		// the bounds (two exponential queues, one mean shorter than the other).
		l.decay = mul(s.slope, p.perQueue)
		if reach := mul(l.decay, width); less(leastLean, reach) {
			l.kind = leaning
			l.last = expNeg(-reach)
			l.density = mul(l.decay, recip(sub(1, l.last)))
			if less(1, reach) {
				width = recip(l.decay)
			}
			l.vague = mul(vague*vague, mul(width, width))
			return l
		}
	}
	l.density = recip(width)
	l.vague = mul(vague*vague, mul(width, width))
	return l
}

// moments returns the mean and the variance of e. It is rare that nothing else
// matters.
func (l *likelihood) moments() (mean, noise float64) {
	switch l.kind {
	case gauss:
		return 0, l.blur
	case leaning:
		width, tail := mul(2, l.half), recip(l.decay)
		lost := mul(mul(l.last, l.density), tail)
		mean = mul(l.side, add(sub(l.half, tail), mul(width, lost)))
		return mean, add(sub(mul(tail, tail), mul(mul(width, width), mul(lost, add(1, lost)))), l.blur)
	}
	return 0, add(mul(mul(l.half, l.half), 1.0/3), l.blur)
}

// noise returns the usual error (ns) of a sample under the hypothesis.
func (s *shape) noise(p *path) float64 {
	switch s.kind {
	case gauss:
		return p.spread
	case leaning:
		return mul(s.worth, p.queue)
	}
	return p.queue
}

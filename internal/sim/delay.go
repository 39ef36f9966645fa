package sim

import (
	"math"
	"math/rand/v2"
	"time"
)

// Law is the distribution of one part of a delay.
type Law uint8

// The laws.
const (
	LawConstant    Law = iota
	LawExponential     // Size is the mean
	LawNormal          // Size is the standard deviation, the mean is 0
	LawUniform         // from 0 to Size
	LawGamma           // of shape K and scale Size: the mean is K*Size
	// LawQueue is exponential with the mean Size, too, but neighbours are alike:
	// their correlation falls by e in K seconds.
	LawQueue
	// LawPaths stands for balanced paths: the source port chooses one of K, and
	// each is longer than the one before by Size.
	LawPaths
)

// Part is one summand of a delay.
type Part struct {
	Law    Law
	Size   time.Duration
	K      float64
	When   When    // by the time of departure
	Chance float64 // that a packet meets it; 0: every one does
}

// Delay is how long the packets of one direction take: the sum of its parts,
// but never less than nothing.
type Delay []Part

// fixed is the part of the delay that every packet meets.
func (d Delay) fixed() (base time.Duration) {
	for _, p := range d {
		if p.Law == LawConstant && p.When == (When{}) && p.Chance == 0 {
			base += p.Size
		}
	}
	return base
}

// link is one direction of a path at work.
type link struct {
	delay Delay
	rng   *rand.Rand
	state []wave // of the parts with memory
}

// wave is the state of a correlated queue: half the sum of the squares of two
// Gaussian processes is an exponential one.
type wave struct {
	at   Instant
	u, v float64
}

func newLink(d Delay, rng *rand.Rand) *link {
	l := &link{delay: d, rng: rng, state: make([]wave, len(d))}
	for i := range l.state {
		if d[i].Law == LawQueue {
			l.state[i].u, l.state[i].v = rng.NormFloat64(), rng.NormFloat64()
		}
	}
	return l
}

// draw returns the delay of one packet that leaves at t for, or from, a port
// of ours.
func (l *link) draw(t Instant, port uint16) time.Duration {
	var delay time.Duration
	for i := range l.delay {
		p := &l.delay[i]
		part := l.part(p, &l.state[i], t, port)
		if p.When.holds(t) && (p.Chance == 0 || l.rng.Float64() < p.Chance) {
			delay += part
		}
	}
	return max(delay, 0)
}

func (l *link) part(p *Part, w *wave, t Instant, port uint16) time.Duration {
	x := 1.0
	switch p.Law {
	case LawExponential:
		x = l.rng.ExpFloat64()
	case LawNormal:
		x = l.rng.NormFloat64()
	case LawUniform:
		x = l.rng.Float64()
	case LawGamma:
		x = gamma(l.rng, p.K)
	case LawQueue:
		x = w.step(l.rng, t, p.K)
	case LawPaths:
		// A hash as routers use it: neighbouring ports take unrelated paths.
		x = float64((uint32(port) * 2654435761 >> 16) % uint32(p.K))
	}
	return time.Duration(x * float64(p.Size))
}

// step moves a correlated queue on to t.
func (w *wave) step(rng *rand.Rand, t Instant, tau float64) float64 {
	keep := math.Exp(-max(0, float64(t-w.at)/float64(second)) / tau / 2)
	fresh := math.Sqrt(1 - keep*keep)
	w.u = keep*w.u + fresh*rng.NormFloat64()
	w.v = keep*w.v + fresh*rng.NormFloat64()
	w.at = max(w.at, t)
	return (w.u*w.u + w.v*w.v) / 2
}

// gamma draws from a gamma distribution of scale 1 (Marsaglia and Tsang 2000).
func gamma(rng *rand.Rand, k float64) float64 {
	boost := 1.0
	if k < 1 {
		boost = math.Pow(1-rng.Float64(), 1/k)
		k++
	}
	d := k - 1.0/3
	for {
		x := rng.NormFloat64()
		v := 1 + x/math.Sqrt(9*d)
		if v <= 0 {
			continue
		}
		v *= v * v
		if math.Log(1-rng.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return boost * d * v
		}
	}
}

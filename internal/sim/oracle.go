package sim

import (
	"math"

	"ntsd/internal/clock"
)

// oracle is a yardstick: a Kalman filter of phase and frequency that sees the
// same packets as the client and is told what no client can know, the true
// wander and the true delay without queues. Nothing but the shape of the error
// (that it cannot exceed half the excess) remains to do better than it.
type oracle struct {
	mono     clock.Mono // of the state
	x, f     float64    // wall less Mono (ns), rate (ns/s)
	xx, c, r float64    // covariance
	q        float64    // wander squared, (ns/s)^2 per s
	origin   clock.Wall
	ready    bool
	sum      float64
	count    int
}

// leastOracle (ns) keeps a sample without any queue from being infinitely good.
const leastOracle = 100

// predict carries the state to m.
func (o *oracle) predict(m clock.Mono) {
	dt := m.Sub(o.mono).Seconds()
	o.x += o.f * dt
	o.xx += 2*o.c*dt + o.r*dt*dt + o.q*dt*dt*dt/3
	o.c += o.r*dt + o.q*dt*dt/2
	o.r += o.q * dt
	o.mono = m
}

// observe takes a sample: at local time m the server's wall time was w, its
// error has the given variance (ns^2).
func (o *oracle) observe(m clock.Mono, w clock.Wall, variance float64) {
	variance += leastOracle * leastOracle
	if !o.ready {
		*o = oracle{mono: m, origin: w.Add(-m.Sub(0)), xx: variance, r: 1e10, q: o.q, ready: true}
		return
	}
	o.predict(m)
	z := float64(w.Sub(o.origin)) - float64(m)
	k := o.xx / (o.xx + variance)
	g := o.c / (o.xx + variance)
	miss := z - o.x
	o.x += k * miss
	o.f += g * miss
	o.r -= g * o.c
	o.c *= 1 - k
	o.xx *= 1 - k
}

// check compares with the truth at local time m.
func (o *oracle) check(m clock.Mono, truth clock.Wall) {
	if !o.ready {
		return
	}
	wrong := float64(truth.Sub(o.origin)) - float64(m) - (o.x + o.f*m.Sub(o.mono).Seconds())
	o.sum += wrong * wrong
	o.count++
}

// rms returns the root of the mean square of what check saw (ns).
func (o *oracle) rms() float64 {
	if o.count == 0 {
		return 0
	}
	return math.Sqrt(o.sum / float64(o.count))
}

// variance is that of a sample's error, given how long its packets queued.
func (s *Server) variance(queued float64) float64 {
	if s.To.Gauss {
		a, b := float64(s.To.Queue), float64(s.Back.Queue)
		return (a*a + b*b) / 4
	}
	return queued * queued / 12
}

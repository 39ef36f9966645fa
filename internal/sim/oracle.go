package sim

import (
	"math"
	"time"

	"ntsd/internal/clock"
)

// oracle is a yardstick: a Kalman filter of phase and frequency that sees the
// same packets as the client and is told what no client can know: the true
// wander, the laws of the queues and the round trip without them. Nothing but
// the shape of the error (that it cannot exceed half the excess) remains to do
// better than it. Where the frequency has more than a random walk, several
// wanders are tried and the best in hindsight counts.
type oracle struct {
	models []kalman
	floor  float64 // variance of the stamps themselves (ns^2)
}

// kalman is one filter of the oracle.
type kalman struct {
	mono     clock.Mono // of the state
	x, f     float64    // true time less Mono (ns), rate (ns/s)
	xx, c, r float64    // covariance
	q        float64    // wander squared, (ns/s)^2 per s
	ready    bool
	lost     bool // not seen since a sleep
	sum      float64
	count    int
	large    Instant // last seen 1 ms or more wrong
}

const (
	// leastOracle (ns) keeps a sample without any queue from being infinitely
	// good.
	leastOracle = 100
	// priorRate (ns/s) is what an oracle knows of the frequency at first.
	priorRate = 1e5
	// lostPhase (ns) is its doubt after a sleep.
	lostPhase = 1e12
	// hindsight is how many wanders are tried, each three times the one before,
	// from leastWander (ns/s in a second) on if the walk itself is less.
	hindsight   = 8
	leastWander = 0.3
)

func newOracle(w *World) oracle {
	q := float64(w.Oscillator.Wander) * 1e9
	o := oracle{floor: leastOracle*leastOracle + float64(w.Client.Resolution)*float64(w.Client.Resolution)/12}
	if len(w.Oscillator.Extra) == 0 {
		o.models = []kalman{{q: q * q}}
		return o
	}
	q = max(q, leastWander)
	for range hindsight {
		o.models = append(o.models, kalman{q: q * q})
		q *= 3
	}
	return o
}

// observe takes a sample: the server's time t belongs to local time m with the
// given error.
func (o *oracle) observe(m clock.Mono, t Instant, mean, variance float64) {
	for i := range o.models {
		o.models[i].observe(m, float64(t)-mean, variance+o.floor)
	}
}

// wake forgets the phase: the oscillator stood still.
func (o *oracle) wake() {
	for i := range o.models {
		k := &o.models[i]
		k.xx, k.c, k.lost = lostPhase*lostPhase, 0, true
	}
}

// check compares with the truth at local time m; it counts after the settling
// time.
func (o *oracle) check(m clock.Mono, t Instant, settled bool) {
	for i := range o.models {
		o.models[i].check(m, t, settled)
	}
}

// finish writes down the root mean square error, and from when on the error
// stayed below 1 ms.
func (o *oracle) finish(res *Result, first Instant) {
	best := math.Inf(1)
	for i := range o.models {
		k := &o.models[i]
		if mean := k.sum / float64(k.count); k.count > 0 && mean < best {
			best = mean
			res.OracleOffset = time.Duration(math.Sqrt(mean))
			res.OracleStay1ms = time.Duration(max(0, k.large+second-first))
		}
	}
}

// predict carries the state to m.
func (k *kalman) predict(m clock.Mono) {
	dt := m.Sub(k.mono).Seconds()
	k.x += k.f * dt
	k.xx += 2*k.c*dt + k.r*dt*dt + k.q*dt*dt*dt/3
	k.c += k.r*dt + k.q*dt*dt/2
	k.r += k.q * dt
	k.mono = m
}

func (k *kalman) observe(m clock.Mono, t, variance float64) {
	z := t - float64(m)
	if !k.ready {
		*k = kalman{mono: m, x: z, xx: variance, r: priorRate * priorRate, q: k.q, ready: true, large: k.large}
		return
	}
	k.predict(m)
	k.lost = false
	total := k.xx + variance
	gain, turn := k.xx/total, k.c/total
	miss := z - k.x
	k.x += gain * miss
	k.f += turn * miss
	k.r -= turn * k.c
	// Joseph's form would cost more; these two keep their signs as they are.
	k.xx *= variance / total
	k.c *= variance / total
}

func (k *kalman) check(m clock.Mono, t Instant, settled bool) {
	if !k.ready || k.lost {
		k.large = t
		return
	}
	wrong := float64(t) - float64(m) - (k.x + k.f*m.Sub(k.mono).Seconds())
	if math.Abs(wrong) >= float64(time.Millisecond) {
		k.large = t
	}
	if !settled {
		return
	}
	k.sum += wrong * wrong
	k.count++
}

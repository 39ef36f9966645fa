package sim

import (
	"math/rand/v2"

	"ntsd/internal/clock"
)

// Oscillator is the bare clock of a simulated machine. Its relative frequency
// changes once a second: a constant, a random walk and, if wanted, more.
type Oscillator struct {
	Base   clock.Rate // constant part; positive: it gains
	Wander clock.Rate // standard deviation of each second's change
	Extra  []Term     // added, e.g. temperature; sizes are rates
	Stops  []When     // the machine sleeps, and the oscillator with it; whole seconds

	rng  *rand.Rand
	walk float64
	at   Instant // start of the present second
	mono float64 // fraction of a nanosecond that Mono at at leaves out
	base clock.Mono
	rate float64 // during the present second
}

// newOscillator starts an oscillator at Mono start.
func newOscillator(o Oscillator, start clock.Mono, seed uint64) *Oscillator {
	o.rng = rand.New(rand.NewPCG(seed, 0x6f7363))
	o.base = start
	o.tick()
	return &o
}

// tick draws the frequency of the second that begins at o.at.
func (o *Oscillator) tick() {
	o.walk += float64(o.Wander) * o.rng.NormFloat64()
	o.rate = float64(o.Base) + o.walk
	o.rate += sum(o.Extra, o.at)
	if holdsAny(o.Stops, o.at) {
		o.rate = -1
	}
}

// advance moves on to the second that contains t.
func (o *Oscillator) advance(t Instant) {
	for t-o.at >= second {
		gain := o.rate*float64(second) + o.mono
		whole := int64(gain)
		o.base += clock.Mono(int64(second) + whole)
		o.mono = gain - float64(whole)
		o.at += second
		o.tick()
	}
}

// Mono returns what the oscillator shows at t, which never goes back by more
// than the present second.
func (o *Oscillator) Mono(t Instant) clock.Mono {
	o.advance(t)
	d := t - o.at
	return o.base + clock.Mono(int64(d)+int64(o.rate*float64(d)+o.mono))
}

// When returns the first instant, not before from, at which the oscillator
// shows m. It looks at most at the present second's frequency: call it again
// once that instant is near.
func (o *Oscillator) When(from Instant, m clock.Mono) Instant {
	o.advance(from)
	if o.rate <= -1 {
		return max(o.at+second, from)
	}
	d := float64(m - o.base)
	t := o.at + Instant(d-d*o.rate/(1+o.rate))
	return max(t, from)
}

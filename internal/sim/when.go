package sim

import (
	"math"
	"time"
)

// Instant is true time in the simulated world: nanoseconds since its
// beginning. Nobody in the world can read it; the checkers can.
type Instant int64

// second is one second of true time.
const second Instant = 1e9

// When says at which instants something is in force. The zero value: always.
type When struct {
	From, Until Instant // from From on and before Until; Until 0: for ever
	// Period, Centre and Width make a window that returns: in force while
	// |t mod Period - Centre| <= Width. Period 0: no window.
	Period, Centre, Width Instant
}

// holds reports whether t is in force.
func (w When) holds(t Instant) bool {
	if t < w.From || w.Until > 0 && t >= w.Until {
		return false
	}
	if w.Period == 0 {
		return true
	}
	d := t%w.Period - w.Centre
	return -w.Width <= d && d <= w.Width
}

// holdsAny reports whether t is in force in any of spans.
func holdsAny(spans []When, t Instant) bool {
	for _, w := range spans {
		if w.holds(t) {
			return true
		}
	}
	return false
}

// Shape is the form of a term that depends on time alone.
type Shape uint8

// The shapes. The amplitude is half of what lies between a wave's extremes.
const (
	ShapeConstant Shape = iota
	ShapeSine
	ShapeTriangle
	ShapeSquare
	ShapeRamp // grows by 1 in each Period
)

// Term is one summand of a quantity that depends on time alone. Its size has
// the unit of the sum: a clock.Rate for a frequency, seconds for a server's
// error.
type Term struct {
	Shape  Shape
	Size   float64
	Period time.Duration
	When   When
}

// at returns the term's value; waves begin at When.From.
func (x Term) at(t Instant) float64 {
	if !x.When.holds(t) {
		return 0
	}
	since := float64(t - x.When.From)
	if x.Period > 0 {
		since /= float64(x.Period)
	}
	_, part := math.Modf(since)
	switch x.Shape {
	case ShapeSine:
		return x.Size * math.Sin(2*math.Pi*part)
	case ShapeTriangle: // 0, 1, 0, -1 at each quarter
		return x.Size * (math.Abs(math.Abs(4*part-1)-2) - 1)
	case ShapeSquare:
		if part < 0.5 {
			return x.Size
		}
		return -x.Size
	case ShapeRamp:
		return x.Size * since
	}
	return x.Size
}

// sum returns the value of all terms.
func sum(terms []Term, t Instant) (v float64) {
	for _, x := range terms {
		v += x.at(t)
	}
	return v
}

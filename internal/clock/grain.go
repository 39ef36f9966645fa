package clock

import "time"

// Implementation constants.
const (
	// fineGrain is not worth knowing better.
	fineGrain = Mono(time.Microsecond)
	// coarsestGrain: no kernel ticks less than fifty times a second. What looks
	// coarser are readings that happen to lie so.
	coarsestGrain = Mono(20 * time.Millisecond)
	// grainReadings must have come before the grain is believed.
	grainReadings = 3
)

// Grain finds out in which steps the local clock moves: all its readings are
// multiples of them. Two numbers of a clock that reads nanoseconds have no
// common divisor of a microsecond but once in a thousand times. The zero value has
// seen none.
type Grain struct {
	divisor Mono
	n       int
}

// Read takes one more reading.
func (g *Grain) Read(m Mono) {
	if g.n >= grainReadings && g.divisor <= fineGrain {
		return
	}
	g.n++
	m = max(m, -m)
	for m != 0 {
		g.divisor, m = m, g.divisor%m
	}
}

// Resolution returns the steps, 0 while they are unknown or too fine to matter.
func (g *Grain) Resolution() time.Duration {
	if g.n < grainReadings || g.divisor <= fineGrain || g.divisor > coarsestGrain {
		return 0
	}
	return time.Duration(g.divisor)
}

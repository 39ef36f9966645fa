package engine

import (
	"time"

	"ntsd/internal/clock"
)

// Implementation constants.
const (
	// fineGrain is not worth knowing better.
	fineGrain = clock.Mono(time.Microsecond)
	// coarsestGrain: no kernel ticks less than fifty times a second. What looks
	// coarser are readings that happen to lie so.
	coarsestGrain = clock.Mono(20 * time.Millisecond)
	// grainReadings must have come before the grain is believed.
	grainReadings = 3
)

// grain finds out in which steps the local clock moves: all its readings are
// multiples of them. Two numbers of a clock that reads nanoseconds have no
// common divisor of a microsecond but once in a thousand times.
type grain struct {
	divisor clock.Mono
	n       int
}

// read takes one more reading.
func (g *grain) read(m clock.Mono) {
	if g.n >= grainReadings && g.divisor <= fineGrain {
		return
	}
	g.n++
	m = max(m, -m)
	for m != 0 {
		g.divisor, m = m, g.divisor%m
	}
}

// resolution returns the steps, 0 while they are unknown or too fine to matter.
func (g *grain) resolution() time.Duration {
	if g.n < grainReadings || g.divisor <= fineGrain || g.divisor > coarsestGrain {
		return 0
	}
	return time.Duration(g.divisor)
}

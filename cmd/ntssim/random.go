package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"
)

// randomWorld describes the world of a number: servers, paths, oscillator and
// poll limits that no table holds. Every server in it is right, so the oracle's
// error is what could be reached. In one of four worlds the two ways of a path
// have unlike queues.
func randomWorld(number uint64) string {
	rng := rand.New(rand.NewPCG(number, 0x776f726c64))
	var b strings.Builder
	fmt.Fprintf(&b, "# Random world %d.\nrun 40000s settle 12000s\n", number)
	wander := spread(rng, 3e-10, 3e-8)
	base := rng.Float64()*400 - 200
	fmt.Fprintf(&b, "client offset %v\nclient frequency %.1fppm + walk %.2g%s\n",
		time.Duration(rng.Float64()*2e9-1e9).Round(time.Microsecond), base, wander, swing(rng))
	least := 6 + rng.IntN(3)
	most := least + rng.IntN(11-least)
	for range 1 + rng.IntN(2)*rng.IntN(4) {
		to, back := path(rng, number%4 == 0)
		fmt.Fprintf(&b, "servers 1\npoll %d %d\nto %s\nback %s\n", least, most, to, back)
		if rng.IntN(5) == 0 {
			fmt.Fprintf(&b, "loss %.2f\n", rng.Float64()*0.4)
		}
	}
	fmt.Fprintln(&b, "limit covered >= 99.9%")
	return b.String()
}

// spread draws evenly on a logarithmic scale.
func spread(rng *rand.Rand, low, high float64) float64 {
	return low * math.Pow(high/low, rng.Float64())
}

func span(rng *rand.Rand, low, high time.Duration) time.Duration {
	return time.Duration(spread(rng, float64(low), float64(high))).Round(100 * time.Nanosecond)
}

// swing is what the frequency has beside the walk.
func swing(rng *rand.Rand) string {
	if rng.IntN(3) > 0 {
		return ""
	}
	shape := []string{"sine", "triangle", "square"}[rng.IntN(3)]
	return fmt.Sprintf(" + %s %.2gppm %v", shape, spread(rng, 0.03, 1), span(rng, time.Hour/2, 12*time.Hour).Round(time.Second))
}

// path draws the delays of both ways: the same base, and queues of one law
// whose sizes are alike or not.
func path(rng *rand.Rand, unlike bool) (to, back string) {
	base := span(rng, 200*time.Microsecond, 80*time.Millisecond)
	jitter := span(rng, 3*time.Microsecond, 5*time.Millisecond)
	law := rng.IntN(5)
	other := jitter
	// Of a delay that scatters to both sides nobody could tell whether its mean
	// or its minimum is what the other way's equals: those ways are alike.
	if unlike && law > 0 {
		other = span(rng, 3*time.Microsecond, 5*time.Millisecond)
	}
	// What scatters to both sides must not make a delay negative.
	base = max(base, 8*max(jitter, other))
	way := func(size time.Duration) string {
		switch law {
		case 0:
			return fmt.Sprintf("%v + normal %v", base, size)
		case 1:
			return fmt.Sprintf("%v + gamma 2 %v", base, size/2)
		case 2:
			return fmt.Sprintf("%v + exp %v + %v chance 0.02", base, size, 10*size)
		}
		return fmt.Sprintf("%v + exp %v", base, size)
	}
	return way(jitter), way(other)
}

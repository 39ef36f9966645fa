package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// randomAttack describes the attacked world of a number: most of its servers
// are right, and a minority lies in one of several ways, each on its own or all
// together. Whatever they do, the clock must stay within what the honest ones
// vouch for, and its own bound must hold.
func randomAttack(number uint64) string {
	rng := rand.New(rand.NewPCG(number, 0x61747461636b))
	n := 3 + rng.IntN(6)
	liars := 1 + rng.IntN((n-1)/2)
	var b strings.Builder
	fmt.Fprintf(&b, "# Attack %d: %d of %d servers are not to be trusted.\nrun 20000s settle 3000s\n", number, liars, n)
	var widest time.Duration
	for i := range n {
		base := span(rng, 200*time.Microsecond, 30*time.Millisecond)
		jitter := span(rng, 5*time.Microsecond, time.Millisecond)
		if i < n-liars {
			widest = max(widest, base+2*jitter)
		} else if rng.IntN(2) == 0 {
			base, jitter = 100*time.Microsecond, 5*time.Microsecond // near, where a liar likes to be
		}
		fmt.Fprintf(&b, "servers 1\nboth %v + exp %v\n", base, jitter)
	}
	lie(&b, rng, n, liars)
	// What an honest server vouches for is half the round trip seen; between two
	// packets that are 1024 s apart a millisecond is added by the clock's drift.
	fmt.Fprintf(&b, "limit max <= %v\nlimit steps <= 1\nlimit covered >= 99.9%%\n", widest+3*time.Millisecond/2)
	return b.String()
}

// lie writes what the last servers do.
func lie(b *strings.Builder, rng *rand.Rand, n, liars int) {
	together := rng.IntN(2) == 0
	begin := 4000 + rng.IntN(8000)
	what := ""
	for i := n - liars; i < n; i++ {
		if !together || what == "" {
			size := span(rng, time.Millisecond, 2*time.Second)
			sign := []string{"", "-"}[rng.IntN(2)]
			when := fmt.Sprintf("from %ds", begin)
			switch rng.IntN(6) {
			case 0:
				what = fmt.Sprintf("error %s%v", sign, size)
			case 1:
				what = fmt.Sprintf("error %s%v %s", sign, size, when)
			case 2:
				what = fmt.Sprintf("error drift %s%.3gppm %s", sign, spread(rng, 0.05, 100), when)
			case 3:
				what = fmt.Sprintf("error square %v %v %s", size, span(rng, 200*time.Second, 10000*time.Second).Round(time.Second), when)
			case 4:
				what = fmt.Sprintf("error sine %v %v %s", size, span(rng, 200*time.Second, 10000*time.Second).Round(time.Second), when)
			default: // a delay attack
				what = fmt.Sprintf("to 1ms + exp 20us + %v %s", size, when)
			}
		}
		fmt.Fprintf(b, "server %d\n%s\n", i+1, what)
	}
}

package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"ntsd/internal/sim/scenario"
)

// random runs random worlds, one seed each: what no table holds.
func (t *table) random() error {
	if t.o.worlds == 0 {
		return nil
	}
	runs, err := t.drawn("world", t.o.worlds, randomWorld)
	if err != nil {
		return err
	}
	var alike, unlike []outcome
	broken := 0
	for i, r := range runs {
		if (t.o.seed+uint64(i))%4 == 0 {
			unlike = append(unlike, r)
		} else {
			alike = append(alike, r)
		}
		for _, b := range r.broken {
			broken++
			fmt.Fprintf(t.out, "%s: %s\n", r.scenario.Name, b)
		}
	}
	fmt.Fprintf(t.out, "random worlds %d to %d: ratio to the oracle's error\n", t.o.seed, t.o.seed+uint64(t.o.worlds)-1)
	mean := t.distribution("both ways alike", alike)
	// The oracle knows where the longer queue's minimum lies; a client sees it
	// only as far as samples come near.
	t.distribution("unlike ways", unlike)
	fmt.Fprintln(t.out)
	t.goal(broken == 0, "random worlds: %d limits broken (listed above)", broken)
	t.goal(mean <= goalOracle, "random worlds with like ways: geometric mean %.2f of the oracle's error, want at most %.2f",
		mean, goalOracle)
	return nil
}

// distribution prints how the ratio to the oracle's error is spread, and
// returns its geometric mean.
func (t *table) distribution(what string, runs []outcome) float64 {
	if len(runs) == 0 {
		return 1
	}
	toOracle := func(o outcome) float64 { return ratio(o.result.RMSOffset, o.result.OracleOffset) }
	slices.SortFunc(runs, func(a, b outcome) int { return cmp.Compare(toOracle(a), toOracle(b)) })
	at := func(share float64) float64 { return toOracle(runs[int(share*float64(len(runs)-1))]) }
	var mean ratios
	for _, r := range runs {
		mean.add(toOracle(r))
	}
	fmt.Fprintf(t.out, "%s (%d): least %.2f, 10 %% %.2f, median %.2f, 90 %% %.2f, 95 %% %.2f, most %.2f; geometric mean %.3f\n",
		what, len(runs), at(0), at(0.1), at(0.5), at(0.9), at(0.95), at(1), mean.mean())
	for i := range min(4, len(runs)) {
		r := runs[len(runs)-1-i]
		fmt.Fprintf(t.out, "  %.2f  rms %v  oracle %v  %s\n", toOracle(r), r.result.RMSOffset, r.result.OracleOffset,
			replay(r.scenario, r.seed))
	}
	return mean.mean()
}

// drawn runs the worlds of n numbers, one seed each.
func (t *table) drawn(kind string, n int, describe func(uint64) string) ([]outcome, error) {
	var jobs []job
	for i := range n {
		number := t.o.seed + uint64(i)
		s, err := scenario.Parse(fmt.Sprintf("%s %d", kind, number), []byte(describe(number)))
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, job{&s, t.o.seed})
	}
	return runAll(jobs, t.o.workers)
}

// attacked runs worlds with a minority of liars.
func (t *table) attacked() error {
	if t.o.attacks == 0 {
		return nil
	}
	runs, err := t.drawn("attack", t.o.attacks, randomAttack)
	if err != nil {
		return err
	}
	broken := 0
	for _, r := range runs {
		if len(r.broken) > 0 {
			broken++
			fmt.Fprintf(t.out, "%s: %s\n  %s\n", r.scenario.Name, strings.Join(r.broken, "; "), replay(r.scenario, r.seed))
		}
	}
	fmt.Fprintf(t.out, "attacked worlds %d to %d: %d of %d stayed within what the honest servers vouch for\n\n",
		t.o.seed, t.o.seed+uint64(t.o.attacks)-1, len(runs)-broken, len(runs))
	t.goal(broken == 0, "attacked worlds: %d of %d left their limits (listed above)", broken, len(runs))
	return nil
}

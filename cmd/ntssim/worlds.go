package main

import (
	"fmt"
	"slices"

	"ntsd/internal/sim"
)

// random runs random worlds, one seed each: what no table holds.
func (t *table) random() error {
	if t.o.worlds == 0 {
		return nil
	}
	var jobs []job
	for i := range t.o.worlds {
		number := t.o.seed + uint64(i)
		s, err := sim.ParseScenario(fmt.Sprintf("world %d", number), []byte(randomWorld(number)))
		if err != nil {
			return err
		}
		jobs = append(jobs, job{&s, t.o.seed})
	}
	runs, err := runAll(jobs, t.o.workers)
	if err != nil {
		return err
	}
	toOracle := func(o outcome) float64 { return ratio(o.result.RMSOffset, o.result.OracleOffset) }
	slices.SortFunc(runs, func(a, b outcome) int {
		if toOracle(a) < toOracle(b) {
			return -1
		}
		return 1
	})
	at := func(share float64) float64 { return toOracle(runs[int(share*float64(len(runs)-1))]) }
	var mean ratios
	for _, r := range runs {
		mean.add(toOracle(r))
	}
	fmt.Fprintf(t.out, "random worlds %d to %d: ratio to the oracle's error\n", t.o.seed, t.o.seed+uint64(t.o.worlds)-1)
	fmt.Fprintf(t.out, "least %.2f, 10 %% %.2f, median %.2f, 90 %% %.2f, 95 %% %.2f, most %.2f; geometric mean %.3f\nthe worst:\n",
		at(0), at(0.1), at(0.5), at(0.9), at(0.95), at(1), mean.mean())
	for i := range min(5, len(runs)) {
		r := runs[len(runs)-1-i]
		fmt.Fprintf(t.out, "  %.2f  rms %v  oracle %v  go run ./cmd/ntssim -seed %d -world %s\n", toOracle(r),
			r.result.RMSOffset, r.result.OracleOffset, t.o.seed, r.scenario.Name[len("world "):])
	}
	uncovered := 0
	for _, r := range runs {
		for _, b := range r.broken {
			uncovered++
			fmt.Fprintf(t.out, "  %s: %s\n", r.scenario.Name, b)
		}
	}
	fmt.Fprintln(t.out)
	t.goal(uncovered == 0, "random worlds: %d limits broken (listed above)", uncovered)
	t.goal(mean.mean() <= goalOracle, "random worlds: geometric mean %.2f of the oracle's error, want at most %.2f",
		mean.mean(), goalOracle)
	return nil
}

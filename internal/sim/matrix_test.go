package sim

import (
	"flag"
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

var (
	seedsFlag  = flag.Int("sim.seeds", 1, "seeds per cell of the accuracy matrix")
	matrixFlag = flag.Bool("sim.matrix", false, "run every cell of the accuracy matrix")
)

// references returns chrony's figures, at poll 6 first.
func references(t *testing.T) []Reference {
	t.Helper()
	open := func(name string) *os.File {
		f, err := os.Open("../../testdata/accuracy/" + name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	matrix, err := ReadMatrix(open("clock-matrix.csv"))
	if err != nil {
		t.Fatal(err)
	}
	scenarios, err := ReadScenarios(open("clock-nonideal.csv"))
	if err != nil {
		t.Fatal(err)
	}
	var fixed, free []Reference
	for _, r := range append(matrix, scenarios...) {
		switch {
		case !strings.HasPrefix(r.Program, "chrony"):
		case r.Cell.MaxPoll == 6:
			fixed = append(fixed, r)
		default:
			free = append(free, r)
		}
	}
	return append(fixed, free...)
}

// geometric runs a cell with several seeds and returns the geometric mean of
// the RMS error and the mean interval.
func geometric(t *testing.T, c Cell, seeds int) (rms, interval time.Duration) {
	t.Helper()
	return geometricAnd(t, seeds, c.World)
}

func geometricOf(t *testing.T, seeds int, world func(seed uint64) World) time.Duration {
	t.Helper()
	rms, _ := geometricAnd(t, seeds, world)
	return rms
}

func geometricAnd(t *testing.T, seeds int, world func(seed uint64) World) (rms, interval time.Duration) {
	t.Helper()
	var sum float64
	for seed := 1; seed <= seeds; seed++ {
		r := run(t, world(uint64(seed)))
		sum += math.Log(float64(r.RMSOffset))
		interval += r.Interval / time.Duration(seeds)
	}
	return time.Duration(math.Exp(sum / float64(seeds))), interval
}

// TestMatrix compares with chrony's figures in testdata/accuracy.
func TestMatrix(t *testing.T) {
	if testing.Short() {
		t.Skip("long: tens of simulated days")
	}
	var sum [2]float64
	var n [2]int
	for i, ref := range references(t) {
		if !*matrixFlag && i%4 != 0 {
			continue
		}
		rms, interval := geometric(t, ref.Cell, *seedsFlag)
		ratio := float64(rms) / float64(ref.RMSOffset)
		t.Logf("%-11s S %-6v W %v x%d poll 6..%-2d ntsd %9v chrony %9v ratio %.2f interval %4.0f, chrony's %4.0f",
			ref.Cell.Scenario, ref.Cell.Jitter, float64(ref.Cell.Wander), ref.Cell.Servers, ref.Cell.MaxPoll,
			rms, ref.RMSOffset, ratio, interval.Seconds(), ref.Interval.Seconds())
		if ratio > 1 {
			t.Errorf("%+v: RMS got %v, want at most chrony's %v", ref.Cell, rms, ref.RMSOffset)
		}
		k := 0
		if ref.Cell.MaxPoll != 6 {
			k = 1
		}
		sum[k] += math.Log(ratio)
		n[k]++
	}
	for k, name := range []string{"poll 6", "poll 6..10"} {
		mean := math.Exp(sum[k] / float64(n[k]))
		t.Logf("%s: geometric mean of the ratios %.3f", name, mean)
		if mean > 0.6 {
			t.Errorf("%s: geometric mean of RMS(ntsd)/RMS(chrony) got %.3f, want at most 0.6", name, mean)
		}
	}
}

// TestOracle: in the ideal model we come close to a filter that knows the
// world's parameters.
func TestOracle(t *testing.T) {
	if testing.Short() {
		t.Skip("long: simulated days")
	}
	for _, c := range []Cell{
		{Jitter: 10 * time.Microsecond, Wander: 1e-9, Servers: 1, MinPoll: 6, MaxPoll: 6},
		{Jitter: 100 * time.Microsecond, Wander: 1e-9, Servers: 1, MinPoll: 8, MaxPoll: 8},
		{Jitter: time.Millisecond, Wander: 1e-8, Servers: 1, MinPoll: 6, MaxPoll: 10},
	} {
		var ratio float64
		const seeds = 3
		for seed := uint64(1); seed <= seeds; seed++ {
			r := run(t, c.World(seed))
			ratio += math.Log(float64(r.RMSOffset) / float64(r.OracleOffset))
		}
		if got := math.Exp(ratio / seeds); got > 1.25 {
			t.Errorf("%+v: RMS got %.2f of the oracle's, want at most 1.25", c, got)
		}
	}
}

package selection

import (
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/filter"
)

const wall = clock.Wall(1_800_000_000_000_000_001)

func estimate(offset, sd, delay time.Duration) filter.Estimate {
	return filter.Estimate{
		Line:     clock.Line{At: clock.Reading{Mono: 1000, Wall: wall.Add(offset)}},
		OffsetSD: sd, RateSD: 1e-7, MinDelay: delay, Samples: 8,
	}
}

func combine(t *testing.T, ests ...filter.Estimate) filter.Estimate {
	t.Helper()
	states := make([]State, len(ests))
	for i := range states {
		states[i] = StateCombined
	}
	e, ok := Combine(1000, ests, states)
	if !ok {
		t.Fatal("Combine: got none")
	}
	return e
}

func offsetOf(e filter.Estimate) time.Duration { return e.Line.At.Wall.Sub(wall).Duration() }

func TestCombineNone(t *testing.T) {
	if _, ok := Combine(0, []filter.Estimate{estimate(0, 1, 1)}, []State{StateFalseticker}); ok {
		t.Error("Combine without a selected source: got ok")
	}
}

func TestCombineOne(t *testing.T) {
	e := estimate(5*time.Microsecond, time.Microsecond, time.Millisecond)
	if got := combine(t, e); got != e {
		t.Errorf("one estimate: got %+v, want it unchanged", got)
	}
}

func TestCombineByVariance(t *testing.T) {
	e := combine(t, estimate(0, 10*time.Microsecond, time.Millisecond), estimate(5*time.Microsecond, 20*time.Microsecond, time.Millisecond))
	// Half of the best one's variance is everybody's: 50 and 350 us^2 are left.
	if got := offsetOf(e); got != 625*time.Nanosecond {
		t.Errorf("weighted mean of 0 and 5us with weights 7:1: got %v, want 625ns", got)
	}
	if e.OffsetSD >= 15*time.Microsecond || e.OffsetSD < 9*time.Microsecond {
		t.Errorf("OffsetSD: got %v", e.OffsetSD)
	}
}

// TestCombineBiased: estimates that cannot all be right count by their delay.
func TestCombineBiased(t *testing.T) {
	e := combine(t, estimate(0, time.Microsecond, time.Millisecond), estimate(3*time.Millisecond, time.Microsecond, 30*time.Millisecond))
	if got := offsetOf(e); got.Abs() > 20*time.Microsecond {
		t.Errorf("near server at 0, far one at 3 ms: got %v, want nearly 0", got)
	}
	if e.OffsetSD < 20*time.Microsecond {
		t.Errorf("OffsetSD of estimates that differ by 3 ms: got %v", e.OffsetSD)
	}
}

// TestCombineMoves: the estimates are brought to one time by their own rates.
func TestCombineMoves(t *testing.T) {
	a, b := estimate(0, 1000, time.Millisecond), estimate(0, 1000, time.Millisecond)
	a.Line.Rate, b.Line.Rate = 1e-6, -1e-6
	e, _ := Combine(1000+10e9, []filter.Estimate{a, b}, []State{StateSelected, StateCombined})
	if got := offsetOf(e) - 10*time.Second; got != 0 {
		t.Errorf("mean of +10us and -10us after 10 s: got %v, want 0s", got)
	}
	if e.Line.Rate != 0 || e.Line.At.Mono != 1000+10e9 {
		t.Errorf("line: got %+v", e.Line)
	}
}

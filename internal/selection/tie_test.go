package selection

import (
	"math/rand/v2"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/filter"
)

// learnt returns a tie after n samples, a minute each, with normal errors of
// the deviation sd round the bias.
func learnt(rng *rand.Rand, t Tie, n int, bias, sd time.Duration) Tie {
	for range n {
		miss := bias + time.Duration(rng.NormFloat64()*float64(sd))
		t.Learn(t.at.Add(time.Minute), clock.Offset(miss), sd)
	}
	return t
}

// TestTieLearns: the bias is learnt to within what its deviation says, and anew when
// it has changed.
func TestTieLearns(t *testing.T) {
	const sd, bias = 100 * time.Microsecond, 3 * time.Millisecond
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 5))
		tie := learnt(rng, Tie{}, tieSamples-1, bias, sd)
		if _, _, ok := tie.Bias(); ok {
			t.Fatalf("seed %d: known after %d samples", seed, tieSamples-1)
		}
		tie = learnt(rng, tie, 100, bias, sd)
		got, own, ok := tie.Bias()
		if !ok || own < 5*time.Microsecond || own > 20*time.Microsecond || (got-clock.Offset(bias)).Abs() > 4*own {
			t.Fatalf("seed %d: got %v +- %v (%v), want %v", seed, got.Duration(), own, ok, bias)
		}
		tie = learnt(rng, tie, 2, 0, sd)
		if got, _, ok := tie.Bias(); ok {
			t.Fatalf("seed %d: still %v after two samples without a bias", seed, got.Duration())
		}
		tie = learnt(rng, tie, 100, 0, sd)
		if got, own, ok = tie.Bias(); !ok || got.Abs() > 4*own {
			t.Fatalf("seed %d: got %v +- %v (%v), want 0s", seed, got.Duration(), own, ok)
		}
	}
}

// TestTied: a far source that is known better than the near one is combined,
// less its bias, unless it has jumped since.
func TestTied(t *testing.T) {
	tie := learnt(rand.New(rand.NewPCG(1, 5)), Tie{}, 100, 2*ms, 100*time.Microsecond)
	for _, c := range []struct {
		name   string
		offset time.Duration // of the far source
		tie    Tie
		want   string
	}{
		{"quiet and far", 2 * ms, tie, "*+"},
		{"not known yet", 2 * ms, Tie{}, "*D"},
		{"jumped", 4 * ms, tie, "*D"},
	} {
		near, far := good(0, ms), good(c.offset, 30*ms)
		near.SD, far.SD, far.Tie = 300*time.Microsecond, 10*time.Microsecond, c.tie
		cands := []Candidate{near, far}
		r := Select(DefaultConfig(), clock.Reading{}, cands, -1)
		if got := letters(r); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		ests := []filter.Estimate{estimate(0, near.SD, 2*ms), estimate(c.offset, far.SD, 60*ms)}
		r.Correct(cands, ests)
		e, _ := Combine(1000, ests, r.States)
		if offsetOf(e).Abs() > 40*time.Microsecond || r.Tied[1] != (e.OffsetSD < 40*time.Microsecond) {
			t.Errorf("%s: combined %v +- %v", c.name, offsetOf(e), e.OffsetSD)
		}
		if e.MinDelay != 2*ms {
			t.Errorf("%s: MinDelay got %v, want the near one's", c.name, e.MinDelay)
		}
	}
	worse := good(2*ms, 30*ms)
	worse.Tie = tie // and a deviation of 3 ms
	if got := letters(Select(DefaultConfig(), clock.Reading{}, []Candidate{good(0, ms), worse}, -1)); got != "*D" {
		t.Errorf("a far source that is known worse: got %q, want it left out", got)
	}
}

package selection

import (
	"math/rand/v2"
	"testing"
	"time"

	"ntsd/internal/clock"
)

// measured is a candidate whose deviation and distance have nothing to do with
// each other (us).
func measured(offset, sd, distance time.Duration) Candidate {
	c := good(offset*time.Microsecond, distance*time.Microsecond)
	c.SD, c.Samples = sd*time.Microsecond, 100
	return c
}

// TestTrueInterval: what the truth is said to lie within.
func TestTrueInterval(t *testing.T) {
	authenticated := func(c Candidate) Candidate {
		c.Authenticated = true
		return c
	}
	for _, c := range []struct {
		name   string
		mode   AuthMode
		cands  []Candidate
		lo, hi time.Duration // us
	}{
		{"one alone", AuthMix, []Candidate{measured(1, 1, 5)}, -4, 6},
		{"two: both are right", AuthMix, []Candidate{measured(0, 1, 5), measured(3, 1, 4)}, -1, 5},
		{"three: the nearest may lie", AuthMix, []Candidate{measured(8, 1, 1), measured(0, 1, 10), measured(0, 1, 20)}, -10, 10},
		{"four alike", AuthMix, []Candidate{measured(0, 1, 5), measured(1, 1, 5), measured(2, 1, 5), measured(3, 1, 5)}, -3, 6},
		{"two camps", AuthMix, []Candidate{measured(-5, 1, 1), measured(-5, 1, 1), measured(5, 1, 1), measured(5, 1, 1), measured(0, 1, 9)}, -6, 6},
		{"plain ones beside authenticated ones", AuthMix, []Candidate{measured(8, 1, 1), measured(8, 1, 1), authenticated(measured(0, 1, 20))}, -20, 20},
		{"no difference is made", AuthIgnore, []Candidate{measured(8, 1, 1), measured(8, 1, 1), authenticated(measured(0, 1, 20))}, 7, 9},
		{"nobody", AuthRequire, []Candidate{measured(8, 1, 1)}, 0, 0},
	} {
		cfg := DefaultConfig()
		cfg.AuthMode = c.mode
		r := Select(cfg, clock.Reading{}, c.cands, -1)
		if lo, hi := r.TrueLo.Duration()/time.Microsecond, r.TrueHi.Duration()/time.Microsecond; lo != c.lo || hi != c.hi {
			t.Errorf("%s: got %d to %d us, want %d to %d", c.name, lo, hi, c.lo, c.hi)
		}
	}
}

// TestCamps: three near liars and three honest servers that are far away share
// a point, too, but that is not where the honest ones measure the time.
func TestCamps(t *testing.T) {
	cands := []Candidate{
		measured(0, 10, 300), measured(5, 10, 300),
		measured(20, 30, 9000), measured(-10, 20, 11000), measured(0, 5, 6000),
		measured(4000, 1, 100), measured(4000, 1, 100), measured(4000, 1, 100),
	}
	r := Select(DefaultConfig(), clock.Reading{}, cands, -1)
	if got, want := letters(r), "*+DDDxxx"; got != want {
		t.Errorf("states: got %q, want %q", got, want)
	}
}

// TestVagueWitness: an honest estimate whose deviation is wide does not vouch
// for liars at its edge where others agree with its middle.
func TestVagueWitness(t *testing.T) {
	cands := []Candidate{
		measured(687, 573, 2800), measured(662, 62, 1300), measured(549, 253, 2200),
		measured(-120, 3, 1000), measured(-104, 20, 1000),
	}
	r := Select(DefaultConfig(), clock.Reading{}, cands, -1)
	for i, s := range r.States {
		if (s == StateOutlier) != (i > 2) {
			t.Errorf("source %d: got %v", i, s)
		}
	}
}

// TestPlainDoNotOutvote: authenticated sources are not set aside because plain
// ones within their bounds agree among each other.
func TestPlainDoNotOutvote(t *testing.T) {
	cands := []Candidate{measured(2000, 10, 100), measured(2000, 10, 100), measured(2000, 10, 100), measured(0, 10, 5000)}
	cands[3].Authenticated = true
	r := Select(DefaultConfig(), clock.Reading{}, cands, -1)
	if got, want := letters(r), "DDD*"; got != want {
		t.Errorf("states: got %q, want %q", got, want)
	}
}

// TestOutside: one that was set aside is not combined again as soon as the others
// become vague, but when it measures the same, or when they did not deny it for a
// while; it had better be denied by those who know.
func TestOutside(t *testing.T) {
	for _, c := range []struct {
		name    string
		samples int
		sd      time.Duration // of the others, in us; they differ by 1000
		outside int           // before
		fresh   bool
		want    int
	}{
		{"far beyond", 100, 50, 0, true, outsideSamples},
		{"far beyond, before the others know", leastSamples - 1, 50, 0, true, 0},
		{"far beyond, two that hardly know", leastSamples, 50, 0, true, outsideSamples},
		{"never was", 100, 300, 0, true, 0},
		{"the others become vague", 100, 300, 9, true, 8},
		{"nothing new", 100, 300, 9, false, 9},
		{"vague for long", 100, 300, 1, true, 0},
		{"measures the same", 100, 600, 9, true, 0},
	} {
		cands := []Candidate{measured(1000, 10, 5000), measured(0, c.sd, 6000), measured(0, c.sd, 7000)}
		for i := range cands {
			cands[i].Samples, cands[i].Fresh = c.samples, c.fresh
		}
		cands[0].Outside = c.outside
		r := Select(DefaultConfig(), clock.Reading{}, cands, 1)
		if r.Outside[0] != c.want || (r.States[0] == StateOutlier) != (c.want > 0) {
			t.Errorf("%s: got %d and %v, want %d", c.name, r.Outside[0], r.States[0], c.want)
		}
	}
}

// TestOutsideMajority: where all were set aside, those that are the majority now
// come back, although they hardly measure the same.
func TestOutsideMajority(t *testing.T) {
	cands := []Candidate{measured(0, 100, 5000), measured(500, 100, 5000), measured(900, 100, 5000)}
	for i := range cands {
		cands[i].Outside = 9
	}
	if got, want := letters(Select(DefaultConfig(), clock.Reading{}, cands, -1)), "D*+"; got != want {
		t.Errorf("states: got %q, want %q", got, want)
	}
}

// TestOutsideLeft: two that had just been set aside are all that a new configuration
// left, before either measured anything more.
func TestOutsideLeft(t *testing.T) {
	cands := []Candidate{measured(0, 100, 5000), measured(500, 100, 5000)}
	for i := range cands {
		cands[i].Outside = outsideSamples
	}
	if got, want := letters(Select(DefaultConfig(), clock.Reading{}, cands, -1)), "*+"; got != want {
		t.Errorf("states: got %q, want %q", got, want)
	}
}

// TestAnyHistory: sources that nearly agree, whatever was remembered of each: there is
// a selected one wherever some are combined, and what is to be remembered has bounds.
func TestAnyHistory(t *testing.T) {
	const seed = 5
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 20000 {
		cands := make([]Candidate, 1+random.IntN(6))
		for i := range cands {
			c := measured(time.Duration(random.IntN(12)*100), time.Duration(1+random.IntN(5)*60), time.Duration(1+random.IntN(3)*1000))
			c.Samples, c.Outside, c.Fresh = random.IntN(30), random.IntN(outsideSamples+1), random.IntN(3) == 0
			c.Stratum, c.Lead.score = uint8(1+random.IntN(3)), float64(random.IntN(reselectScore))
			c.Options = Options{Prefer: random.IntN(8) == 0, Trust: random.IntN(6) == 0, NoSelect: random.IntN(10) == 0}
			cands[i] = c
		}
		previous := random.IntN(len(cands)+1) - 1
		r := Select(DefaultConfig(), clock.Reading{}, cands, previous)
		for i, s := range r.States {
			if s.Counts() && r.Selected < 0 || (s == StateSelected) != (i == r.Selected) {
				t.Fatalf("selected %d of %v: %+v", r.Selected, r.States, cands)
			}
			if r.Outside[i] < 0 || r.Outside[i] > outsideSamples || r.Score[i] < 1 || r.Score[i] > reselectScore {
				t.Fatalf("to be remembered: %v, %v: %+v", r.Outside, r.Score, cands)
			}
		}
	}
}

package selection

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/wire"
)

const ms = time.Millisecond

// good returns a healthy candidate whose offset is known to distance.
func good(offset, distance time.Duration) Candidate {
	return Candidate{
		Offset: clock.Offset(offset), Distance: distance, SD: distance / 10, Samples: 100, Stratum: 1,
		Reachable: true, Ready: true, Synchronised: true, Online: true,
	}
}

// with returns c after change.
func with(c Candidate, change func(c *Candidate)) Candidate {
	change(&c)
	return c
}

func letters(r Result) string {
	var b strings.Builder
	for _, s := range r.States {
		b.WriteByte(s.Letter())
	}
	return b.String()
}

// TestStates reads as a table of situations and what chronyc selectdata would
// say of them.
func TestStates(t *testing.T) {
	far := good(500*ms, 10*ms)
	near := good(0, 10*ms)
	authenticated := with(near, func(c *Candidate) { c.Authenticated = true })
	option := func(o Options) Candidate { return with(near, func(c *Candidate) { c.Options = o }) }
	for _, c := range []struct {
		name  string
		cfg   func(*Config)
		cands []Candidate
		want  string
		why   string
	}{
		{name: "no sources", want: "", why: "no sources"},
		{name: "a single source selects alone", cands: []Candidate{near}, want: "*"},
		{name: "two that agree", cands: []Candidate{near, good(5*ms, 10*ms)}, want: "*+"},
		{name: "two that disagree", cands: []Candidate{near, far}, want: "xx", why: "no majority: at most 1 of 2 sources agree"},
		{name: "two that disagree, one trusted", cands: []Candidate{far, option(Options{Trust: true})}, want: "x*"},
		{name: "one liar of three", cands: []Candidate{near, far, near}, want: "*x+"},
		{name: "two liars of four", cands: []Candidate{near, far, near, good(-500*ms, 10*ms)}, want: "xxxx", why: "no majority: at most 2 of 4 sources agree"},
		{name: "noselect", cands: []Candidate{option(Options{NoSelect: true}), good(ms, 12*ms)}, want: "N*"},
		{name: "not ready", cands: []Candidate{with(near, func(c *Candidate) { c.Ready, c.Reachable = false, false })}, want: "M", why: "1 of 1 sources: has too few samples yet"},
		{name: "others are about to answer", cands: []Candidate{near, with(near, func(c *Candidate) { c.Ready = false })}, want: "WM", why: "waiting for the first samples of other sources"},
		{name: "two agree while one is about to answer", cands: []Candidate{near, near, with(near, func(c *Candidate) { c.Ready = false })}, want: "*+M"},
		{name: "unsynchronised", cands: []Candidate{with(near, func(c *Candidate) { c.Synchronised = false }), near}, want: "s*"},
		{name: "distant", cands: []Candidate{good(0, 4*time.Second), near}, want: "d*"},
		{name: "jittery", cands: []Candidate{with(near, func(c *Candidate) { c.SD = 2 * time.Second }), near}, want: "~*"},
		{name: "silent while another answers", cands: []Candidate{with(near, func(c *Candidate) { c.Reachable = false }), near}, want: "S*"},
		{name: "silent while none answers", cands: []Candidate{with(near, func(c *Candidate) { c.Reachable = false })}, want: "*"},
		{name: "silent for too long", cands: []Candidate{with(near, func(c *Candidate) { c.Reachable, c.Lost = false, true })}, want: "S", why: "1 of 1 sources: does not answer"},
		{name: "offline", cands: []Candidate{with(near, func(c *Candidate) { c.Online, c.Reachable = false, false }), near}, want: "S*"},
		{name: "too distant to be combined", cands: []Candidate{near, good(0, 40*ms)}, want: "*D"},
		{name: "combining switched off", cfg: func(c *Config) { c.CombineLimit = 0 }, cands: []Candidate{near, near}, want: "*D"},
		{name: "preferred", cands: []Candidate{near, with(good(0, 30*ms), func(c *Candidate) { c.Options.Prefer = true })}, want: "P*"},
		{name: "preferred but a liar", cands: []Candidate{near, near, with(far, func(c *Candidate) { c.Options.Prefer = true })}, want: "*+x"},
		{name: "stratum", cands: []Candidate{with(near, func(c *Candidate) { c.Stratum = 3 }), near}, want: "+*"},
		{name: "minsources", cfg: func(c *Config) { c.MinSources = 2 }, cands: []Candidate{near}, want: "W", why: "1 of 2 needed sources are selectable"},
		{name: "required source is silent", cands: []Candidate{near, with(near, func(c *Candidate) { c.Ready, c.Reachable, c.Options.Require = false, false, true })}, want: "WM", why: "no required source is selectable"},
		{name: "required source agrees", cands: []Candidate{near, with(good(0, 20*ms), func(c *Candidate) { c.Options.Require = true })}, want: "*+"},
		{name: "mix: plain ones cannot outvote", cands: []Candidate{far, far, far, authenticated}, want: "xxx*"},
		{name: "mix: plain ones may help", cands: []Candidate{good(ms, 2*ms), authenticated}, want: "*D"},
		{name: "mix: a plain one must lie within", cands: []Candidate{good(8*ms, 5*ms), authenticated}, want: "T*"},
		{name: "mix: no authenticated one answers", cands: []Candidate{near, with(authenticated, func(c *Candidate) { c.Ready, c.Reachable = false, false })}, want: "WM", why: "no required source is selectable"},
		{name: "mix: only plain ones", cands: []Candidate{near, near}, want: "*+"},
		{name: "require", cfg: func(c *Config) { c.AuthMode = AuthRequire }, cands: []Candidate{near, near}, want: "NN", why: "2 of 2 sources: not to be selected"},
		{name: "prefer mode", cfg: func(c *Config) { c.AuthMode = AuthPrefer }, cands: []Candidate{near, with(authenticated, func(c *Candidate) { c.Ready = false })}, want: "NM", why: "1 of 2 sources: not to be selected"},
		{name: "prefer mode, only plain ones", cfg: func(c *Config) { c.AuthMode = AuthPrefer }, cands: []Candidate{near}, want: "*"},
		{name: "ignore", cfg: func(c *Config) { c.AuthMode = AuthIgnore }, cands: []Candidate{far, far, authenticated}, want: "*+x"},
		{name: "a noselect authenticated source counts for nothing", cands: []Candidate{near, with(authenticated, func(c *Candidate) { c.Options.NoSelect = true })}, want: "*N"},
		{name: "trusted ones disagree", cands: []Candidate{option(Options{Trust: true}), with(far, func(c *Candidate) { c.Options.Trust = true }), near}, want: "xxx", why: "no majority: at most 1 of 2 sources agree"},
	} {
		cfg := DefaultConfig()
		if c.cfg != nil {
			c.cfg(&cfg)
		}
		r := Select(cfg, clock.Reading{}, c.cands, -1)
		if got := letters(r); got != c.want || r.Why != c.why {
			t.Errorf("%s: got %q (%q), want %q (%q)", c.name, got, r.Why, c.want, c.why)
		}
		if (r.Selected >= 0) != strings.Contains(c.want, "*") {
			t.Errorf("%s: Selected got %d", c.name, r.Selected)
		}
	}
}

// TestOrphans: who follows whom where the others claim the stratum of an
// orphan. Ours is 10.
func TestOrphans(t *testing.T) {
	orphan := func(stratum, address uint8) Candidate {
		return with(good(0, 10*ms), func(c *Candidate) {
			c.Stratum, c.Address, c.Own = stratum, wire.ReferenceID{192, 0, 2, address}, wire.ReferenceID{192, 0, 2, 5}
		})
	}
	silent := with(orphan(10, 1), func(c *Candidate) { c.Reachable = false })
	for _, c := range []struct {
		name  string
		minor bool
		cands []Candidate
		want  string
	}{
		{"a smaller address", false, []Candidate{orphan(10, 3)}, "*"},
		{"a larger address", false, []Candidate{orphan(10, 7)}, "O"},
		{"our own address", false, []Candidate{orphan(10, 5)}, "O"},
		{"addresses are no signed numbers", false, []Candidate{with(orphan(10, 3), func(c *Candidate) { c.Address[0] = 127 })}, "*"},
		{"the smallest of several", false, []Candidate{orphan(10, 4), orphan(10, 2), orphan(10, 3)}, "O*O"},
		{"the smallest does not answer", false, []Candidate{silent, orphan(10, 2), orphan(10, 3)}, "S*O"},
		{"nobody answers", false, []Candidate{silent}, "O"},
		{"those that follow one are not followed", false, []Candidate{orphan(11, 1), orphan(11, 7)}, "OO"},
		{"real time is preferred", false, []Candidate{orphan(10, 1), orphan(9, 7)}, "O*"},
		{"one that knows nothing yet follows a larger address", true, []Candidate{orphan(10, 9), orphan(10, 7)}, "O*"},
		{"but none that follows another", true, []Candidate{orphan(11, 1)}, "O"},
	} {
		cfg := DefaultConfig()
		cfg.Orphan = Orphan{Stratum: 10, Minor: c.minor}
		if got := letters(Select(cfg, clock.Reading{}, c.cands, -1)); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
	waiting := with(orphan(10, 1), func(c *Candidate) { c.Ready = false })
	cfg := DefaultConfig()
	cfg.Orphan.Stratum = 10
	if got := letters(Select(cfg, clock.Reading{}, []Candidate{orphan(9, 7), waiting}, -1)); got != "*M" {
		t.Errorf("real time beside an orphan without samples: got %s, want *M", got)
	}
}

// TestHysteresis: a source that is better takes over with the sample that makes
// its lead large enough, one that is as good never does, and one that may not be
// selected has no lead.
func TestHysteresis(t *testing.T) {
	for _, c := range []struct {
		name    string
		other   time.Duration // the distance of the one that is not selected
		change  func(c *Candidate)
		samples int // until it is; 0: never
	}{
		{"as good", 10 * ms, nil, 0},
		{"better by less than reselectdist", 10*ms - 50*time.Microsecond, nil, 0},
		{"better by a fifth", 8 * ms, nil, 11},
		{"twice as good", 5 * ms, nil, 4},
		{"hundred times as good", 100 * time.Microsecond, nil, 1},
		{"better, and says nothing new", 5 * ms, func(c *Candidate) { c.Fresh = false }, 0},
		{"better, of a higher stratum", 5 * ms, func(c *Candidate) { c.Stratum = 9 }, 0},
		{"better, but wrong", 5 * ms, func(c *Candidate) { c.Offset = 1e9 }, 0},
	} {
		cands := []Candidate{good(0, 10*ms), good(0, c.other), good(0, 10*ms)}
		cands[1].Fresh = true
		if c.change != nil {
			c.change(&cands[1])
		}
		got, previous := 0, 0
		for n := 1; n <= 100 && got == 0; n++ {
			r := Select(DefaultConfig(), clock.Reading{}, cands, previous)
			if previous = r.Selected; previous == 1 {
				got = n
			}
			cands[1].Lead.Note(r.Score[1], clock.Mono(n))
			if cands[1].Lead.Fresh(clock.Mono(n)) || r.States[1] == StateFalseticker && r.Score[1] != 1 {
				t.Errorf("%s: lead %v after sample %d", c.name, cands[1].Lead, n)
			}
		}
		if got != c.samples {
			t.Errorf("%s: selected with sample %d, want %d", c.name, got, c.samples)
		}
	}
	cands := []Candidate{good(0, 10*ms), good(0, 10*ms-50*time.Microsecond)}
	if r := Select(DefaultConfig(), clock.Reading{}, cands, -1); r.Selected != 1 {
		t.Errorf("none before: selected got %d, want the nearest", r.Selected)
	}
	cands[0].Options.NoSelect = true
	if r := Select(DefaultConfig(), clock.Reading{}, cands, 0); r.Selected != 1 {
		t.Errorf("the one before may not be selected: got %d, want the other at once", r.Selected)
	}
}

// TestMinority: whatever a minority of liars says, the selected source's error
// stays within its own distance plus what honest sources claim, and the truth
// within what a majority holds for possible; which is no more than what the
// honest ones do.
func TestMinority(t *testing.T) {
	const seed = 1
	rng := rand.New(rand.NewPCG(seed, 2))
	for round := range 20000 {
		n := 1 + rng.IntN(7)
		liars := rng.IntN((n + 1) / 2)
		cands := make([]Candidate, n)
		widest := time.Duration(0)
		for i := range cands {
			distance := time.Duration(1 + rng.Int64N(int64(50*ms)))
			if i < liars {
				cands[i] = good(time.Duration(rng.Int64N(int64(200*ms)))-100*ms, distance)
				continue
			}
			widest = max(widest, distance)
			cands[i] = good(time.Duration(rng.Int64N(2*int64(distance)+1))-distance, distance)
		}
		rng.Shuffle(n, func(i, j int) { cands[i], cands[j] = cands[j], cands[i] })
		r := Select(DefaultConfig(), clock.Reading{}, cands, -1)
		if r.Selected < 0 {
			t.Fatalf("seed %d round %d: %d liars of %d: none selected: %s", seed, round, liars, n, r.Why)
		}
		if bound := 2*widest + 2*cands[r.Selected].Distance; cands[r.Selected].Offset.Abs() > bound {
			t.Fatalf("seed %d round %d: selected an offset of %v, bound %v", seed, round, cands[r.Selected].Offset.Duration(), bound)
		}
		lo, hi := r.TrueLo.Duration(), r.TrueHi.Duration()
		if lo > 0 || hi < 0 || lo < -2*widest || hi > 2*widest {
			t.Fatalf("seed %d round %d: the truth, 0, is said to lie from %v to %v; honest sources reach %v", seed, round, lo, hi, 2*widest)
		}
	}
}

func TestLettersAndMarks(t *testing.T) {
	if got := stateCount.String(); got != "unknown" {
		t.Errorf("String of no state: got %q", got)
	}
	for s := range stateCount {
		if s.String() == "" || s.Letter() == 0 || s.Mark() == 0 {
			t.Errorf("state %d has no letter, mark or words", s)
		}
	}
	if StateSelected.Letter() != '*' || StateFalseticker.Mark() != 'x' || StateOutlier.Mark() != '-' || StateDistant.Mark() != '?' {
		t.Error("letters and marks are not chronyc's")
	}
}

func FuzzSelect(f *testing.F) {
	f.Add(uint64(1), uint8(3), int64(1))
	f.Fuzz(func(t *testing.T, seed uint64, n uint8, huge int64) {
		rng := rand.New(rand.NewPCG(seed, 3))
		cands := make([]Candidate, n%9)
		for i := range cands {
			b := rng.Uint64()
			cands[i] = Candidate{
				Offset: clock.Offset(rng.Uint64() >> rng.UintN(64)), Distance: time.Duration(rng.Uint64() >> rng.UintN(64)),
				SD:      time.Duration(rng.Uint64() >> rng.UintN(64)),
				Stratum: uint8(b), Reachable: b&256 != 0, Ready: b&512 != 0, Synchronised: b&1024 != 0,
				Authenticated: b&2048 != 0, Online: b&4096 != 0,
				Options: Options{b&(1<<13) != 0, b&(1<<14) != 0, b&(1<<15) != 0, b&(1<<16) != 0},
				Samples: int(b >> 17 & 31), Fresh: b&(1<<22) != 0, Outside: int(b >> 23 & 31), Lead: Lead{score: float64(b >> 28 & 15)},
			}
		}
		cfg := DefaultConfig()
		cfg.AuthMode = AuthMode(seed % 4)
		cfg.MaxDistance, cfg.MaxJitter = time.Duration(huge), time.Duration(huge)
		r := Select(cfg, clock.Reading{}, cands, int(n%9)-1)
		for i, s := range r.States {
			if s >= stateCount || s == StateSelected != (i == r.Selected) {
				t.Fatalf("states: got %v, selected %d", r.States, r.Selected)
			}
		}
		if (r.Why == "") != (r.Selected >= 0) {
			t.Fatalf("Why %q with selected %d", r.Why, r.Selected)
		}
	})
}

// TestOutsiders: where most of those that may tell the truth agree to within
// their deviations, one that differs by more is not combined, however wide its
// bounds; where none do, or only half, all count.
func TestOutsiders(t *testing.T) {
	cfg := DefaultConfig()
	near := func(offset, sd time.Duration) Candidate {
		return Candidate{
			Offset: clock.Offset(offset), SD: sd, Samples: 100, Distance: 5 * time.Millisecond, Stratum: 1,
			Reachable: true, Ready: true, Synchronised: true, Online: true,
		}
	}
	for _, c := range []struct {
		name    string
		offsets []time.Duration // in us
		out     int             // index of the one set aside, -1: none
	}{
		{"one of three", []time.Duration{0, 50, 2000}, 2},
		{"the first of four", []time.Duration{-3000, 50, 20, 0}, 0},
		{"all agree", []time.Duration{0, 50, 100}, -1},
		{"two", []time.Duration{0, 2000}, -1},
		{"all differ", []time.Duration{0, 2000, 4000}, -1},
		{"two camps", []time.Duration{0, 10, 2000, 2010}, -1},
	} {
		var cands []Candidate
		for _, o := range c.offsets {
			cands = append(cands, near(o*time.Microsecond, 30*time.Microsecond))
		}
		r := Select(cfg, clock.Reading{}, cands, -1)
		for i, s := range r.States {
			if (s == StateOutlier) != (i == c.out) {
				t.Errorf("%s: state of source %d: got %v", c.name, i, s)
			}
		}
	}
	// Of four far ones that hardly know the time yet one thinks it does.
	for samples, want := range map[int]State{8: StateSelected, 100: StateOutlier} {
		cands := []Candidate{near(0, time.Microsecond)}
		cands[0].Distance /= 10
		for i, o := range []time.Duration{900, 1000, 1700, 1300} {
			cands = append(cands, near(o*time.Microsecond, time.Millisecond))
			cands[i+1].Samples = samples
		}
		cands[2].SD /= 20
		if r := Select(cfg, clock.Reading{}, cands, 0); r.States[0] != want {
			t.Errorf("one of four is sure of something else after %d samples: got %v, want %v", samples, r.States[0], want)
		}
	}
	cands := []Candidate{near(0, 30*time.Microsecond), near(0, 30*time.Microsecond), near(2*time.Millisecond, 30*time.Microsecond)}
	cands[2].Options.Prefer = true
	if r := Select(cfg, clock.Reading{}, cands, -1); r.Selected != 2 {
		t.Errorf("a preferred source that differs: got %d selected, want 2", r.Selected)
	}
}

// TestTie: of two camps that one vague source agrees with, the one that the
// clock has been following wins.
func TestTie(t *testing.T) {
	cands := make([]Candidate, 5)
	for i, o := range []clock.Offset{2e6, 2e6, 0, 0, 1e6} {
		cands[i] = Candidate{
			Offset: o, SD: time.Microsecond, Distance: 500 * time.Microsecond, Stratum: 1,
			Reachable: true, Ready: true, Synchronised: true, Online: true,
		}
	}
	cands[4].Distance = 2 * time.Millisecond
	r := Select(DefaultConfig(), clock.Reading{}, cands, -1)
	if r.States[0] != StateFalseticker || r.States[2] == StateFalseticker {
		t.Errorf("states: got %v, want the first two to be falsetickers", r.States)
	}
}

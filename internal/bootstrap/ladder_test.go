package bootstrap

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
)

const (
	built = clock.Wall(1_790_000_000_000_000_000)
	ms    = clock.Offset(time.Millisecond)
	aDay  = clock.Offset(24 * time.Hour)
)

func foot() clock.Reading { return clock.Reading{Mono: 1e9} } // 1970

func three() Config {
	return Config{Mode: ModeLadder, Floor: built, FloorFrom: "the build", Deadline: 300 * time.Second, Operators: []string{"c", "a", "b", "a"}}
}

// vote is one around an offset.
func vote(operator string, at clock.Offset, strict bool) Vote {
	return Vote{Operator: operator, Lo: at - 10*ms, Hi: at + 10*ms, Strict: strict}
}

func TestAgreement(t *testing.T) {
	for _, c := range []struct {
		name      string
		agree     int
		votes     []Vote
		in        string // who is in, a letter each
		agreed    bool
		confirmed bool
	}{
		{"nobody", 0, nil, "", false, false},
		{"one of three", 0, []Vote{vote("a", 0, true)}, "a", false, false},
		{"two of three", 0, []Vote{vote("a", 0, false), vote("b", 5*ms, false)}, "ab", true, false},
		{"two of three, strict", 0, []Vote{vote("a", 0, true), vote("b", 5*ms, true)}, "ab", true, true},
		{"one strict", 0, []Vote{vote("a", 0, true), vote("b", 5*ms, false)}, "ab", true, false},
		{"one lies", 0, []Vote{vote("a", 0, false), vote("b", aDay, false), vote("c", ms, false)}, "ac", true, false},
		{"all differ", 0, []Vote{vote("a", 0, false), vote("b", aDay, false), vote("c", 2*aDay, false)}, "a", false, false},
		{"three servers, one operator", 0, []Vote{vote("a", aDay, false), vote("a", aDay, false), vote("a", aDay, false), vote("b", 0, false)}, "aaa", false, false},
		{"many servers of one do not outvote two", 0, []Vote{
			vote("a", aDay, false), vote("a", aDay, false), vote("a", aDay, false), vote("b", 0, false), vote("c", 0, false),
		}, "bc", true, false},
		{"strangers do not count", 0, []Vote{vote("a", 0, false), vote("x", 0, false), vote("", 0, false)}, "a", false, false},
		{"one is enough if so configured", 1, []Vote{vote("b", 0, false)}, "b", true, false},
		{"all of them, more than there are", 9, []Vote{vote("a", 0, false), vote("b", 0, false)}, "ab", false, false},
		{"chained intervals have no common point", 0, []Vote{vote("a", 0, false), vote("b", 15*ms, false), vote("c", 30*ms, false)}, "ab", true, false},
		{"those on trial do not displace the confirmed", 2, []Vote{
			vote("a", 0, true), vote("b", 0, true), vote("a", aDay, false), vote("b", aDay, false), vote("c", aDay, false),
		}, "ab", true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := three()
			cfg.Agree = c.agree
			l := New(cfg, foot())
			j := l.Judge(c.votes)
			got := ""
			for i, in := range j.In {
				if in {
					got += c.votes[i].Operator
				}
			}
			if got != c.in || j.Agreed != c.agreed || j.Confirmed != c.confirmed {
				t.Errorf("got %q agreed %t confirmed %t, want %q %t %t", got, j.Agreed, j.Confirmed, c.in, c.agreed, c.confirmed)
			}
		})
	}
}

// A muted vote has no say, however well it fits.
func TestMute(t *testing.T) {
	l := New(three(), foot())
	mute := vote("b", 0, true)
	mute.Mute = true
	if j := l.Judge([]Vote{vote("a", 0, true), mute}); j.Agreed || j.In[1] {
		t.Errorf("got %+v, want no agreement", j)
	}
}

// Whatever the votes: those who are said to agree have a common point, and
// fewer operators than needed never agree.
func TestAgreementHolds(t *testing.T) {
	const seed = 6
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 5000 {
		cfg := three()
		cfg.Operators = []string{"a", "b", "c", "d", "e"}[:1+rng.IntN(5)]
		cfg.Agree = rng.IntN(4)
		l := New(cfg, foot())
		var votes []Vote
		for range rng.IntN(9) {
			v := vote(string("abcdef"[rng.IntN(6)]), clock.Offset(rng.IntN(60))*ms, rng.IntN(2) == 0)
			v.Hi += clock.Offset(rng.IntN(40)) * ms
			v.Mute = rng.IntN(5) == 0
			votes = append(votes, v)
		}
		j := l.Judge(votes)
		lo, hi := clock.Offset(-1<<62), clock.Offset(1<<62)
		voices := map[string]bool{}
		for i, in := range j.In {
			if in {
				lo, hi, voices[votes[i].Operator] = max(lo, votes[i].Lo), min(hi, votes[i].Hi), true
			}
		}
		if lo > hi || j.Agreed != (len(voices) >= l.Need()) || len(voices) != len(j.Operators) || j.Confirmed && !j.Agreed {
			t.Fatalf("votes %+v: got %+v", votes, j)
		}
	}
}

func TestWayUp(t *testing.T) {
	l := New(three(), foot())
	now := foot()
	v := l.Verify(now, now.Wall, false)
	if want := (event.Verify{Tentative: true, Floor: built}); v != want {
		t.Errorf("at the foot: got %+v, want %+v", v, want)
	}
	if l.Judge([]Vote{vote("a", 0, false)}); l.Climb(now) || l.Decides() {
		t.Error("one of three: it climbs")
	}
	votes := []Vote{vote("a", 0, false), vote("b", 0, false), vote("c", aDay, false)}
	votes[1].NotBefore, votes[2].NotBefore = built+7, built+9
	l.Judge(votes)
	if !l.Decides() || !l.OnTrial() || !l.Climb(now) || l.Phase() != PhaseConfirming {
		t.Fatalf("two of three on trial: got %v", l.Phase())
	}
	if got := l.Floor(); got != built {
		t.Errorf("floor: got %d past the build, want it unmoved by what is on trial", got-built)
	}
	if got, want := l.Verify(now, built+50, false), (event.Verify{At: built + 50}); got != want {
		t.Errorf("confirming: got %+v, want %+v", got, want)
	}
	if l.Climb(now) {
		t.Error("climbed again without news")
	}
	votes[0].Strict = true
	if l.Judge(votes); l.Climb(now) {
		t.Error("one strict vote: trusted")
	}
	votes[1].Strict = true
	if l.Judge(votes); l.OnTrial() || !l.Climb(now) || l.Phase() != PhaseDone || l.Waiting() != "" {
		t.Errorf("two strict votes: got %v, waits for %q", l.Phase(), l.Waiting())
	}
	if got := l.Floor(); got != built+7 {
		t.Errorf("floor: got %d past the build, want the youngest certificate of those who agree", got-built)
	}
	now.Wall = built + 90
	if got, want := l.Verify(now, built+91, true), (event.Verify{At: built + 91}); got != want {
		t.Errorf("done: got %+v, want %+v", got, want)
	}
}

func TestRevoked(t *testing.T) {
	up := func(strict bool) *Ladder {
		l := New(three(), foot())
		l.Judge([]Vote{vote("a", 0, strict), vote("b", 0, strict), vote("c", 0, strict)})
		l.Climb(foot())
		return l
	}
	l := up(true)
	if l.HandleRevoked([]Vote{vote("a", 0, true), vote("b", 0, true)}) || l.Phase() != PhaseDone {
		t.Errorf("two of three are left: got %v, want done", l.Phase())
	}
	if !l.HandleRevoked([]Vote{vote("a", 0, true), vote("b", 0, false)}) || l.Phase() != PhaseSearching {
		t.Errorf("one strict is left: got %v, want searching", l.Phase())
	}
	l = up(false)
	if l.HandleRevoked([]Vote{vote("a", 0, false), vote("b", 0, false)}) || l.Phase() != PhaseConfirming {
		t.Errorf("two on trial are left: got %v, want confirming", l.Phase())
	}
	if !l.HandleRevoked([]Vote{vote("a", 0, false)}) || l.Phase() != PhaseSearching {
		t.Errorf("one on trial is left: got %v, want searching", l.Phase())
	}
	if l.HandleRevoked(nil) {
		t.Error("revoked at the foot: there was nothing to lose")
	}
}

func TestModes(t *testing.T) {
	now := clock.Reading{Mono: 5, Wall: 77}
	for _, c := range []struct {
		mode    Mode
		updated bool
		want    event.Verify
	}{
		{ModeStrict, false, event.Verify{At: 77}},
		{ModeNoCertTimeCheck, false, event.Verify{Tentative: true, At: 77, Floor: built}},
		{ModeNoCertTimeCheck, true, event.Verify{At: 77}},
		{ModeLadder, true, event.Verify{Tentative: true, At: 77, Floor: built}},
	} {
		cfg := three()
		cfg.Mode = c.mode
		l := New(cfg, now)
		if got := l.Verify(now, 99, c.updated); got != c.want {
			t.Errorf("%v, updated %t: got %+v, want %+v", c.mode, c.updated, got, c.want)
		}
		if l.Climbing() != (c.mode == ModeLadder) {
			t.Errorf("%v: climbing %t", c.mode, l.Climbing())
		}
	}
	none := three()
	none.Operators = nil
	if l := New(none, now); l.Phase() != PhaseOff || l.Climbing() {
		t.Error("a ladder without operators")
	}
	l := New(none, now)
	if l.HandleConfig(three(), true); l.Phase() != PhaseDone {
		t.Errorf("switched on while synchronised: got %v, want done", l.Phase())
	}
	if l.HandleConfig(none, true); l.Phase() != PhaseOff {
		t.Errorf("switched off: got %v", l.Phase())
	}
	if l.HandleConfig(three(), false); l.Phase() != PhaseSearching {
		t.Errorf("switched on without a time: got %v, want searching", l.Phase())
	}
}

// The deadline says what is missing, once, and forces nothing.
func TestDeadline(t *testing.T) {
	l := New(three(), foot())
	l.Judge([]Vote{vote("b", 0, false)})
	now := foot()
	if now.Mono = l.NextDeadline() - 1; len(l.HandleTimer(now, nil)) != 0 {
		t.Error("told too early")
	}
	now.Mono++
	out := l.HandleTimer(now, nil)
	if len(out) != 1 || !strings.Contains(out[0].(event.Notice).Text, "1 of 3 operators agree (b), 2 needed; no usable time from a, c") {
		t.Fatalf("got %+v", out)
	}
	if l.NextDeadline() != clock.Never || len(l.HandleTimer(now, nil)) != 0 || l.Phase() != PhaseSearching {
		t.Error("told twice, or something was forced")
	}
}

// Who tells another time is not said to be silent.
func TestWaitingForAgreement(t *testing.T) {
	for _, c := range []struct {
		votes []Vote
		want  string
	}{
		{nil, "0 of 3 operators agree, 2 needed; no usable time from a, b, c"},
		{[]Vote{vote("a", 0, false), vote("c", 500*ms, false), vote("c", 501*ms, false)}, "1 of 3 operators agree (a), 2 needed; another time from c; no usable time from b"},
		{[]Vote{vote("a", 0, false), vote("b", -700*ms, false), vote("c", 500*ms, false)}, "1 of 3 operators agree (a), 2 needed; another time from b, c"},
	} {
		l := New(three(), foot())
		l.Judge(c.votes)
		if got := l.Status().Waiting; got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// A time that nobody confirms is given up: who placed the clock may be gone.
func TestGivenUp(t *testing.T) {
	l := New(three(), foot())
	l.Judge([]Vote{vote("a", 0, false), vote("b", 0, false)})
	now := clock.Reading{Mono: 7e9}
	l.Climb(now)
	now.Mono = 7e9 + clock.Mono(confirmFor) - 1
	if l.HandleTimer(now, nil); l.Phase() != PhaseConfirming || l.NextDeadline() != now.Mono+1 {
		t.Errorf("before its time: %v, deadline %v", l.Phase(), l.NextDeadline())
	}
	now.Mono = 7e9 + clock.Mono(confirmFor)
	if l.HandleTimer(now, nil); l.Phase() != PhaseSearching || !l.Verify(now, 1, true).Tentative {
		t.Errorf("got %v, want searching", l.Phase())
	}
}

// The journal is bounded, keeps the floor, and does not repeat itself.
func TestJournal(t *testing.T) {
	l := New(three(), foot())
	for i := range 3 * maxJournal {
		at := clock.Mono(i)
		l.Note(at, Entry{Rung: RungReply, Source: "x", Text: strings.Repeat("y", i/2)})
	}
	s := l.Status()
	if len(s.Journal) != maxJournal || s.Journal[0].Rung != RungFloor || !strings.Contains(s.Journal[0].Text, "the build") {
		t.Errorf("%d entries, the first %+v", len(s.Journal), s.Journal[0])
	}
	if n := len(slices.CompactFunc(slices.Clone(s.Journal), func(a, b Entry) bool { return a.Text == b.Text })); n != maxJournal {
		t.Errorf("%d of %d entries are repeated", maxJournal-n, maxJournal)
	}
	s.Journal[0].Text = "changed"
	if l.Status().Journal[0].Text == "changed" {
		t.Error("the status shares memory with the ladder")
	}
	one := three()
	one.Operators = []string{"a"}
	if w := New(one, foot()).Status().Warning; !strings.Contains(w, "one operator") {
		t.Errorf("warning with one operator: got %q", w)
	}
}

package status

import (
	"strings"
	"testing"

	"ntsd/internal/selection"
	"ntsd/internal/status/captured"
)

// TestExplain: what is said of each state is a sentence about the source,
// names the option that decides where one does, and says nothing twice.
func TestExplain(t *testing.T) {
	seen := map[string]bool{}
	for s := selection.State(0); s.String() != "unknown"; s++ {
		src := Source{
			Ident: Ident{Name: "a", Address: "192.0.2.1"}, Sample: Sample{Online: s != selection.StateOffline, ErrorBoundS: 4},
			Selection: Selection{Letter: string(s.Letter()), State: s.String(), Why: s.String()},
		}
		src.Stats.StdDevS = 2
		got := src.Explain()
		if seen[got] || strings.Count(got, s.String()) != 1 {
			t.Errorf("%v: got %q", s, got)
		}
		seen[got] = true
		want := map[selection.State]string{
			selection.StateNoSelect: "authselectmode", selection.StateDistant: "4000ms is above maxdistance",
			selection.StateJittery: "2000ms is above maxjitter",
		}[s]
		if !strings.Contains(got, want) {
			t.Errorf("%v: got %q, want %q in it", s, got, want)
		}
	}
	src := Source{Ident: Ident{Address: "192.0.2.1"}, Selection: Selection{Letter: "N", State: "not to be selected"}}
	src.Selection.Configured.NoSelect = true
	if got := src.Explain(); got != "not to be selected: option noselect (offline)" {
		t.Errorf("got %q", got)
	}
}

func TestTrouble(t *testing.T) {
	source := func(name, letter, why string) Source {
		return Source{
			Ident: Ident{Name: name, Address: "192.0.2.1"}, Sample: Sample{Online: true},
			Selection: Selection{Letter: letter, State: "does not answer", Why: why},
		}
	}
	ignored := source("n", "N", "")
	ignored.Selection.State, ignored.Selection.Configured.NoSelect = "not to be selected", true
	for _, c := range []struct {
		sources []Source
		want    string
	}{
		{nil, "no sources are configured"},
		{[]Source{source("a", "S", "")}, "a: does not answer"},
		{[]Source{source("a", "M", "certificate expired"), source("b", "M", "certificate expired")}, "each of 2 sources: certificate expired"},
		{[]Source{source("a", "S", "x"), source("b", "M", "y"), source("c", "M", "y")}, "2 of 3 sources: y; a: x"},
		{[]Source{source("a", "S", "x"), source("b", "M", "y"), source("c", "M", "z"), source("d", "M", "u"), source("e", "M", "v")}, "a: x; b: y; c: z; and 2 more"},
		{[]Source{ignored, ignored, source("a", "S", "x")}, "a: x; 2 of 3 sources: not to be selected: option noselect"},
		{[]Source{source("a", "*", "")}, "a: selected, but has not set the clock yet"},
	} {
		r := Report{Sources: c.sources}
		if got := r.Trouble(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
		if r.Tracking.Synchronised = true; r.Trouble() != "" {
			t.Errorf("synchronised: got %q, want nothing", r.Trouble())
		}
	}
}

// What the ladder waits for comes first among the reasons, and the flash's
// writes are counted.
func TestBootstrapIsTheTrouble(t *testing.T) {
	r := FromSnapshot(captured.Climbing(), Info{FlashDay: 3, FlashTotal: 12})
	if got := r.Troubles()[0]; got != "the first time: 2 of 3 operators agree" {
		t.Errorf("got %q", got)
	}
	if r.Tracking.FlashDay != 3 || r.Tracking.FlashWrites != 12 {
		t.Errorf("flash writes: got %d in a day, %d in all", r.Tracking.FlashDay, r.Tracking.FlashWrites)
	}
}

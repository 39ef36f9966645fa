package selection

import (
	"testing"

	"ntsd/internal/wire"
)

// A majority of those that agree announces a leap second, of the authenticated
// ones where there are any.
func TestLeap(t *testing.T) {
	type voice struct {
		state State
		leap  wire.Leap
		auth  bool
	}
	const none, insert, del = wire.LeapNone, wire.LeapInsert, wire.LeapDelete
	for _, c := range []struct {
		name   string
		voices []voice
		want   wire.Leap
	}{
		{"nobody", nil, none},
		{"one", []voice{{StateSelected, insert, false}}, insert},
		{"half", []voice{{StateSelected, insert, false}, {StateCombined, none, false}}, none},
		{"most", []voice{{StateSelected, none, false}, {StateUnused, del, false}, {StateOutlier, del, false}}, del},
		{"liars have no voice", []voice{{StateSelected, none, false}, {StateFalseticker, insert, false}, {StateUnsynced, insert, false}}, none},
		{"an authenticated one against two", []voice{{StateSelected, none, true}, {StateCombined, insert, false}, {StateCombined, insert, false}}, none},
		{"they know no leap second, nor the time", []voice{{StateSelected, wire.LeapUnknown, false}}, none},
	} {
		var r Result
		var cands []Candidate
		for _, v := range c.voices {
			r.States = append(r.States, v.state)
			cands = append(cands, Candidate{Leap: v.leap, Authenticated: v.auth})
		}
		if got := r.Leap(cands); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

package selection

import "ntsd/internal/wire"

// Leap is the leap second that the majority of those that agree announce, of the
// authenticated ones where there are any: one server announces none.
func (r *Result) Leap(cands []Candidate) wire.Leap {
	var votes [2][4]int
	var total [2]int
	for i, s := range r.States {
		if s.Agrees() {
			class := 0
			if cands[i].Authenticated {
				class = 1
			}
			votes[class][cands[i].Leap&3]++
			total[class]++
		}
	}
	class := 0
	if total[1] > 0 {
		class = 1
	}
	for _, l := range []wire.Leap{wire.LeapInsert, wire.LeapDelete} {
		if 2*votes[class][l] > total[class] {
			return l
		}
	}
	return wire.LeapNone
}

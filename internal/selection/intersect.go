package selection

import (
	"fmt"
	"slices"

	"ntsd/internal/clock"
)

// span is an interval of offsets.
type span struct{ lo, hi clock.Offset }

func (s span) contains(t span) bool { return s.lo <= t.lo && t.hi <= s.hi }
func (s span) overlaps(t span) bool { return s.lo <= t.hi && t.lo <= s.hi }

// intersect finds the truechimers among the undecided candidates; the others
// become falsetickers or untrusted. It reports whether there is a majority.
// Where trusted sources are among them, they alone have a vote, and another
// source must lie within what they agree on.
func (r *Result) intersect(pending int) bool {
	trusted := r.voters(true)
	voters := trusted
	if len(trusted) == 0 {
		voters = r.voters(false)
	}
	if len(voters) == 0 {
		r.Why = r.nobody()
		return false
	}
	common, depth := deepest(voters)
	if 2*depth <= len(voters) {
		r.Why = fmt.Sprintf("no majority: at most %d of %d sources agree", depth, len(voters))
		r.replace(undecided, StateFalseticker)
		return false
	}
	if 2*depth <= len(voters)+pending {
		r.wait("waiting for the first samples of other sources")
		return false
	}
	r.common = common
	for i, s := range r.States {
		if s != undecided {
			continue
		}
		own := span{r.Lo[i], r.Hi[i]}
		switch {
		case len(trusted) > 0 && !r.Effective[i].Trust:
			if !common.contains(own) {
				r.States[i] = StateUntrusted
			}
			if !common.overlaps(own) {
				r.States[i] = StateFalseticker
			}
		case !own.contains(common) && !common.contains(own):
			r.States[i] = StateFalseticker
		}
	}
	return true
}

// voters returns the intervals of the undecided candidates, or of the trusted
// ones among them.
func (r *Result) voters(trusted bool) []span {
	var v []span
	for i, s := range r.States {
		if s == undecided && (!trusted || r.Effective[i].Trust) {
			v = append(v, span{r.Lo[i], r.Hi[i]})
		}
	}
	return v
}

// nobody says why no candidate is left, by what is most common.
func (r *Result) nobody() string {
	if len(r.States) == 0 {
		return "no sources"
	}
	var count [stateCount]int
	most := StateNoSelect
	for _, s := range r.States {
		count[s]++
	}
	for s := range count {
		if count[s] > count[most] {
			most = State(s)
		}
	}
	return fmt.Sprintf("%d of %d sources: %s", count[most], len(r.States), most)
}

// deepest returns the interval that the most spans have in common, the first
// one where there are several, and how many those are.
func deepest(spans []span) (common span, depth int) {
	type edge struct {
		at    clock.Offset
		start bool
	}
	edges := make([]edge, 0, 2*len(spans))
	for _, s := range spans {
		edges = append(edges, edge{s.lo, true}, edge{s.hi, false})
	}
	slices.SortFunc(edges, func(a, b edge) int {
		switch {
		case a.at != b.at:
			if a.at < b.at {
				return -1
			}
			return 1
		case a.start == b.start:
			return 0
		case a.start: // touching intervals have a point in common
			return -1
		}
		return 1
	})
	open := 0
	for i, e := range edges {
		if !e.start {
			open--
			continue
		}
		open++
		if open > depth {
			// The next edge closes the interval, or opens a deeper one.
			depth, common = open, span{e.at, edges[i+1].at}
		}
	}
	return common, depth
}

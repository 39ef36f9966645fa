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

// distance is how far the clock, offset 0, is from the interval.
func (s span) distance() clock.Offset { return max(s.lo, -s.hi, 0) }

// deepest returns the interval that the most spans have in common, and how many
// those are. Where there are several, it is the one nearest to the clock: the
// odd source that is vague enough to agree with two camps must not let newcomers
// take it over.
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
		// The next edge closes the interval, or opens a deeper one.
		here := span{e.at, edges[i+1].at}
		if open > depth || open == depth && here.distance() < common.distance() {
			depth, common = open, here
		}
	}
	return common, depth
}

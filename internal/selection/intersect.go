package selection

import (
	"cmp"
	"fmt"
	"math"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/order"
)

// span is an interval of offsets.
type span struct{ lo, hi clock.Offset }

func (s span) contains(t span) bool { return s.lo <= t.lo && t.hi <= s.hi }
func (s span) overlaps(t span) bool { return s.lo <= t.hi && t.lo <= s.hi }

// around returns the interval from d below o to d above it, d >= 0.
func around(o clock.Offset, d time.Duration) span {
	s := span{o - clock.Offset(d), o + clock.Offset(d)}
	if s.lo > o {
		s.lo = -math.MaxInt64
	}
	if s.hi < o {
		s.hi = math.MaxInt64
	}
	return s
}

// within is what s and t have in common, if they overlap.
func (s span) within(t span) span { return span{max(s.lo, t.lo), min(s.hi, t.hi)} }

// intersect finds the truechimers among the undecided candidates; the others
// become falsetickers or untrusted. It reports whether there is a majority.
// Where trusted sources are among them, they alone have a vote, and another
// source must lie within what they agree on.
func (r *Result) intersect(cands []Candidate, pending int) bool {
	voters := r.voters(cands)
	if len(voters) == 0 {
		r.Why = r.nobody()
		return false
	}
	camps := shared(voters, len(voters)/2+1)
	if len(camps) == 0 {
		_, depth := deepest(voters)
		r.Why = fmt.Sprintf("no majority: at most %d of %d sources agree", depth, len(voters))
		r.replace(undecided, StateFalseticker)
		return false
	}
	common, depth := deepest(inside(voters, likeliest(camps, voters)))
	if 2*depth <= len(voters)+pending {
		r.wait("waiting for the first samples of other sources")
		return false
	}
	r.TrueLo, r.TrueHi = camps[0].lo, camps[len(camps)-1].hi
	trusted := r.anyTrusted()
	for i, s := range r.States {
		if s != undecided {
			continue
		}
		own := span{r.Lo[i], r.Hi[i]}
		switch {
		case trusted && !r.Effective[i].Trust:
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

// voter is an interval with a vote, and how well its middle is known if the
// path is alike both ways.
type voter struct {
	span
	offset  clock.Offset
	sd      time.Duration
	samples int
}

// voters returns the undecided candidates, or the trusted ones among them.
func (r *Result) voters(cands []Candidate) []voter {
	trusted := r.anyTrusted()
	var v []voter
	for i, s := range r.States {
		if s == undecided && (!trusted || r.Effective[i].Trust) {
			v = append(v, voter{span{r.Lo[i], r.Hi[i]}, cands[i].Offset, cands[i].SD, cands[i].Samples})
		}
	}
	return v
}

// anyTrusted reports whether a trusted source is among the undecided.
func (r *Result) anyTrusted() bool {
	for i, s := range r.States {
		if s == undecided && r.Effective[i].Trust {
			return true
		}
	}
	return false
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

// likeliest returns, of the camps, the one in which a majority measure the same.
// A liar may stand where more intervals overlap than at the truth, if they are
// wide, but not make honest servers measure what he says. Where no majority
// does, it is the camp nearest to the clock, which is what the majority said so
// far.
func likeliest(camps []span, voters []voter) span {
	middle, agreed := accord(voters)
	best := camps[0]
	for _, camp := range camps {
		if agreed && camp.overlaps(middle) {
			return camp
		}
		if camp.distance() < best.distance() {
			best = camp
		}
	}
	return best
}

// inside returns what lies in the camp of the voters' intervals.
func inside(voters []voter, camp span) (in []voter) {
	for _, v := range voters {
		if v.overlaps(camp) {
			v.span = v.within(camp)
			in = append(in, v)
		}
	}
	return in
}

// shared returns, in order, the intervals of the points that at least n voters
// have in common.
func shared(voters []voter, n int) (camps []span) {
	open := 0
	for _, e := range edges(voters) {
		if !e.start {
			open--
			if open == n-1 {
				camps[len(camps)-1].hi = e.at
			}
			continue
		}
		open++
		if open == n {
			camps = append(camps, span{lo: e.at})
		}
	}
	return camps
}

// deepest returns the interval that the most voters have in common, and how many
// those are. Where there are several, it is the one nearest to the clock: the
// odd source that is vague enough to agree with two camps must not let newcomers
// take it over.
func deepest(voters []voter) (common span, depth int) {
	open := 0
	in := edges(voters)
	for i, e := range in {
		if !e.start {
			open--
			continue
		}
		open++
		// The next edge closes the interval, or opens a deeper one.
		here := span{e.at, in[i+1].at}
		if open > depth || open == depth && here.distance() < common.distance() {
			depth, common = open, here
		}
	}
	return common, depth
}

// edge is one end of a voter's interval.
type edge struct {
	at    clock.Offset
	start bool
}

// edges returns the ends of the voters' intervals in order.
func edges(voters []voter) []edge {
	in := make([]edge, 0, 2*len(voters))
	for _, v := range voters {
		in = append(in, edge{v.lo, true}, edge{v.hi, false})
	}
	order.Stable(in, func(a, b edge) int {
		switch {
		case a.at != b.at:
			return cmp.Compare(a.at, b.at)
		case a.start == b.start:
			return 0
		case a.start: // touching intervals have a point in common
			return -1
		}
		return 1
	})
	return in
}

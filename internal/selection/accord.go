package selection

import (
	"math"
	"time"

	"ntsd/internal/clock"
)

// Implementation constants.
const (
	// likelySDs standard deviations hold an estimate's error all but surely (1 in
	// 16000): what the bounds of a path hide comes on top.
	likelySDs = 4
	// closestSDs is where the search for a majority that measures the same begins,
	// and doubles until likelySDs: half of all pairs of equal honest estimates
	// differ by less than half the sum of their deviations. Were only likelySDs
	// looked at, a vague honest estimate would vouch for a liar four of its
	// deviations away, while the others are right in its middle.
	closestSDs = likelySDs / 16.0
	// grownSamples are so many that an estimate's deviation can be relied on. With
	// twice as many, attacked worlds become worse by 2 %.
	grownSamples = 16
	// farthest keeps a product within the numbers: 146 years.
	farthest = time.Duration(math.MaxInt64 / 2)
)

// likely returns where an estimate's own deviation, times sds, places the truth.
func likely(offset clock.Offset, sd time.Duration, sds float64) span {
	return around(offset, time.Duration(min(sds*float64(max(sd, 0)), float64(farthest))))
}

// accord looks for a majority of voters that measure the same, as nearly as
// possible in terms of their own deviations, and returns where their likelySDs
// meet.
func accord(voters []voter) (middle span, ok bool) {
	near := make([]voter, len(voters))
	for sds := closestSDs; sds <= likelySDs; sds *= 2 {
		for i, v := range voters {
			near[i].span = likely(v.offset, v.sd, sds)
		}
		common, depth := deepest(near)
		if 2*depth <= len(voters) {
			continue
		}
		middle = span{-math.MaxInt64, math.MaxInt64}
		for i, v := range voters {
			if near[i].overlaps(common) {
				middle = middle.within(likely(v.offset, v.sd, likelySDs))
			}
		}
		return middle, true
	}
	return span{}, false
}

// doubtOutsiders sets those of the sources left aside that differ from a majority
// of them by more than either's deviation explains. Their wide bounds may hold
// the truth, but either their path is lopsided or they lie within what they get
// away with; the majority is better without them. Where no majority is so much
// at one, all stay. Where some are trusted, they alone have a vote.
func (r *Result) doubtOutsiders(cands []Candidate) {
	voters := r.voters(cands)
	middle, ok := accord(voters)
	if !ok {
		return
	}
	for i, s := range r.States {
		own := likely(cands[i].Offset, cands[i].SD, likelySDs)
		if s == undecided && !r.Effective[i].Prefer && !middle.overlaps(own) && contradicted(own, voters) {
			r.States[i] = StateOutlier
		}
	}
}

// contradicted reports whether what a source says is denied by more than one
// voter, or by one that has measured for long enough to know its own deviation.
// Before a path's empty round trip is known, the deviation may be ten times too
// small, and one of several such voters must not turn the clock away from all the
// others and from a near source. Where there are but two, each counts.
func contradicted(own span, voters []voter) bool {
	against := 0
	for _, v := range voters {
		if own.overlaps(likely(v.offset, v.sd, likelySDs)) {
			continue
		}
		if against++; against > 1 || v.samples >= grownSamples || len(voters) < 3 {
			return true
		}
	}
	return false
}

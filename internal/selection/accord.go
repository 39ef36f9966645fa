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
	// An estimate of fewer than leastSamples sets nobody aside, one of fewer than
	// grownSamples only together with another: its deviation may be ten times too
	// small. With twice as many grownSamples attacked worlds become worse by 2 %.
	leastSamples = 6
	grownSamples = 16
	// A source that was set aside comes back when it is within insideSDs of the
	// others again, or was not beyond likelySDs for outsideSamples of any source:
	// their deviations grow until the next sample, and the clock must not go with
	// them from one camp to the other and back.
	insideSDs      = 2
	outsideSamples = 16
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
	passed := 0
	for i, s := range r.States {
		if s == undecided && cands[i].Fresh {
			passed = 1
		}
	}
	trusted, left := r.anyTrusted(), false
	for i, s := range r.States {
		if s != undecided || r.Effective[i].Prefer {
			continue
		}
		c := &cands[i]
		if !middle.overlaps(likely(c.Offset, c.SD, likelySDs)) && contradicted(c, voters, likelySDs) {
			r.Outside[i] = outsideSamples
		} else if c.Outside > 0 && contradicted(c, voters, insideSDs) {
			r.Outside[i] = min(c.Outside-passed, outsideSamples-1) // denied before, not now
		}
		left = left || r.Outside[i] == 0 && (r.Effective[i].Trust || !trusted)
	}
	for i := range r.States {
		if r.Outside[i] < outsideSamples && !left { // they are the majority now
			r.Outside[i] = 0
		}
		if r.Outside[i] > 0 {
			r.States[i] = StateOutlier
		}
	}
}

// contradicted reports whether what a source says is denied, at so many
// deviations, by more than one voter, or by one that has measured for long enough
// to know its own deviation: one that does not must not turn the clock away from
// all the others and from a near source. Where there are but two, each counts.
func contradicted(c *Candidate, voters []voter, sds float64) bool {
	own, against := likely(c.Offset, c.SD, sds), 0
	for _, v := range voters {
		if own.overlaps(likely(v.offset, v.sd, sds)) {
			continue
		}
		switch {
		case len(voters) < 3, v.samples >= grownSamples:
			return true
		case v.samples >= leastSamples:
			against++
		}
	}
	return against > 1
}

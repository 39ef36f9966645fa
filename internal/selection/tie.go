package selection

import (
	"math"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/filter"
)

// Implementation constants.
const (
	// tieSamples must have come before a tie is believed.
	tieSamples = 8
	// tieMemory: the variance of a tie doubles in this time, for routes change.
	tieMemory = 24 * time.Hour
	// tieSDs: a sample that misses by more is no sample of this tie; tieSurprises
	// of them in a row end it.
	tieSDs       = 5
	tieSurprises = 4
	// tiedSDs: an estimate that differs by more from the selected one, with its
	// bias subtracted, has jumped.
	tiedSDs = 4
	// leanShare is the weight of the newest miss in their mean, in units of what
	// was foretold: by chance that deviates by 0.23. A tie that leans by more than
	// leanDoubt is not used, and begins anew at leanEnd.
	leanShare = 0.1
	leanDoubt = 0.8
	leanEnd   = 1.2
)

// Tie is what has been learnt of a far source's constant difference from the
// near ones: its path is lopsided by so much, or theirs are. Without it, the
// source says how the clock runs, but not what time it is. The zero value knows
// nothing.
type Tie struct {
	bias, variance float64 // of the source, to be subtracted (ns), and its variance
	lean           float64 // mean of the misses, in units of their deviations
	at             clock.Mono
	n              int // samples
	strange        int // in a row
}

// Learn takes the difference of the source's estimate from a near source's
// sample, whose deviations are sd both together.
func (t *Tie) Learn(at clock.Mono, difference clock.Offset, sd time.Duration) {
	d, v := float64(difference), square(sd)
	if t.n == 0 {
		*t = Tie{bias: d, variance: v, at: at, n: 1}
		return
	}
	t.variance += float64(t.variance * (at.Sub(t.at).Seconds() / tieMemory.Seconds()))
	t.at = at
	miss := d - t.bias
	if float64(miss*miss)/(t.variance+v) > tieSDs*tieSDs {
		if t.strange++; t.strange >= tieSurprises {
			*t = Tie{}
		}
		return
	}
	t.strange = 0
	t.lean += float64(leanShare * (miss/math.Sqrt(t.variance+v) - t.lean))
	if math.Abs(t.lean) > leanEnd {
		*t = Tie{}
		return
	}
	gain := t.variance / (t.variance + v)
	t.bias += float64(gain * miss)
	t.variance = float64(gain * v)
	t.n++
}

// Bias returns what is to be subtracted from the source's offset, with its
// deviation; ok is false while that is not known.
func (t *Tie) Bias() (bias clock.Offset, sd time.Duration, ok bool) {
	if t.n < tieSamples || t.strange > 1 || math.Abs(t.lean) > leanDoubt {
		return 0, 0, false
	}
	return clock.Offset(math.Round(t.bias)), time.Duration(math.Ceil(math.Sqrt(t.variance))), true
}

// ties reports whether a candidate, less its bias, tells the same time as the
// selected one, and tells it better. A near one needs no bias subtracted; but one
// that was learnt while the source was far, and is none by chance, remains when
// it counts as near because the selected one has become vague.
func (c *Candidate) ties(selected Candidate, near bool) bool {
	bias, sd, ok := c.Tie.Bias()
	own := square(sd) + square(c.SD)
	switch {
	case !ok,
		near && bias.Abs() < likelySDs*sd,
		!near && own > square(selected.SD):
		return false
	}
	both := own + square(selected.SD)
	miss := float64(c.Offset - bias - selected.Offset)
	return float64(miss*miss) < tiedSDs*tiedSDs*both
}

// Correct subtracts the bias of those that are tied from their estimates.
func (r *Result) Correct(cands []Candidate, ests []filter.Estimate) {
	for i, tied := range r.Tied {
		if !tied {
			continue
		}
		bias, sd, _ := cands[i].Tie.Bias()
		e := &ests[i]
		e.Line.At.Wall = e.Line.At.Wall.Add(-bias.Duration())
		e.OffsetSD = time.Duration(math.Ceil(math.Sqrt(square(e.OffsetSD) + square(sd))))
		e.MinDelay = ests[r.nearest].MinDelay
	}
}

// square is a deviation's variance (ns^2).
func square(sd time.Duration) float64 { return float64(float64(sd) * float64(sd)) }

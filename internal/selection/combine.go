package selection

import (
	"math"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/filter"
)

// Implementation constants.
const (
	// halvings of the search for the sources' hidden bias: 2^-40 of its range.
	halvings = 40
	// sharedError is the share of the best estimate's variance that is assumed to
	// be common to all, because they come from one oscillator: that part does not
	// shrink by averaging, and speaks for nobody.
	sharedError = 0.5
	// chanceScatter: the sum of squares that n estimates with honest deviations
	// have is n-1 on average; up to this many times that, it is taken for chance.
	chanceScatter = 6
	// leastSD (ns) keeps one source from taking all the weight.
	leastSD = 10
)

// part is one estimate on its way into the combination.
type part struct {
	offset float64 // ns, relative to the first one
	sd     float64 // ns
	own    float64 // variance but for what all share, ns^2
	delay  float64 // minimum round trip, ns: what a hidden asymmetry can scale with
	rate   float64
	rateSD float64
}

// Combine joins the estimates of the selected and combined candidates into
// one, described from its point at the time at. ests and states run parallel
// to the candidates; estimates of other states are not looked at. ok is false
// when there is none.
//
// Each counts by its variance. Where the estimates differ by more than their
// deviations explain, the paths are asymmetric: a bias in proportion to the
// delay is added to every variance, just large enough to explain it, so that
// near servers outweigh far ones.
func Combine(at clock.Mono, ests []filter.Estimate, states []State) (e filter.Estimate, ok bool) {
	var parts []part
	for i := range ests {
		if i >= len(states) || states[i] != StateSelected && states[i] != StateCombined {
			continue
		}
		line := ests[i].Line.From(at)
		if len(parts) == 0 {
			e = ests[i]
			e.Line = line
		}
		parts = append(parts, part{
			offset: float64(line.At.Wall.Sub(e.Line.At.Wall)),
			sd:     max(float64(ests[i].OffsetSD), leastSD),
			delay:  float64(ests[i].MinDelay) + leastSD,
			rate:   float64(line.Rate),
			rateSD: max(float64(ests[i].RateSD), 1e-15),
		})
		e.MinDelay = min(e.MinDelay, ests[i].MinDelay)
		e.Wander = max(e.Wander, ests[i].Wander)
	}
	if len(parts) < 2 {
		return e, len(parts) == 1
	}
	shared := math.MaxFloat64
	for _, p := range parts {
		shared = min(shared, float64(sharedError*float64(p.sd*p.sd)))
	}
	for i := range parts {
		parts[i].own = float64(parts[i].sd*parts[i].sd) - shared
	}
	bias := hiddenBias(parts)
	offset, own := meanOffset(parts, bias)
	rate, rateSD := meanRate(parts)
	e.Line.At.Wall = e.Line.At.Wall.Add(time.Duration(math.Round(offset)))
	e.Line.Rate = clock.Rate(rate)
	e.OffsetSD = time.Duration(math.Ceil(math.Sqrt(own + shared)))
	e.RateSD = clock.Rate(rateSD)
	return e, true
}

// meanOffset returns the weighted mean and its variance; the errors are
// independent but for what all share.
func meanOffset(parts []part, bias float64) (mean, variance float64) {
	var sum float64
	for _, p := range parts {
		v := p.variance(bias)
		sum += 1 / v
		mean += p.offset / v
	}
	return mean / sum, 1 / sum
}

// variance is that of the offset but for what all share, with a bias of the
// given size per delay.
func (p part) variance(bias float64) float64 {
	b := float64(bias * p.delay)
	return p.own + float64(b*b)
}

// hiddenBias returns the least bias, as a fraction of the delay, with which
// the estimates' scatter is no larger than their deviations allow.
func hiddenBias(parts []part) float64 {
	scatter := func(bias float64) float64 {
		mean, _ := meanOffset(parts, bias)
		var sum float64
		for _, p := range parts {
			d := p.offset - mean
			sum += float64(d*d) / p.variance(bias)
		}
		return sum
	}
	allowed := float64(chanceScatter * float64(len(parts)-1))
	if scatter(0) <= allowed {
		return 0
	}
	lo, hi := 0.0, 1.0
	for scatter(hi) > allowed && hi < 1e12 {
		hi *= 4
	}
	for range halvings {
		mid := (lo + hi) / 2
		if scatter(mid) > allowed {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}

// meanRate returns the weighted mean of the rates and its deviation: all
// measure one oscillator, so the best of them bounds it.
func meanRate(parts []part) (rate, sd float64) {
	var sum float64
	sd = math.MaxFloat64
	for _, p := range parts {
		w := 1 / float64(p.rateSD*p.rateSD)
		sum += w
		rate += float64(w * p.rate)
		sd = min(sd, p.rateSD)
	}
	return rate / sum, sd
}

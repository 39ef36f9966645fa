package sim

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// errorModel says what the oracle knows of a sample from the excess of its
// round trip: the mean and the variance of its error. For two exponential
// queues and for two normal ones there are formulas; for anything else it
// looks at many packets before the world begins.
type errorModel struct {
	base     float64 // round trip without queues (ns)
	normal   float64 // variance, if both ways are normal
	to, back float64 // mean queues, if both ways are exponential
	bins     []errorBin
}

// errorBin holds what was seen of excesses up to its limit.
type errorBin struct {
	limit          float64
	mean, variance float64
	// scaled: below the first limit the error shrinks with the excess, and mean
	// and variance are shares of it and of its square.
	scaled bool
}

const (
	errorDraws = 20000
	errorBins  = 100
)

// newErrorModel studies a path for a world of the given length.
func newErrorModel(to, back Delay, length Instant, seed uint64) *errorModel {
	m := &errorModel{base: float64(to.fixed() + back.fixed())}
	lawTo, a := to.single()
	lawBack, b := back.single()
	switch {
	case lawTo == LawExponential && lawBack == LawExponential:
		m.to, m.back = float64(a), float64(b)
	case lawTo == LawNormal && lawBack == LawNormal:
		m.normal = (float64(a)*float64(a) + float64(b)*float64(b)) / 4
	default:
		m.study(to, back, length, rand.New(rand.NewPCG(seed, 0x6d6f64)))
	}
	return m
}

// single returns the law and the size of the one part that is not fixed, or
// LawConstant.
func (d Delay) single() (Law, time.Duration) {
	law, size := LawConstant, time.Duration(0)
	for _, p := range d {
		if p.When != (When{}) || p.Chance != 0 || p.Law != LawConstant && law != LawConstant {
			return LawConstant, 0
		}
		if p.Law != LawConstant {
			law, size = p.Law, p.Size
		}
	}
	return law, size
}

// study fills the bins.
func (m *errorModel) study(to, back Delay, length Instant, rng *rand.Rand) {
	type seen struct{ excess, wrong float64 }
	all := make([]seen, errorDraws)
	there, home := newLink(to, rng), newLink(back, rng)
	fixed := float64(to.fixed() - back.fixed())
	for i := range all {
		t := Instant(rng.Int64N(int64(max(length, 1))))
		port := uint16(49152 + rng.UintN(16384))
		x, y := float64(there.draw(t, port)), float64(home.draw(t, port))
		all[i] = seen{x + y - m.base, (x - y - fixed) / 2}
	}
	slices.SortFunc(all, func(a, b seen) int { return cmp.Compare(a.excess, b.excess) })
	const each = errorDraws / errorBins
	for i := 0; i < errorDraws; i += each {
		part := all[i : i+each]
		b := errorBin{limit: part[each-1].excess, scaled: i == 0 && part[0].excess >= 0 && part[each-1].excess > 0}
		var one, two, scale, square float64
		for _, s := range part {
			one += s.wrong
			two += s.wrong * s.wrong
			scale += s.excess
			square += s.excess * s.excess
		}
		b.mean = one / each
		b.variance = two/each - b.mean*b.mean
		if b.scaled {
			b.mean, b.variance = one/scale, b.variance*each/square
		}
		m.bins = append(m.bins, b)
	}
}

// of returns the mean and the variance (ns, ns^2) of (way there - way back)/2
// for a round trip (ns), fixed parts left out.
func (m *errorModel) of(trip float64) (mean, variance float64) {
	d := trip - m.base
	switch {
	case m.normal > 0:
		return 0, m.normal
	case m.bins == nil:
		return cutExponential(max(d, 0), m.to, m.back)
	}
	i, _ := slices.BinarySearchFunc(m.bins, d, func(b errorBin, d float64) int {
		return cmp.Compare(b.limit, d)
	})
	b := m.bins[min(i, len(m.bins)-1)]
	if b.scaled {
		return b.mean * d, b.variance * d * d
	}
	return b.mean, b.variance
}

// cutExponential is for the sum d of two exponential queues of the means a and
// b: given d, the first one's share has an exponential distribution cut off at
// d, which is the uniform one where both means are the same.
func cutExponential(d, a, b float64) (mean, variance float64) {
	if a <= 0 || b <= 0 {
		return 0, d * d / 12
	}
	k := 1/a - 1/b
	switch x := k * d; {
	case math.Abs(x) < 1e-3:
		return 0, d * d / 12
	case x > 30:
		return 1/k - d/2, 1 / (k * k)
	case x < -30:
		return d/2 + 1/k, 1 / (k * k)
	default:
		e := math.Exp(x)
		return 1/k - d/(e-1) - d/2, 1/(k*k) - d*d*e/((e-1)*(e-1))
	}
}

package filter

import "math"

// expNeg returns e^x for x <= 0, 0 below -700. The standard library's Exp is
// assembly on some architectures and differs there in the last bit; this one
// is the same everywhere, because every product is rounded before it is added.
func expNeg(x float64) float64 {
	const (
		log2e = 1.44269504088896338700e+00
		ln2Hi = 6.93147180369123816490e-01 // the upper bits of ln 2, so that k*ln2Hi is exact
		ln2Lo = 1.90821492927058770002e-10
	)
	if x >= 0 {
		return 1
	}
	if x < -700 {
		return 0
	}
	k := math.Floor(float64(x*log2e) + 0.5)
	r := (x - float64(k*ln2Hi)) - float64(k*ln2Lo)
	// Taylor series: |r| <= 0.35, so the term left out is below 1e-13.
	p := 1.0
	for n := 11; n >= 1; n-- {
		p = 1 + float64(r*p)/float64(n)
	}
	return math.Ldexp(p, int(k))
}

// exp returns e^x for any x, at most e^700.
func exp(x float64) float64 {
	if x <= 0 {
		return expNeg(x)
	}
	return 1 / expNeg(max(-x, -700))
}

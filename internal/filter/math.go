package filter

import "math"

const rootTwoPi = 2.50662827463100050242

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
	if !(x > -700) {
		return 0
	}
	k := int64(float64(x*log2e) - 0.5) // rounded: x is negative
	r := (x - float64(float64(k)*ln2Hi)) - float64(float64(k)*ln2Lo)
	// Taylor series: |r| <= 0.35, so the term left out is below 1e-13.
	p := 1.0
	for _, c := range expTerms {
		p = c + float64(r*p)
	}
	return float64(p * expScale * math.Float64frombits(uint64(1023+k)<<52))
}

// expTerms are the coefficients of e^r times 11!, the highest but one first.
var expTerms = [...]float64{11, 110, 990, 7920, 55440, 332640, 1663200, 6652800, 19958400, 39916800, 39916800}

// expScale is 1/11!.
const expScale = 1 / 39916800.0

// mills returns Q(u)/phi(u) for u >= 0: the chance that a standard normal
// variable exceeds u, over its density there. The polynomial in 3/(3+u) is
// right to 1e-9 (a Chebyshev fit of u's whole half-line).
func mills(u float64) float64 {
	t := 3 / (3 + u)
	p := 0.0
	for _, c := range millsTerms {
		p = c + float64(t*p)
	}
	return float64(t * p)
}

// normal returns the standard normal density at z and the chance to exceed z.
func normal(z float64) (density, above float64) {
	density = expNeg(float64(float64(-0.5*z)*z)) / rootTwoPi
	if z < 0 {
		return density, 1 - float64(density*mills(-z))
	}
	return density, float64(density * mills(z))
}

// millsTerms are the coefficients of mills, the highest first.
var millsTerms = [...]float64{
	-0.035959619420474142,
	0.24182413931510749,
	-0.67939243182502301,
	0.9949110474189401,
	-0.76247938602152222,
	0.30072954335930319,
	-0.16206071722795535,
	0.050411445697084558,
	0.11985568159110496,
	0.22252457143580239,
	0.29628296276878011,
	0.33333356734327127,
	0.33333333264341062,
}

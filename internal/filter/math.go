package filter

import (
	"math"
	"math/bits"
)

// Functions of real numbers in integer arithmetic: the same bits on every
// architecture, and quick where there is no floating point unit. (The standard
// library's are assembly on some architectures and differ there in the last
// bit.) The name of a fixed-point number ends in its fractional bits: y30 is y
// times 2^30.

const rootTwoPi = 2.50662827463100050242

// lesser and greater return one of two numbers.
func lesser(x, y float64) float64 {
	if less(x, y) {
		return x
	}
	return y
}

func greater(x, y float64) float64 {
	if less(x, y) {
		return y
	}
	return x
}

// split returns x > 0 as d*2^e with d in [1/2, 1), cut to 32 bits.
func split(x float64) (d32 uint32, e int) {
	b := math.Float64bits(x)
	return uint32(b>>21) | 1<<31, int(b>>52&expBits) - (expBias - 1)
}

// join returns d*2^e.
func join(d32 uint32, e int) float64 {
	if d32 == 0 {
		return 0
	}
	k := bits.LeadingZeros32(d32)
	d32 <<= k & 31
	return math.Float64frombits(uint64(e-k+expBias-1)<<52 | uint64(d32&^(1<<31))<<21)
}

// fixed returns x in [0, 2^(32-fraction)) with so many fractional bits.
func fixed(x float64, fraction int) uint32 {
	d32, e := split(x)
	return d32 >> min(uint(32-fraction-e), 32)
}

// times multiplies; the result has 32 fractional bits less than both together.
func times(x, y uint32) uint32 { return uint32(uint64(x) * uint64(y) >> 32) }

// recip returns 1/x for x > 0, to 4e-8.
func recip(x float64) float64 {
	// A parabola that is right to 1 %, then Newton's y*(2 - d*y) twice.
	const c0, c1, c2 = 2277634042, 3123612677, 1388272480
	d32, e := split(x)
	y29 := uint32(c0) - times(d32, uint32(c1)-times(d32, uint32(c2)))
	y29 = times(y29, 1<<30-times(d32, y29)) << 3
	y29 = times(y29, 1<<30-times(d32, y29)) << 3
	return join(y29, 3-e)
}

// rsqrt returns 1/sqrt(x) for x > 0, to 2e-6.
func rsqrt(x float64) float64 {
	// A parabola that is right to 3 %, then Newton's y*(3 - d*y*y)/2 twice.
	const c0, c1, c2 = 2867787245, 3527625218, 1759398993
	d32, e := split(x)
	if e&1 != 0 { // d in [1/4, 1) and an even exponent
		d32, e = d32>>1, e+1
	}
	y30 := uint32(c0) - times(d32, uint32(c1)-times(d32, uint32(c2)))
	for range 2 {
		square28 := times(y30, y30)
		y30 = times(y30, 3<<28-times(square28, d32)) << 3
	}
	return join(y30, 2-e/2)
}

// sqrt returns the root of x >= 0, to 2e-6.
func sqrt(x float64) float64 {
	if x == 0 {
		return 0
	}
	return mul(x, rsqrt(x))
}

// expNeg returns e^x for x <= 0 to 7e-7, 0 below -700.
func expNeg(x float64) float64 {
	const log2e31 = 3098164009
	if !less(x, 0) {
		return 1
	}
	if less(x, -700) {
		return 0
	}
	// e^x = 2^-(whole + rest)
	x22 := fixed(math.Abs(x), 22)
	t22 := uint32(uint64(x22) * log2e31 >> 31)
	whole, rest32 := t22>>22, t22<<10
	// Chebyshev: right to 8e-8.
	p31 := uint32(exp2Terms[0])
	for _, c := range exp2Terms[1:] {
		p31 = c - times(rest32, p31)
	}
	return join(p31, 1-int(whole))
}

// exp2Terms are the coefficients of 2^-r for r in [0, 1), the highest first, with
// alternating signs.
var exp2Terms = [...]uint32{
	2016033,
	19732394,
	118712300,
	515765849,
	1488511653,
	2147483487,
}

// mills returns Q(u)/phi(u) for u >= 0: the chance that a standard normal
// variable exceeds u, over its density there. The polynomial in t = 3/(3+u) is
// a Chebyshev fit of u's whole half-line,
// right to 7e-7.
func mills(u float64) float64 {
	t := mul(3, recip(add(3, u)))
	t31 := int64(fixed(t, 31))
	p30 := int64(millsTerms[0])
	for _, c := range millsTerms[1:] {
		p30 = int64(c) + (t31 * p30 >> 31)
	}
	return mul(t, join(uint32(p30), 2))
}

// phi returns the standard normal density at z.
func phi(z float64) float64 {
	return mul(expNeg(mul(mul(-0.5, z), z)), 1/rootTwoPi)
}

// normal returns the standard normal density at z and the chance to exceed z.
func normal(z float64) (density, above float64) {
	density = phi(z)
	above = mul(density, mills(math.Abs(z)))
	if less(z, 0) {
		above = sub(1, above)
	}
	return density, above
}

// millsTerms are the coefficients of mills, the highest first.
var millsTerms = [...]int32{
	-18269025,
	160620248,
	-386090966,
	248117127,
	55821569,
	252793710,
	316873488,
	357956821,
	357913708,
}

package filter

import (
	"math"
	"math/bits"
)

// Multiplication and addition of float64 by 32-bit integers, rounded as IEEE
// 754 says (to nearest, ties to even): the bits of the hardware. On a CPU
// without floating point this takes a third of what the compiler's own
// emulation takes. Where an operand or the result is zero, subnormal, infinite
// or no number, that one has the last word.

const (
	expBits  = 0x7ff     // of an exponent
	expBias  = 1023      // of an exponent
	highBits = 1<<20 - 1 // of the mantissa, in the upper word
	highOne  = 1 << 20   // the mantissa's implicit bit, in the upper word
	signBit  = 1 << 31   // in the upper word
	extra    = 3         // bits that softAdd keeps beyond the mantissa
	half     = 1 << 31   // half of the last place, in the word below it
	tie      = 1 << 2    // the same in the extra bits
	apart    = 53 + 2    // exponents so far apart: the smaller number is lost
)

// softMul returns x*y.
func softMul(x, y float64) float64 {
	a, b := math.Float64bits(x), math.Float64bits(y)
	ah, al, bh, bl := uint32(a>>32), uint32(a), uint32(b>>32), uint32(b)
	ea, eb := ah>>20&expBits, bh>>20&expBits
	e := ea + eb - expBias
	if ea-1 >= expBits-1 || eb-1 >= expBits-1 || e-1 >= expBits-3 {
		if a<<1 == 0 && eb < expBits || b<<1 == 0 && ea < expBits {
			return math.Float64frombits((a ^ b) >> 63 << 63)
		}
		return x * y
	}
	sign := (ah ^ bh) & signBit
	// a as 64 bits, its first one at the top, times b's 53 bits: the upper
	// 64 bits of the product are the mantissa, 52 or 53 bits long.
	ah, al = ah<<11|al>>21|signBit, al<<11
	bh = bh&highBits | highOne
	low := uint64(al) * uint64(bl)
	mid := uint64(ah)*uint64(bl) + low>>32
	mid2 := uint64(al)*uint64(bh) + mid&math.MaxUint32
	high := uint64(ah)*uint64(bh) + mid>>32 + mid2>>32
	h, l := uint32(high>>32), uint32(high)
	rest := uint32(mid2) | sticky(uint32(low))
	if h < highOne {
		h, l, rest = h<<1|l>>31, l<<1|rest>>31, rest<<1
		e--
	}
	r := uint64(h&highBits|(e+1)<<20|sign)<<32 | uint64(l)
	if rest > half || rest == half && l&1 != 0 {
		r++ // may carry into the exponent, as it should
	}
	return math.Float64frombits(r)
}

// softAdd returns x+y.
func softAdd(x, y float64) float64 {
	a, b := math.Float64bits(x), math.Float64bits(y)
	if a<<1 < b<<1 {
		a, b = b, a
	}
	ah, al, bh, bl := uint32(a>>32), uint32(a), uint32(b>>32), uint32(b)
	ea, eb := ah>>20&expBits, bh>>20&expBits
	if ea-(apart+1) >= expBits-1-(apart+1) || eb == 0 {
		if b<<1 == 0 && ea-1 < expBits-1 {
			return math.Float64frombits(a)
		}
		return x + y
	}
	d := ea - eb
	if d > apart {
		return math.Float64frombits(a)
	}
	sign, unlike := ah&signBit, (ah^bh)&signBit != 0
	ah, al = (ah&highBits|highOne)<<extra|al>>(32-extra), al<<extra
	bh, bl = (bh&highBits|highOne)<<extra|bl>>(32-extra), bl<<extra
	switch {
	case d >= 32:
		bl, bh = bh>>(d-32)|sticky(bl|bh<<(64-d)), 0
	case d > 0:
		bl, bh = bl>>(d&31)|bh<<(-d&31)|sticky(bl<<(-d&31)), bh>>(d&31)
	}
	sum, other := uint64(ah)<<32|uint64(al), uint64(bh)<<32|uint64(bl)
	if unlike {
		if sum -= other; sum == 0 {
			return 0
		}
		if sum>>(52+extra) == 0 {
			k := uint32(bits.LeadingZeros64(sum)) - (11 - extra)
			sum <<= k & 63
			ea -= k
		}
	} else if sum += other; sum>>(53+extra) != 0 {
		sum = sum>>1 | sum&1
		ea++
	}
	h, l := uint32(sum>>32), uint32(sum)
	r := uint64(h>>extra&highBits|ea<<20|sign)<<32 | uint64(l>>extra|h<<(32-extra))
	if rest := l & (1<<extra - 1); rest > tie || rest == tie && l&(1<<extra) != 0 {
		r++
	}
	return math.Float64frombits(r)
}

// sticky returns 1 if any bit of x is set.
func sticky(x uint32) uint32 { return (x | -x) >> 31 }

// softLess reports whether x < y; neither is NaN.
func softLess(x, y float64) bool {
	a, b := int64(math.Float64bits(x)), int64(math.Float64bits(y))
	if (a|b)<<1 == 0 {
		return false
	}
	// Negative numbers are ordered the other way round.
	return a^int64(uint64(a>>63)>>1) < b^int64(uint64(b>>63)>>1)
}

// softInt returns n, to the nearest.
func softInt(n int64) float64 {
	size, sign := uint64(n), uint64(0)
	if n < 0 {
		size, sign = -size, 1<<63
	}
	k := bits.LeadingZeros64(size)
	if k < 64-53 || n == 0 {
		return float64(n)
	}
	return math.Float64frombits(sign + uint64(expBias+62-k)<<52 + size<<((k-11)&63))
}

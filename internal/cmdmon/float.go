package cmdmon

import "math"

// Constants of the protocol: a number is coefficient * 2^(exponent-25), both in
// two's complement, the exponent in the upper 7 bits of 32.
const (
	coefficientBits = 25
	coefficientMax  = 1<<(coefficientBits-1) - 1
	exponentMin     = -64
	exponentMax     = 63
)

// toFloat returns x in the protocol's form, with a relative error of at most
// 2^-24. What is too large becomes the largest number, what is too small zero,
// and so does what is no number.
func toFloat(x float64) uint32 {
	negative := x < 0
	switch {
	case math.IsNaN(x), x == 0:
		return 0
	case math.IsInf(x, 0):
		return pack(exponentMax, largest(negative), negative)
	}
	// fraction is in [1/2, 1): the coefficient has all its bits.
	fraction, exponent := math.Frexp(math.Abs(x))
	coefficient := int64(math.Round(math.Ldexp(fraction, coefficientBits-1)))
	exponent++
	if most := largest(negative); coefficient > most {
		coefficient /= 2
		exponent++
	} else if 2*coefficient == most {
		coefficient *= 2 // chrony's form of minus a power of two
		exponent--
	}
	switch {
	case exponent > exponentMax:
		return pack(exponentMax, largest(negative), negative)
	case exponent+coefficientBits < exponentMin:
		return 0
	case exponent < exponentMin:
		coefficient >>= exponentMin - exponent
		exponent = exponentMin
	}
	return pack(exponent, coefficient, negative)
}

// largest returns the largest coefficient of a sign.
func largest(negative bool) int64 {
	if negative {
		return coefficientMax + 1
	}
	return coefficientMax
}

func pack(exponent int, coefficient int64, negative bool) uint32 {
	if negative {
		coefficient = -coefficient
	}
	return uint32(exponent)<<coefficientBits | uint32(coefficient)&(1<<coefficientBits-1)
}

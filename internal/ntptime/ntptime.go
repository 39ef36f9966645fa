// Package ntptime holds the time formats of NTP (RFC 5905 section 6): the
// 64-bit timestamp, the 32-bit short format, and the signed exponents of two
// used for poll intervals and precision. It is layer 0.
//
// A Timestamp carries no era. It becomes a clock.Wall only with a pivot: the
// wall time nearest to the pivot that the timestamp can mean, so everything
// keeps working past 2036-02-07.
package ntptime

import (
	"math"
	"math/bits"
	"time"

	"ntsd/internal/clock"
)

// Specification constants.
const (
	// unixEpoch is 1970-01-01 in seconds of NTP era 0 (RFC 5905 figure 4).
	unixEpoch = 2208988800
)

// Timestamp is the NTP timestamp format (RFC 5905 section 6): 32 bits of
// seconds and 32 bits of fraction, modulo 2^32 seconds. Zero means "unknown".
type Timestamp uint64

// FromWall returns the timestamp of w, rounded to the nearest 2^-32 s.
func FromWall(w clock.Wall) Timestamp {
	sec, nsec := w.Unix()
	return Timestamp(uint64(sec+unixEpoch)<<32) + Timestamp(fraction(uint64(nsec)))
}

// fraction converts nanoseconds (below 1e9) to units of 2^-32 s, rounded.
func fraction(nsec uint64) uint64 { return (nsec<<32 + 5e8) / 1e9 }

// Wall returns the wall time nearest to pivot that t can stand for, rounded to
// a nanosecond. The answer lies within 2^31 seconds of the pivot.
func (t Timestamp) Wall(pivot clock.Wall) clock.Wall {
	return pivot.Add(t.Sub(FromWall(pivot)))
}

// Sub returns t-u on the assumption that they are less than 2^31 seconds
// apart, rounded to a nanosecond.
func (t Timestamp) Sub(u Timestamp) time.Duration {
	d := int64(t - u)
	if d < 0 {
		return -nanoseconds(uint64(-d))
	}
	return nanoseconds(uint64(d))
}

// nanoseconds converts units of 2^-32 s to nanoseconds, rounded.
func nanoseconds(units uint64) time.Duration {
	hi, lo := bits.Mul64(units, 1e9)
	lo, carry := bits.Add64(lo, 1<<31, 0)
	return time.Duration((hi+carry)<<32 | lo>>32)
}

// IsZero reports whether t is the value that means "unknown".
func (t Timestamp) IsZero() bool { return t == 0 }

// Short is the NTP short format: 16 bits of seconds and 16 bits of fraction,
// used for root delay and root dispersion.
type Short uint32

// ShortFrom returns d in short format, rounded up so that a bound stays a
// bound, clamped to 0 and the largest value (18 hours).
func ShortFrom(d time.Duration) Short {
	if d <= 0 {
		return 0
	}
	sec, nsec := uint64(d)/1e9, uint64(d)%1e9
	u := sec<<16 + (nsec<<16+1e9-1)/1e9
	if u > math.MaxUint32 {
		return math.MaxUint32
	}
	return Short(u)
}

// Duration returns the short time as a duration, rounded to a nanosecond.
func (s Short) Duration() time.Duration {
	return time.Duration((uint64(s)*1e9 + 1<<15) >> 16)
}

// Exponent is a signed power of two of seconds: poll interval and precision.
type Exponent int8

// Duration returns 2^e seconds, saturating at 2^33 s (NTP's poll exponent
// never passes 17) and at a nanosecond for anything smaller.
func (e Exponent) Duration() time.Duration {
	switch {
	case e >= 33:
		return (1 << 33) * time.Second
	case e >= 0:
		return time.Duration(1<<uint(e)) * time.Second
	case e < -29:
		return time.Nanosecond
	}
	return time.Second >> uint(-e)
}

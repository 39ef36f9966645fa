// Package clock holds the value types for time and frequency that every other
// package speaks: Mono, Wall, Offset and Rate. It is layer 0: it imports only
// the standard library, reads no clock and holds no state.
//
// Two timescales run through the daemon. Mono is the bare local oscillator: it
// never steps and nobody steers it, so measurements live on it. Wall is what
// the kernel tells everybody: it is steered and stepped. A Reading takes both
// at one instant, and a Line maps one onto the other. Mixing the two does not
// compile.
package clock

import (
	"math"
	"time"
)

// Mono is a time on the undisciplined local timescale (CLOCK_MONOTONIC_RAW on
// Linux), in nanoseconds from an arbitrary origin. The zero value is a valid
// time; Never means "no deadline".
type Mono int64

// Never is later than every time that occurs.
const Never Mono = math.MaxInt64

// Add returns m moved by d, saturating at Never.
func (m Mono) Add(d time.Duration) Mono {
	s := m + Mono(d)
	if d > 0 && s < m {
		return Never
	}
	return s
}

// Sub returns the elapsed local time m-n.
func (m Mono) Sub(n Mono) time.Duration { return time.Duration(m - n) }

// Before reports whether m is earlier than n.
func (m Mono) Before(n Mono) bool { return m < n }

// Wall is a civil time: nanoseconds since 1970-01-01T00:00:00Z without leap
// seconds. It reaches from 1678 to 2262, so neither the NTP era change of 2036
// nor 32-bit seconds in 2038 concern it.
type Wall int64

// WallUnix returns the Wall at sec seconds and nsec nanoseconds after 1970.
func WallUnix(sec, nsec int64) Wall { return Wall(sec*1e9 + nsec) }

// WallTime converts a time.Time, for callers at layer 3 and above.
func WallTime(t time.Time) Wall { return WallUnix(t.Unix(), int64(t.Nanosecond())) }

// Time converts to a time.Time in UTC, for callers at layer 3 and above.
func (w Wall) Time() time.Time { return time.Unix(0, int64(w)).UTC() }

// Unix returns the whole seconds since 1970, rounded down, and the rest in
// nanoseconds (0 to 999999999).
func (w Wall) Unix() (sec, nsec int64) {
	sec, nsec = int64(w)/1e9, int64(w)%1e9
	if nsec < 0 {
		sec, nsec = sec-1, nsec+1e9
	}
	return sec, nsec
}

// day is a UTC day without its leap second.
const day = Wall(24 * time.Hour)

// Midnight returns the beginning of the next UTC day.
func (w Wall) Midnight() Wall {
	into := w % day
	if into < 0 {
		into += day
	}
	return w - into + day
}

// LeapDay reports whether a leap second may end this UTC day: the last one of
// June or December (ITU-R TF.460, its first choice).
func (w Wall) LeapDay() bool {
	_, month, d := w.Time().Date()
	return month == time.June && d == 30 || month == time.December && d == 31
}

// Add returns w moved by d.
func (w Wall) Add(d time.Duration) Wall { return w + Wall(d) }

// Sub returns w-v.
func (w Wall) Sub(v Wall) Offset { return Offset(w - v) }

// Before reports whether w is earlier than v.
func (w Wall) Before(v Wall) bool { return w < v }

// Offset is a correction in nanoseconds: true time minus the clock's time.
// A positive offset means that the clock is slow.
type Offset int64

// OffsetSeconds returns s seconds as an Offset, rounded to a nanosecond and
// saturated.
func OffsetSeconds(s float64) Offset {
	ns := math.Round(s * 1e9)
	switch {
	case ns >= math.MaxInt64:
		return math.MaxInt64
	case ns <= math.MinInt64:
		return math.MinInt64
	}
	return Offset(ns)
}

// Seconds returns the offset in seconds.
func (o Offset) Seconds() float64 { return float64(o) * 1e-9 }

// Duration returns the offset as a duration.
func (o Offset) Duration() time.Duration { return time.Duration(o) }

// Abs returns the magnitude of o.
func (o Offset) Abs() time.Duration { return time.Duration(o).Abs() }

// Rate is a relative frequency, dimensionless (seconds per second). Where it
// describes a clock, positive means that the clock gains; where it is a
// correction, positive makes the clock run faster.
type Rate float64

// RatePPM returns a rate of x parts per million.
func RatePPM(x float64) Rate { return Rate(x * 1e-6) }

// PPM returns the rate in parts per million.
func (r Rate) PPM() float64 { return float64(r) * 1e6 }

// Over returns how much a clock with the relative frequency r gains in d.
func (r Rate) Over(d time.Duration) time.Duration {
	return time.Duration(math.Round(float64(r) * float64(d)))
}

// Reading is one instant seen on both timescales.
type Reading struct {
	Mono Mono
	Wall Wall
}

// Line is a straight map from Mono to Wall: it passes through At and advances
// 1+Rate seconds of wall time per second of Mono.
type Line struct {
	At   Reading
	Rate Rate
}

// WallAt returns the wall time of m on the line.
func (l Line) WallAt(m Mono) Wall {
	d := m.Sub(l.At.Mono)
	return l.At.Wall.Add(d).Add(l.Rate.Over(d))
}

// MonoAt returns the local time at which the line reads w.
func (l Line) MonoAt(w Wall) Mono {
	d := float64(w.Sub(l.At.Wall))
	// d/(1+r) = d - d*r/(1+r): the difference keeps its precision.
	return l.At.Mono + Mono(w-l.At.Wall) - Mono(math.Round(d*float64(l.Rate)/(1+float64(l.Rate))))
}

// From returns the same line, described from its point at m.
func (l Line) From(m Mono) Line {
	return Line{At: Reading{Mono: m, Wall: l.WallAt(m)}, Rate: l.Rate}
}

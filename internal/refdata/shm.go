package refdata

import (
	"encoding/binary"
	"math"

	"ntsd/internal/clock"
)

// ShmKey is the key of the segment of unit 0; those of the others follow it.
const ShmKey = 0x4e545030

// Layout is how a segment is laid out in memory. It is a C structure, so that
// depends on the machine and on how wide the seconds of the other program are:
//
//	int mode, count; time_t clockSec; int clockMicros; time_t receiveSec;
//	int receiveMicros, leap, precision, samples, valid, clockNanos, receiveNanos;
//	int unused[8];
type Layout struct {
	clockSec, receiveSec int // offsets of the seconds
	wide                 bool
	leap                 int // offset of the leap indicator, from where all is alike
	size                 int
}

// Layout32 has seconds of 32 bits.
func Layout32() Layout { return Layout{clockSec: 8, receiveSec: 16, leap: 24, size: 80} }

// Layout64 has seconds of 64 bits that lie at multiples of eight.
func Layout64() Layout { return Layout{clockSec: 8, receiveSec: 24, wide: true, leap: 36, size: 96} }

// Layout64Packed has seconds of 64 bits at multiples of four, as on 386.
func Layout64Packed() Layout {
	return Layout{clockSec: 8, receiveSec: 20, wide: true, leap: 32, size: 88}
}

// LayoutOf returns the layout of a segment of so many bytes.
func LayoutOf(size int) (l Layout, ok bool) {
	for _, l := range []Layout{Layout32(), Layout64(), Layout64Packed()} {
		if l.size == size {
			return l, true
		}
	}
	return Layout{}, false
}

// Size is the length of a segment in bytes.
func (l Layout) Size() int { return l.size }

// Offsets of what has its place before the seconds.
const (
	ShmMode  = 0
	ShmCount = 4
)

// Valid is the offset of the flag that the reader clears.
func (l Layout) Valid() int { return l.leap + 12 }

// Leap indicators as drivers give them.
const (
	LeapNone   = 0
	LeapInsert = 1
	LeapDelete = 2
)

// Measurement is what a program has found: when its clock, the machine's,
// showed Local the true time was True.
type Measurement struct {
	Local, True clock.Wall
	Leap        int
	// Pulse: only where in a second True lies is known.
	Pulse bool
}

// Parse reads a copy of a segment. Seconds of 32 bits are those nearest to pivot.
// ok is false where there is nothing new, or what there is makes no sense.
func (l Layout) Parse(b []byte, order binary.ByteOrder, pivot clock.Wall) (m Measurement, ok bool) {
	if len(b) < l.size {
		return m, false
	}
	mode := order.Uint32(b[ShmMode:])
	if mode > 1 || order.Uint32(b[l.Valid():]) == 0 {
		return m, false
	}
	word := func(offset int) int64 { return int64(int32(order.Uint32(b[offset:]))) }
	width := 4
	if l.wide {
		width = 8
	}
	seconds := func(offset int) int64 {
		if l.wide {
			return int64(order.Uint64(b[offset:]))
		}
		return unfold(order.Uint32(b[offset:]), pivot)
	}
	theirs, ours := word(l.clockSec+width), word(l.receiveSec+width)
	trueNanos, localNanos := word(l.Valid()+4), word(l.Valid()+8)
	// Old writers know of microseconds only and leave the rest as it was.
	if trueNanos/1000 != theirs || localNanos/1000 != ours {
		trueNanos, localNanos = 1000*theirs, 1000*ours
	}
	var sane bool
	m.Leap = int(word(l.leap))
	m.True, sane = wall(seconds(l.clockSec), trueNanos)
	m.Local, ok = wall(seconds(l.receiveSec), localNanos)
	return m, ok && sane
}

// unfold returns the time of 32 bits of seconds that is nearest to pivot.
func unfold(low uint32, pivot clock.Wall) int64 {
	near, _ := pivot.Unix()
	return near + int64(int32(low-uint32(near)))
}

// wall makes a time of seconds and nanoseconds; ok is false where it is out of
// range.
func wall(sec, nsec int64) (w clock.Wall, ok bool) {
	const (
		second = 1_000_000_000
		most   = math.MaxInt64/second - 2
	)
	if sec > most || sec < -most || nsec >= 2*second || nsec <= -2*second {
		return 0, false
	}
	return clock.Wall(sec*second + nsec), true
}

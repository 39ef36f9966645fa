package refdata

import (
	"encoding/binary"
	"errors"
	"math"

	"ntsd/internal/clock"
)

// ErrSock is what ParseSock says of a datagram that is none of chrony's.
var ErrSock = errors.New("refdata: not a sample of a reference clock")

// The datagram of driver SOCK, in the byte order of the machine:
//
//	struct timeval tv;  the machine's clock: seconds and microseconds
//	double offset;      true time less that
//	int pulse, leap, unused, magic;
//
// A timeval has twice 64 bits, or twice 32 in old programs on 32-bit machines.
const (
	sockMagic  = 0x534f434b
	sockTail   = 24 // what follows the timeval
	sockWide   = 16 + sockTail
	sockNarrow = 8 + sockTail
)

// MaxSock is the length of the longest datagram.
const MaxSock = sockWide

// maxSockOffset bounds offsets, in seconds: about 126 years.
const maxSockOffset = 4e9

// ParseSock reads one datagram. Seconds of 32 bits are those nearest to pivot.
func ParseSock(b []byte, order binary.ByteOrder, pivot clock.Wall) (m Measurement, err error) {
	var sec, micros int64
	switch len(b) {
	case sockWide:
		sec, micros = int64(order.Uint64(b)), int64(order.Uint64(b[8:]))
	case sockNarrow:
		sec, micros = unfold(order.Uint32(b), pivot), int64(int32(order.Uint32(b[4:])))
	default:
		return m, ErrSock
	}
	tail := b[len(b)-sockTail:]
	offset := math.Float64frombits(order.Uint64(tail))
	var ok bool
	if order.Uint32(tail[20:]) != sockMagic || micros < -1_999_999 || micros > 1_999_999 ||
		!(math.Abs(offset) < maxSockOffset) { // not a number is not, either
		return m, ErrSock
	}
	if m.Local, ok = wall(sec, 1000*micros); !ok {
		return m, ErrSock
	}
	whole, part := math.Modf(offset)
	by := clock.Offset(int64(whole)*1_000_000_000 + int64(math.Round(float64(part*1e9))))
	m.Pulse = order.Uint32(tail[8:]) != 0
	m.Leap = int(int32(order.Uint32(tail[12:])))
	if m.Pulse {
		by = -by // as chrony takes it: how far into the second the pulse came
	}
	if m.True = m.Local.Add(by.Duration()); (m.True < m.Local) != (by < 0) {
		return Measurement{}, ErrSock // out of range
	}
	return m, nil
}

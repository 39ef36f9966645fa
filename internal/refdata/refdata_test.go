package refdata

import (
	"encoding/binary"
	"errors"
	"math"
	"testing"
	"time"

	"ntsd/internal/clock"
)

// now is where seconds of 32 bits are unfolded.
const now = clock.Wall(2_000_000_000_123_456_789) // 2033

// byteOrder reads and writes.
type byteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

func TestParseSpec(t *testing.T) {
	for _, c := range []struct {
		driver, parameter string
		want              Spec
	}{
		{"SHM", "0", Spec{Driver: SHM, Perm: 0o600}},
		{"SHM", "1:perm=0644", Spec{Driver: SHM, Unit: 1, Perm: 0o644}},
		{"SHM", "2:time32:perm=0666", Spec{Driver: SHM, Unit: 2, Perm: 0o666, Time32: true}},
		{"SOCK", "/var/run/chrony.ttyS0.sock", Spec{Driver: SOCK, Path: "/var/run/chrony.ttyS0.sock"}},
		{"PPS", "/dev/pps1:clear", Spec{Driver: PPS, Path: "/dev/pps1", Clear: true}},
		{"PHC", "/dev/ptp0:nocrossts", Spec{Driver: PHC, Path: "/dev/ptp0", Simple: true}},
		{"PHC", "eth0", Spec{Driver: PHC, Path: "eth0"}},
	} {
		if got, err := ParseSpec(c.driver, c.parameter); err != nil || got != c.want {
			t.Errorf("%s %s: got %+v, %v; want %+v", c.driver, c.parameter, got, err, c.want)
		}
	}
	for _, c := range [][2]string{
		{"NMEA", "0"},
		{"shm", "0"},
		{"SHM", ""},
		{"SHM", "256"},
		{"SHM", "-1"},
		{"SHM", "/dev/pps0"},
		{"SHM", "0:perm=888"},
		{"SHM", "0:perm=1777"},
		{"SHM", "0:"},
		{"SHM", "0:clear"},
		{"SOCK", ""},
		{"SOCK", "relative"},
		{"SOCK", "/a:perm=0600"},
		{"PPS", "pps0"},
		{"PPS", "/dev/pps0:nocrossts"},
		{"PHC", "a/b"},
		{"PHC", "/dev/ptp0:extpps"},
	} {
		if got, err := ParseSpec(c[0], c[1]); !errors.Is(err, ErrSpec) {
			t.Errorf("%s %q: got %+v, %v; want it refused", c[0], c[1], got, err)
		}
	}
	_, err := ParseSpec("PHC", "/dev/ptp0:extpps:pin=1")
	if got, want := err.Error(), ErrSpec.Error()+": pulses at a pin of the card (extpps) are not offered"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// segment writes a segment as a C program does: fields in their order, each at
// its own multiple.
func segment(order byteOrder, width, align int, mode, leap int32, local, theirs clock.Wall, nanos bool) []byte {
	var b []byte
	word := func(v int32) { b = order.AppendUint32(b, uint32(v)) }
	seconds := func(s int64) {
		for len(b)%align != 0 {
			b = append(b, 0)
		}
		if width == 4 {
			word(int32(s))
			return
		}
		b = order.AppendUint64(b, uint64(s))
	}
	part := func(ns int64) int32 {
		if nanos {
			return int32(ns)
		}
		return 0
	}
	ls, ln := local.Unix()
	ts, tn := theirs.Unix()
	word(mode)
	word(7)
	seconds(ts)
	word(int32(tn / 1000))
	seconds(ls)
	word(int32(ln / 1000))
	word(leap)
	word(-20)
	word(3)
	word(1)
	word(part(tn))
	word(part(ln))
	for range 8 {
		word(0)
	}
	for len(b)%align != 0 {
		b = append(b, 0)
	}
	return b
}

// TestSegments: every layout that a C compiler makes of the structure, in both
// byte orders.
func TestSegments(t *testing.T) {
	local, theirs := now, now.Add(-3*time.Second+200*time.Microsecond+5)
	for name, c := range map[string]struct {
		layout       Layout
		width, align int
	}{
		"32-bit seconds": {Layout32(), 4, 4}, "64-bit": {Layout64(), 8, 8}, "64-bit, packed": {Layout64Packed(), 8, 4},
	} {
		for _, order := range []byteOrder{binary.LittleEndian, binary.BigEndian} {
			b := segment(order, c.width, c.align, 1, LeapInsert, local, theirs, true)
			if l, ok := LayoutOf(len(b)); !ok || l != c.layout || l.Size() != len(b) {
				t.Errorf("%s: %d bytes are %+v, %v", name, len(b), l, ok)
				continue
			}
			m, ok := c.layout.Parse(b, order, now)
			if want := (Measurement{Local: local, True: theirs, Leap: LeapInsert}); !ok || m != want {
				t.Errorf("%s: got %+v, %v; want %+v", name, m, ok, want)
			}
			// Writers that know microseconds only.
			b = segment(order, c.width, c.align, 0, 0, local, theirs, false)
			m, ok = c.layout.Parse(b, order, now)
			if !ok || m.Local != local-local%1000 || m.True != theirs-theirs%1000 {
				t.Errorf("%s, microseconds: got %+v, %v", name, m, ok)
			}
			order.PutUint32(b[c.layout.Valid():], 0)
			if m, ok := c.layout.Parse(b, order, now); ok {
				t.Errorf("%s: nothing new, got %+v", name, m)
			}
			b = segment(order, c.width, c.align, 2, 0, local, theirs, false)
			if m, ok := c.layout.Parse(b, order, now); ok {
				t.Errorf("%s: unknown mode, got %+v", name, m)
			}
			if m, ok := c.layout.Parse(b[:len(b)-1], order, now); ok {
				t.Errorf("%s: too short, got %+v", name, m)
			}
		}
	}
	if l, ok := LayoutOf(92); ok {
		t.Errorf("92 bytes are nobody's: got %+v", l)
	}
}

// TestPast2038: seconds of 32 bits mean those nearest to now.
func TestPast2038(t *testing.T) {
	for _, at := range []clock.Wall{
		clock.WallUnix(1<<31-1, 0), clock.WallUnix(1<<31, 5), clock.WallUnix(1<<31+1000, 0), clock.WallUnix(1<<32+77, 0), clock.WallUnix(0, 0),
	} {
		for _, near := range []clock.Wall{at.Add(-24 * time.Hour), at, at.Add(24 * time.Hour)} {
			b := segment(binary.BigEndian, 4, 4, 0, 0, at, at.Add(-time.Hour), true)
			if m, ok := Layout32().Parse(b, binary.BigEndian, near); !ok || m.Local != at || m.True != at.Add(-time.Hour) {
				t.Errorf("%v near %v: got %+v, %v", at.Time(), near.Time(), m, ok)
			}
		}
	}
}

// datagram writes a struct sock_sample.
func datagram(order byteOrder, wide bool, sec, usec int64, offset float64, pulse, leap int32, magic uint32) []byte {
	var b []byte
	if wide {
		b = order.AppendUint64(order.AppendUint64(b, uint64(sec)), uint64(usec))
	} else {
		b = order.AppendUint32(order.AppendUint32(b, uint32(sec)), uint32(usec))
	}
	b = order.AppendUint64(b, math.Float64bits(offset))
	b = order.AppendUint32(b, uint32(pulse))
	b = order.AppendUint32(b, uint32(leap))
	b = order.AppendUint32(b, 0xdeadbeef)
	return order.AppendUint32(b, magic)
}

func TestSock(t *testing.T) {
	const magic = 0x534f434b
	for _, order := range []byteOrder{binary.LittleEndian, binary.BigEndian} {
		for _, wide := range []bool{true, false} {
			at := clock.WallUnix(2_000_000_000, 250_000_000)
			if !wide {
				at = clock.WallUnix(1<<31+5, 250_000_000) // past 2038 with 32 bits
			}
			sec, _ := at.Unix()
			m, err := ParseSock(datagram(order, wide, sec, 250_000, -0.0125, 0, LeapDelete, magic), order, at)
			if want := (Measurement{Local: at, True: at.Add(-12500 * time.Microsecond), Leap: LeapDelete}); err != nil || m != want {
				t.Errorf("got %+v, %v; want %+v", m, err, want)
			}
			m, err = ParseSock(datagram(order, wide, sec, 250_000, 0.25, 1, 0, magic), order, at)
			if err != nil || !m.Pulse || m.True != at.Add(-250*time.Millisecond) {
				t.Errorf("pulse: got %+v, %v; want one that came a quarter into the second", m, err)
			}
			for name, b := range map[string][]byte{
				"magic":        datagram(order, wide, sec, 0, 0, 0, 0, magic+1),
				"not a number": datagram(order, wide, sec, 0, math.NaN(), 0, 0, magic),
				"infinite":     datagram(order, wide, sec, 0, math.Inf(-1), 0, 0, magic),
				"far":          datagram(order, wide, sec, 0, 5e9, 0, 0, magic),
				"microseconds": datagram(order, wide, sec, 3_000_000, 0, 0, 0, magic),
				"short":        datagram(order, wide, sec, 0, 0, 0, 0, magic)[1:],
				"long":         append(datagram(order, wide, sec, 0, 0, 0, 0, magic), 0),
				"empty":        nil,
			} {
				if m, err := ParseSock(b, order, at); !errors.Is(err, ErrSock) {
					t.Errorf("%s: got %+v, %v; want it refused", name, m, err)
				}
			}
		}
	}
	if m, err := ParseSock(datagram(binary.LittleEndian, true, math.MaxInt64, 0, 0, 0, 0, magic), binary.LittleEndian, now); err == nil {
		t.Errorf("the end of time: got %+v", m)
	}
}

// FuzzBytes: whatever other programs write, reading it neither panics nor makes
// a time that is no time.
func FuzzBytes(f *testing.F) {
	f.Add(segment(binary.LittleEndian, 8, 8, 1, 0, now, now, true), int64(now))
	f.Add(segment(binary.BigEndian, 4, 4, 0, 3, now, now, false), int64(0))
	f.Add(datagram(binary.LittleEndian, true, 2_000_000_000, 5, 1e9, 0, 0, sockMagic), int64(now))
	f.Add(datagram(binary.BigEndian, false, -5, -5, -1e9, 1, 9, sockMagic), int64(math.MinInt64))
	f.Fuzz(func(t *testing.T, b []byte, pivot int64) {
		for _, order := range []byteOrder{binary.LittleEndian, binary.BigEndian} {
			if m, err := ParseSock(b, order, clock.Wall(pivot)); err == nil && m.True.Sub(m.Local).Abs() > 128*365*24*time.Hour {
				t.Errorf("%+v", m)
			}
			if l, ok := LayoutOf(len(b)); ok {
				l.Parse(b, order, clock.Wall(pivot))
			}
		}
	})
}

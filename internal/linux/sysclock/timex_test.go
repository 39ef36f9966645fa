//go:build linux

package sysclock

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"ntsd/internal/clock"
)

// fixture is a struct timex with a value in every field that is used.
func fixture() timex {
	return timex{
		modes: 0x4012, offset: -2, freq: -0x123456, maxError: 0x11, estError: 0x22,
		status: 0x2040, constant: 37, sec: -3, frac: 0x3b9ac9ff, tick: 10001, tai: 37,
	}
}

// The bytes below were laid out by hand from uapi/linux/timex.h: struct timex
// with 8-byte longs (which is struct __kernel_timex) and with 4-byte longs.
func timexBytes(t *testing.T, order string, long int) []byte {
	t.Helper()
	text := map[string]string{
		"big8": `00004012 00000000  fffffffffffffffe ffffffffffedcbaa 0000000000000011 0000000000000022
			00002040 00000000  0000000000000025 0000000000000000 0000000000000000
			fffffffffffffffd 000000003b9ac9ff 0000000000002711
			0000000000000000 0000000000000000 0000000000000000 0000000000000000
			0000000000000000 0000000000000000 0000000000000000 0000000000000000
			00000025` + strings.Repeat("00", 44),
		"little8": `12400000 00000000  feffffffffffffff aacbedffffffffff 1100000000000000 2200000000000000
			40200000 00000000  2500000000000000 0000000000000000 0000000000000000
			fdffffffffffffff ffc99a3b00000000 1127000000000000
			0000000000000000 0000000000000000 0000000000000000 0000000000000000
			0000000000000000 0000000000000000 0000000000000000 0000000000000000
			25000000` + strings.Repeat("00", 44),
		"big4": `00004012 fffffffe ffedcbaa 00000011 00000022 00002040 00000025 00000000 00000000
			fffffffd 3b9ac9ff 00002711 00000000 00000000 00000000 00000000
			00000000 00000000 00000000 00000000 00000025` + strings.Repeat("00", 44),
		"little4": `12400000 feffffff aacbedff 11000000 22000000 40200000 25000000 00000000 00000000
			fdffffff ffc99a3b 11270000 00000000 00000000 00000000 00000000
			00000000 00000000 00000000 00000000 25000000` + strings.Repeat("00", 44),
	}[order+string(rune('0'+long))]
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTimexLayouts(t *testing.T) {
	for _, c := range []struct {
		name string
		l    layout
		size int
	}{
		{"big", layout{binary.BigEndian, 8}, 208},
		{"little", layout{binary.LittleEndian, 8}, 208},
		{"big", layout{binary.BigEndian, 4}, 128},
		{"little", layout{binary.LittleEndian, 4}, 128},
	} {
		want := timexBytes(t, c.name, c.l.long)
		if c.l.size() != c.size || len(want) != c.size {
			t.Fatalf("%s%d: size %d, fixture %d, want %d", c.name, c.l.long, c.l.size(), len(want), c.size)
		}
		got := bytes.Repeat([]byte{0xaa}, c.size) // encode clears what it does not set
		if err := c.l.encode(got, fixture()); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s%d:\n got %x\nwant %x", c.name, c.l.long, got, want)
		}
		if d := c.l.decode(want); d != fixture() {
			t.Errorf("%s%d: decoded %+v, want %+v", c.name, c.l.long, d, fixture())
		}
	}
}

// TestTimexAgainstUnix takes golang.org/x/sys, whose structs come from the C
// headers, as an independent oracle for this architecture's own layout.
func TestTimexAgainstUnix(t *testing.T) {
	l := layout{binary.NativeEndian, int(unsafe.Sizeof(uintptr(0)))}
	var u unix.Timex
	if int(unsafe.Sizeof(u)) != l.size() {
		t.Fatalf("size %d, unix.Timex has %d", l.size(), unsafe.Sizeof(u))
	}
	b := (*[unsafe.Sizeof(u)]byte)(unsafe.Pointer(&u))[:]
	f := fixture()
	if err := l.encode(b, f); err != nil {
		t.Fatal(err)
	}
	got := timex{
		modes: u.Modes, offset: int64(u.Offset), freq: int64(u.Freq),
		maxError: int64(u.Maxerror), estError: int64(u.Esterror), status: u.Status,
		constant: int64(u.Constant), sec: int64(u.Time.Sec), frac: int64(u.Time.Usec),
		tick: int64(u.Tick), tai: u.Tai,
	}
	if got != f {
		t.Errorf("unix.Timex sees %+v, want %+v", got, f)
	}
}

func TestTimexOverflow(t *testing.T) {
	var b [maxTimex]byte
	late := timex{sec: 1 << 31} // 2038-01-19T03:14:08Z
	if err := (layout{binary.BigEndian, 4}).encode(b[:], late); err != syscall.EOVERFLOW {
		t.Errorf("4-byte long: got %v, want EOVERFLOW", err)
	}
	if err := (layout{binary.BigEndian, 8}).encode(b[:], late); err != nil {
		t.Errorf("8-byte long: got %v, want none", err)
	}
}

func TestSplitRate(t *testing.T) {
	for _, c := range []struct {
		ppm        float64
		tick, freq int64
	}{
		{0, 10000, 0},
		{1, 10000, 65536},
		{-0.5, 10000, -32768},
		{500, 10000, 500 << 16},
		{-500, 10000, -500 << 16},
		{501, 10005, 1 << 16},
		{-549, 9995, -49 << 16},
		{551, 10006, -49 << 16},
		{100000, 11000, 0},
		{-100000, 9000, 0},
		{1e9, 11000, 0},
		{-1e9, 9000, 0},
		{1.0 / (1 << 17), 10000, 1}, // half a unit rounds away from zero
	} {
		tick, freq := splitRate(clock.RatePPM(c.ppm))
		if tick != c.tick || freq != c.freq {
			t.Errorf("%g ppm: tick %d freq %d, want %d %d", c.ppm, tick, freq, c.tick, c.freq)
		}
		want := min(max(c.ppm, -100000), 100000)
		if got := joinRate(tick, freq).PPM(); math.Abs(got-want) > 1.0/(1<<16) {
			t.Errorf("%g ppm: set %g ppm", c.ppm, got)
		}
	}
}

func FuzzTimexDecode(f *testing.F) {
	f.Add(make([]byte, maxTimex), true)
	f.Fuzz(func(t *testing.T, b []byte, big bool) {
		for _, l := range []layout{{binary.LittleEndian, 4}, {binary.BigEndian, 8}} {
			if len(b) < l.size() {
				return
			}
			first := l.decode(b)
			out := make([]byte, l.size())
			if err := l.encode(out, first); err != nil {
				t.Fatal(err)
			}
			if again := l.decode(out); again != first {
				t.Errorf("%+v became %+v", first, again)
			}
		}
	})
}

//go:build linux

package sysclock

import (
	"encoding/binary"
	"math"
	"syscall"

	"ntsd/internal/clock"
)

// Bits of timex.modes, from the kernel's uapi/linux/timex.h.
const (
	adjOffset     = 0x0001
	adjFrequency  = 0x0002
	adjMaxError   = 0x0004
	adjEstError   = 0x0008
	adjStatus     = 0x0010
	adjTAI        = 0x0080
	adjSetOffset  = 0x0100
	adjNano       = 0x2000
	adjTick       = 0x4000
	adjSingleshot = 0x8001 // the old adjtime(3): stands alone
)

// Bits of timex.status.
const (
	staPLL    = 0x0001
	staIns    = 0x0010
	staDel    = 0x0020
	staUnsync = 0x0040
)

// How the kernel counts frequency (time/ntp.c): 2^16 units of freq per ppm,
// at most 500 ppm either way, and one microsecond of tick is 100 ppm because
// USER_HZ is 100 on every architecture that Go knows.
const (
	freqPerPPM     = 1 << 16
	maxFreqPPM     = 500
	nominalTick    = 10000
	ppmPerTick     = 100
	maxErrorMicros = 16_000_000 // NTP_PHASE_LIMIT: more means unsynchronised
)

// timex holds the fields of struct timex that are used, in the widest type
// that any architecture gives them.
type timex struct {
	modes    uint32
	offset   int64
	freq     int64
	maxError int64 // microseconds
	estError int64 // microseconds
	status   int32
	constant int64 // carries TAI-UTC under adjTAI
	sec      int64
	frac     int64 // nanoseconds under adjNano, else microseconds; never negative
	tick     int64
	tai      int32
}

// The slots of struct timex. Every field takes one C long (an int is padded to
// one where longs have 8 bytes), up to tai, which is an int followed by 44
// bytes of reserve:
//
//	slot 0 modes     5 status     10 time.tv_usec  15 stabil
//	     1 offset    6 constant   11 tick          16 jitcnt
//	     2 freq      7 precision  12 ppsfreq       17 calcnt
//	     3 maxerror  8 tolerance  13 jitter        18 errcnt
//	     4 esterror  9 time.tv_sec 14 shift        19 stbcnt
//	                                               20 tai, reserve
//
// 208 bytes where long has 8 bytes and in the 64-bit-time calls of 32-bit
// kernels, 128 bytes in their old calls.
const (
	slotModes    = 0
	slotOffset   = 1
	slotFreq     = 2
	slotMaxError = 3
	slotEstError = 4
	slotStatus   = 5
	slotConstant = 6
	slotSec      = 9
	slotFrac     = 10
	slotTick     = 11
	slotTAI      = 20
	taiAndRest   = 48
	maxTimex     = slotTAI*8 + taiAndRest
)

// layout is how one architecture lays out its C structs.
type layout struct {
	order binary.ByteOrder
	long  int // bytes in a C long, or in the 64-bit type that stands for it: 4 or 8
}

// size returns the length of struct timex.
func (l layout) size() int { return slotTAI*l.long + taiAndRest }

// put writes v to slot, or reports that it does not fit.
func (l layout) put(b []byte, slot int, v int64) bool {
	if l.long == 8 {
		l.order.PutUint64(b[slot*8:], uint64(v))
		return true
	}
	l.order.PutUint32(b[slot*4:], uint32(v))
	return int64(int32(v)) == v
}

// get reads a C long.
func (l layout) get(b []byte, slot int) int64 {
	if l.long == 8 {
		return int64(l.order.Uint64(b[slot*8:]))
	}
	return int64(int32(l.order.Uint32(b[slot*4:])))
}

// encode writes t to b, which has at least size bytes, and zero to all other
// fields. EOVERFLOW: a value needs more than 32 bits and the layout has none.
func (l layout) encode(b []byte, t timex) error {
	clear(b[:l.size()])
	l.order.PutUint32(b[slotModes*l.long:], t.modes)
	l.order.PutUint32(b[slotStatus*l.long:], uint32(t.status))
	l.order.PutUint32(b[slotTAI*l.long:], uint32(t.tai))
	fits := true
	for _, f := range [...]struct {
		slot int
		v    int64
	}{
		{slotOffset, t.offset},
		{slotFreq, t.freq},
		{slotMaxError, t.maxError},
		{slotEstError, t.estError},
		{slotConstant, t.constant},
		{slotSec, t.sec},
		{slotFrac, t.frac},
		{slotTick, t.tick},
	} {
		fits = l.put(b, f.slot, f.v) && fits
	}
	if !fits {
		return syscall.EOVERFLOW
	}
	return nil
}

// decode reads what the kernel left in b, which has at least size bytes.
func (l layout) decode(b []byte) timex {
	return timex{
		modes:    l.order.Uint32(b[slotModes*l.long:]),
		offset:   l.get(b, slotOffset),
		freq:     l.get(b, slotFreq),
		maxError: l.get(b, slotMaxError),
		estError: l.get(b, slotEstError),
		status:   int32(l.order.Uint32(b[slotStatus*l.long:])),
		constant: l.get(b, slotConstant),
		sec:      l.get(b, slotSec),
		frac:     l.get(b, slotFrac),
		tick:     l.get(b, slotTick),
		tai:      int32(l.order.Uint32(b[slotTAI*l.long:])),
	}
}

// splitRate returns tick and freq for a correction, rounded to 2^-16 ppm and
// clamped to MaxRate. The tick stays nominal as long as freq alone reaches, so
// that other tools show the correction where people look for it.
func splitRate(r clock.Rate) (tick, freq int64) {
	ppm := min(max(r, -MaxRate), MaxRate).PPM()
	tick = nominalTick
	if math.Abs(ppm) > maxFreqPPM {
		tick += int64(math.Round(ppm / ppmPerTick))
	}
	rest := ppm - float64(tick-nominalTick)*ppmPerTick
	return tick, int64(math.Round(rest * freqPerPPM))
}

// joinRate is the correction that tick and freq make together: the kernel adds
// them (ntp_update_frequency).
func joinRate(tick, freq int64) clock.Rate {
	return clock.RatePPM(float64(tick-nominalTick)*ppmPerTick + float64(freq)/freqPerPPM)
}

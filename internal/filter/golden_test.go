package filter

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"testing"
	"time"

	"ntsd/internal/clock"
)

// goldenEstimates is the hash of every estimate of the run below. It must be
// the same on every architecture: run this test on arm64 and mips, too. When
// the filter changes on purpose, it changes with it.
const goldenEstimates = 0x56488cd1666b1ce2

// TestGolden guards against fused multiply-add and library functions that
// differ in the last bit. The input is made by integers alone.
func TestGolden(t *testing.T) {
	state := uint64(42)
	draw := func(n int64) int64 {
		state = state*6364136223846793005 + 1442695040888963407
		return int64(state>>33) % n
	}
	h := fnv.New64a()
	put := func(v uint64) {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], v)
		h.Write(b[:])
	}
	f := New(Config{})
	at, wall := clock.Mono(1e9), epoch
	for i := range 150 {
		there, back := 1000000+draw(100000)+draw(100000), 1000000+draw(90000)+draw(150000)
		if i%29 == 28 {
			there += 40_000_000
		}
		f.Update(Sample{At: at, True: wall.Add(time.Duration((there - back) / 2)), Delay: time.Duration(there + back)})
		e, _ := f.Estimate(at + 1e9)
		put(uint64(e.Line.At.Wall))
		put(math.Float64bits(float64(e.Line.Rate)))
		put(math.Float64bits(float64(e.RateSD)))
		put(uint64(e.OffsetSD))
		put(uint64(f.PollChange(6)))
		d := 64_000_000_000 + draw(1_000_000_000)
		at, wall = at+clock.Mono(d+d/10000), wall.Add(time.Duration(d))
	}
	if got := h.Sum64(); got != goldenEstimates {
		t.Errorf("hash of the estimates: got %#x, want %#x", got, uint64(goldenEstimates))
	}
}

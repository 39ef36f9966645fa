package cmdmon

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Vectors of the definition: coefficient * 2^(exponent-25).
func TestFloatVectors(t *testing.T) {
	for _, c := range []struct {
		x    float64
		want uint32
	}{
		{0, 0},
		{math.Copysign(0, -1), 0},
		{1, 2<<25 | 1<<23},
		{-1, 1<<25 | 1<<24},  // -2^24 * 2^(1-25)
		{0.5, 1<<25 | 1<<23}, //
		{-3, 3<<25 | (1<<25 - 3<<22)},
		{0.1, 0x7e<<25 | 0xcccccd&0xffffff}, // 13421773 * 2^(-2-25)
		{math.Inf(1), 63<<25 | (1<<24 - 1)},
		{math.Inf(-1), 63<<25 | 1<<24},
		{1e300, 63<<25 | (1<<24 - 1)},
		{-1e19, 63<<25 | 1<<24},
		{math.NaN(), 0},
		{1e-30, 0},
		{math.Ldexp(3, -68), 64<<25 | 3<<21}, // 3*2^21 * 2^(-64-25): a bit is lost
	} {
		if got := toFloat(c.x); got != c.want {
			t.Errorf("toFloat(%g) = %#08x, want %#08x", c.x, got, c.want)
		}
	}
}

// TestFloatRoundTrip: what is written is read with an error of at most 2^-24 of
// it, and what is read is written as it was.
func TestFloatRoundTrip(t *testing.T) {
	const seed = 5
	random := rand.New(rand.NewPCG(seed, 0))
	for range 100000 {
		x := math.Ldexp(random.Float64()*2-1, random.IntN(100)-50)
		f := toFloat(x)
		got := fromFloat(f)
		if math.Abs(got-x) > math.Ldexp(math.Abs(x), -24) {
			t.Fatalf("seed %d: %g is read as %g", seed, x, got)
		}
		if again := toFloat(got); again != f {
			t.Fatalf("seed %d: %g: got %#08x, then %#08x", seed, x, f, again)
		}
	}
	for _, x := range []float64{1e-20, 5e-24, -1e-20} { // fewer bits are left
		if got := fromFloat(toFloat(x)); math.Abs(got-x) > math.Ldexp(1, -64-25) {
			t.Errorf("%g is read as %g", x, got)
		}
	}
}

package filter

import (
	"math"
	"math/rand/v2"
	"testing"
)

// awkward draws a number of any size, often one with few bits or close to near.
func awkward(rng *rand.Rand, near float64) float64 {
	x := math.Ldexp(rng.Float64()-0.5, rng.IntN(90)-45)
	switch rng.IntN(8) {
	case 0:
		return -near * (1 + math.Ldexp(rng.Float64(), -rng.IntN(56)))
	case 1:
		return math.Trunc(x * 64)
	case 2:
		return math.Ldexp(1, rng.IntN(60)-30)
	case 3:
		return math.Float64frombits(rng.Uint64())
	case 4:
		return -near
	}
	return x
}

// same: a NaN equals a NaN.
func same(x, y float64) bool {
	return math.Float64bits(x) == math.Float64bits(y) || x != x && y != y
}

func checkSoft(t *testing.T, x, y float64) {
	t.Helper()
	if got, want := softMul(x, y), x*y; !same(got, want) {
		t.Errorf("%x * %x: got %x, want %x", x, y, got, want)
	}
	if got, want := softAdd(x, y), x+y; !same(got, want) {
		t.Errorf("%x + %x: got %x, want %x", x, y, got, want)
	}
	for _, n := range []int64{int64(math.Float64bits(x)), int64(math.Float64bits(y)) >> 30} {
		if got, want := softInt(n), float64(n); !same(got, want) {
			t.Errorf("%d: got %x, want %x", n, got, want)
		}
	}
	if got, want := softLess(x, y), x < y; got != want && x == x && y == y {
		t.Errorf("%x < %x: got %v, want %v", x, y, got, want)
	}
}

// TestSoft compares with the hardware, or the compiler's emulation.
func TestSoft(t *testing.T) {
	special := []float64{
		0, math.Copysign(0, -1), 1, -1, 1 + 0x1p-52, 1 - 0x1p-53, 0x1p-1022, 0x1p-1074, math.MaxFloat64,
		math.Inf(1), math.Inf(-1), math.NaN(), 0x1.fffffffffffffp0, 0x1p53, 0x1p-53, 0x1.8p-53, 0x1p-54, 3,
		0x1.0000000000001p-1021, 0x1p1023, 0x1p-500, 0x1p31, 0x1p32, 0x1.00000001p0,
	}
	for _, x := range special {
		for _, y := range special {
			checkSoft(t, x, y)
		}
	}
	n := 3_000_000
	if testing.Short() {
		n = 30_000
	}
	rng := rand.New(rand.NewPCG(1, 2))
	t.Log("seed 1, 2")
	for range n {
		x := awkward(rng, 1)
		checkSoft(t, x, awkward(rng, x))
		if t.Failed() {
			return
		}
	}
}

func FuzzSoft(f *testing.F) {
	f.Add(1.5, -1.25)
	f.Add(0x1p-1022, 0x1p-60)
	f.Add(0x1.fffffffffffffp0, 0x1p-53)
	f.Fuzz(checkSoft)
}

// TestFunctions: the fixed-point functions against the standard library.
func TestFunctions(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want func(float64) float64
		error     float64
	}{
		{"recip", recip, func(x float64) float64 { return 1 / x }, 4e-8},
		{"rsqrt", rsqrt, func(x float64) float64 { return 1 / math.Sqrt(x) }, 2e-6},
		{"sqrt", sqrt, math.Sqrt, 2e-6},
	} {
		for x := 0x1p-120; x < 0x1p120; x *= 1.00137 {
			got, want := c.got(x), c.want(x)
			if math.Abs(got-want) > c.error*want {
				t.Fatalf("%s(%v): got %v, want %v", c.name, x, got, want)
			}
		}
		for _, x := range []float64{0.25, 0.5, 1, 2, 4, math.Nextafter(1, 0), math.Nextafter(4, 0), math.Nextafter(2, 0)} {
			if got, want := c.got(x), c.want(x); math.Abs(got-want) > c.error*want {
				t.Errorf("%s(%v): got %v, want %v", c.name, x, got, want)
			}
		}
	}
}

package sim

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// TestLaws: each law has the mean and the deviation that it is to have.
func TestLaws(t *testing.T) {
	const size, seed = time.Millisecond, 1
	draws := 200000
	if testing.Short() {
		draws = 20000
	}
	for _, c := range []struct {
		part     Part
		mean, sd float64 // in units of size
	}{
		{Part{Size: size}, 1, 0},
		{Part{Law: LawExponential, Size: size}, 1, 1},
		{Part{Law: LawUniform, Size: size}, 0.5, 1 / math.Sqrt(12)},
		{Part{Law: LawGamma, Size: size, K: 3}, 3, math.Sqrt(3)},
		{Part{Law: LawGamma, Size: size, K: 0.5}, 0.5, math.Sqrt(0.5)},
		{Part{Law: LawQueue, Size: size, K: 5}, 1, 1},
		{Part{Law: LawPaths, Size: size, K: 4}, 1.5, math.Sqrt(1.25)},
		{Part{Law: LawConstant, Size: size, Chance: 0.25}, 0.25, math.Sqrt(0.25 * 0.75)},
		{Part{Law: LawConstant, Size: size, When: When{Period: 10 * second, Centre: 5 * second, Width: 2 * second}}, 0.4, math.Sqrt(0.24)},
	} {
		l := newLink(Delay{c.part}, rand.New(rand.NewPCG(seed, 1)))
		var one, two float64
		for i := range draws {
			d := float64(l.draw(Instant(i)*second*9/10, uint16(49152+l.rng.UintN(16384)))) / float64(size)
			one += d
			two += d * d
		}
		mean := one / float64(draws)
		sd := math.Sqrt(max(0, two/float64(draws)-mean*mean))
		if math.Abs(mean-c.mean) > 0.05 || math.Abs(sd-c.sd) > 0.05 {
			t.Errorf("%+v, seed %d: mean %.3f, deviation %.3f; want %.3f, %.3f", c.part, seed, mean, sd, c.mean, c.sd)
		}
	}
}

// TestErrorModel: the formulas agree with what is seen of many packets.
func TestErrorModel(t *testing.T) {
	for _, c := range []struct{ to, back time.Duration }{
		{100 * time.Microsecond, 100 * time.Microsecond},
		{time.Millisecond, 10 * time.Microsecond},
		{10 * time.Microsecond, time.Millisecond},
	} {
		to, back := Delay{{Law: LawExponential, Size: c.to}}, Delay{{Law: LawExponential, Size: c.back}}
		exact := newErrorModel(to, back, 1000*second, 1)
		seen := &errorModel{}
		seen.study(to, back, 1000*second, rand.New(rand.NewPCG(1, 2)))
		for i := 10; i < len(seen.bins)-10; i++ {
			b, middle := seen.bins[i], (seen.bins[i-1].limit+seen.bins[i].limit)/2
			mean, variance := exact.of(middle)
			sd, tolerance := math.Sqrt(variance), 0.35*math.Sqrt(variance)+float64(min(c.to, c.back))/2
			if math.Abs(mean-b.mean) > tolerance || math.Abs(sd-math.Sqrt(b.variance)) > tolerance {
				t.Errorf("queues %v and %v, excess %.0f ns: error %.0f +- %.0f, seen %.0f +- %.0f",
					c.to, c.back, middle, mean, sd, b.mean, math.Sqrt(b.variance))
				break
			}
		}
	}
}

func TestTerms(t *testing.T) {
	at := When{From: 100 * second}
	for _, c := range []struct {
		shape    Shape
		quarters [5]float64 // values at each quarter of the period
	}{
		{ShapeSine, [5]float64{0, 1, 0, -1, 0}},
		{ShapeTriangle, [5]float64{0, 1, 0, -1, 0}},
		{ShapeSquare, [5]float64{1, 1, -1, -1, 1}},
		{ShapeRamp, [5]float64{0, 0.25, 0.5, 0.75, 1}},
	} {
		x := Term{Shape: c.shape, Size: 1, Period: 40 * time.Second, When: at}
		for i, want := range c.quarters {
			if got := x.at((100 + Instant(i)*10) * second); math.Abs(got-want) > 1e-9 {
				t.Errorf("shape %d at quarter %d: got %v, want %v", c.shape, i, got, want)
			}
		}
		if got := x.at(99 * second); got != 0 {
			t.Errorf("shape %d before its time: got %v, want 0", c.shape, got)
		}
	}
}

// TestOscillator: its integral is what its rate says, a sleep stops it, and
// When finds what Mono shows.
func TestOscillator(t *testing.T) {
	o := newOscillator(Oscillator{Base: 1e-4, Stops: []When{{From: 1000 * second, Until: 1100 * second}}}, 0, 1)
	for _, c := range []struct {
		at   Instant
		want float64 // seconds
	}{{500 * second, 500.05}, {1000 * second, 1000.1}, {1050 * second, 1000.1}, {1200 * second, 1100.11}} {
		if got := o.Mono(c.at).Sub(0).Seconds(); math.Abs(got-c.want) > 1e-6 {
			t.Errorf("at %v: got %v, want %v", time.Duration(c.at), got, c.want)
		}
	}
	target := o.Mono(1200*second) + 5e8
	if at := o.When(1200*second, target); o.Mono(at) < target-2 || o.Mono(at) > target+2 {
		t.Errorf("When: Mono shows %v then, want %v", o.Mono(at), target)
	}
}

package filter

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"ntsd/internal/clock"
)

func TestNormal(t *testing.T) {
	for z := -8.0; z <= 8; z += 0.0137 {
		density, above := normal(z)
		if want := math.Exp(-z*z/2) / math.Sqrt(2*math.Pi); math.Abs(density-want) > 2e-6*want {
			t.Errorf("density at %v: got %v, want %v", z, density, want)
		}
		if want := math.Erfc(z/math.Sqrt2) / 2; math.Abs(above-want) > 2e-6*want {
			t.Errorf("chance to exceed %v: got %v, want %v", z, above, want)
		}
	}
}

// integrate is what observe computes in closed form, by brute force: the
// evidence, and the posterior's mean and variance.
func integrate(m member, z float64, l *likelihood) (evidence, mean, variance float64) {
	density := func(e float64) float64 { // unblurred
		switch {
		case math.Abs(e) > l.half:
			return 0
		case l.kind == leaning:
			return l.density * math.Exp(-l.decay*(l.half-l.side*e))
		}
		return 1 / (2 * l.half)
	}
	// The blur widens the prior instead; x is then drawn back towards it.
	total := m.pxx + l.blur
	const steps = 4000
	reach := 8 * math.Sqrt(total)
	lo, hi := max(-l.half, z-m.x-reach), min(l.half, z-m.x+reach)
	h := (hi - lo) / steps
	var s0, s1, s2 float64
	for i := range steps {
		e := lo + (float64(i)+0.5)*h
		y := z - e - m.x // x plus the blur
		p := density(e) * math.Exp(-y*y/(2*total)) / math.Sqrt(2*math.Pi*total) * h
		s0, s1, s2 = s0+p, s1+p*y, s2+p*y*y
	}
	k := m.pxx / total
	mean = s1 / s0
	return s0, m.x + k*mean, m.pxx*l.blur/total + k*k*(s2/s0-mean*mean)
}

// TestClosedForm compares the closed forms with numeric integration. The
// variance has the third moment left out where the prior is almost vague.
func TestClosedForm(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	t.Log("seed 5")
	log := func(lo, hi float64) float64 { return lo * math.Pow(hi/lo, rng.Float64()) }
	cases := 200
	if testing.Short() {
		cases = 20
	}
	for i := range cases {
		p := path{queue: 1e5, perQueue: 1e-5, spread: 1e5, perRoot: 1 / math.Sqrt(math.Round(log(1, 1000)))}
		s := &shapes[i%5]
		l := newLikelihood(s, &p, log(1e2, 1e6), log(1e2, 1e4))
		m := member{x: 1e4 * rng.NormFloat64(), pxx: math.Pow(log(1e2, 1e6), 2), pxf: 1, pff: 1}
		bias, noise := l.moments()
		z := m.x + bias + rng.NormFloat64()*math.Sqrt(m.pxx+noise)
		evidence, mean, variance := integrate(m, z, &l)
		sd := math.Sqrt(m.pxx)
		got := m.observe(z, &l)
		if math.Abs(got-evidence) > 1e-2*evidence+1e-12/sd {
			t.Errorf("case %d, shape %+v: evidence got %g, want %g", i, s, got, evidence)
		}
		if evidence*sd < 1e-6 {
			continue
		}
		width := math.Sqrt(variance)
		if math.Abs(m.x-mean) > 0.02*width || math.Abs(m.pxx-variance) > 0.15*variance {
			t.Errorf("case %d, shape %+v: posterior got %g, %g, want %g, %g (prior %g)", i, s, m.x, math.Sqrt(m.pxx), mean, width, sd)
		}
	}
}

// TestMaxSamples: with maxsamples 1 the newest sample is the estimate, with 4
// a jump of the server is forgotten after four samples, outlier or not.
func TestMaxSamples(t *testing.T) {
	m := newModel(21)
	f := New(Config{MaxSamples: 1})
	for range 20 {
		s := m.sample()
		if !f.Update(s) {
			t.Error("maxsamples 1: a sample is refused")
		}
		if e, _ := f.Estimate(s.At); e.Line.At.Wall.Sub(s.True).Abs() > 50*time.Microsecond {
			t.Errorf("maxsamples 1: estimate got %v, want the sample %v", e.Line.At.Wall, s.True)
		}
		m.wait(64 * time.Second)
	}
	f = New(Config{MaxSamples: 4})
	for i := range 24 {
		if i == 20 {
			m.jump = clock.Offset(time.Second)
		}
		f.Update(m.sample())
		m.wait(64 * time.Second)
	}
	if got := m.wrong(t, f) - time.Second; got.Abs() > time.Millisecond {
		t.Errorf("maxsamples 4: off by %v after a jump and four samples", got)
	}
}

// TestJumpShortensPoll: an estimate that begins anew wants the shortest
// interval at once.
func TestJumpShortensPoll(t *testing.T) {
	m, f := settled(22, 60)
	f.PollChange(10)
	m.jump = clock.Offset(50 * time.Millisecond)
	for i := 1; ; i++ {
		accepted := f.Update(m.sample())
		m.wait(64 * time.Second)
		if !accepted {
			continue
		}
		if i != surprises {
			t.Errorf("a jump is followed after %d samples, want %d", i, surprises)
		}
		break
	}
	if got := f.PollChange(10); got != shortest {
		t.Errorf("PollChange after a jump: got %d, want %d", got, shortest)
	}
	if got := f.PollChange(6); got < -1 {
		t.Errorf("PollChange later: got %d", got)
	}
}

package clock

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestGrain(t *testing.T) {
	const seed = 7
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for _, step := range []time.Duration{1, 100, time.Microsecond, 10 * time.Microsecond, time.Millisecond, 4 * time.Millisecond, 10 * time.Millisecond} {
		var g Grain
		for i := range 40 {
			m := Mono(rng.Int64N(1e15))
			g.Read(m - m%Mono(step))
			if i < grainReadings-1 && g.Resolution() != 0 {
				t.Errorf("steps of %v: resolution after %d readings: got %v, want unknown", step, i+1, g.Resolution())
			}
		}
		want := step
		if step <= time.Microsecond {
			want = 0
		}
		if got := g.Resolution(); got != want {
			t.Errorf("steps of %v: resolution got %v, want %v", step, got, want)
		}
	}
	var g Grain
	for i := range 9 {
		g.Read(Mono(i+1) * Mono(time.Second))
	}
	if got := g.Resolution(); got != 0 {
		t.Errorf("readings at whole seconds: resolution got %v, want unknown", got)
	}
}

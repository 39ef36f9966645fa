//go:build linux

package sysclock

import (
	"testing"
	"time"

	"ntsd/internal/clock"
)

// A packet that leaves during a fast slew and is answered after its end keeps
// its departure.
func TestMonoAtOverTheEndOfASlew(t *testing.T) {
	k, r := openRecorded(t)
	r.line.Rate = clock.RatePPM(88) // what the kernel has been told
	steer := func(ppm float64) {
		t.Helper()
		rate, err := k.SetRate(clock.RatePPM(ppm))
		if err != nil {
			t.Fatal(err)
		}
		r.line = r.line.From(r.now)
		r.line.Rate = rate
	}
	type stamp struct {
		at   clock.Mono
		wall clock.Wall
	}
	var taken []stamp
	for _, ppm := range []float64{83333, 40000, -83333, 5, 12} {
		steer(ppm)
		for range 3 {
			r.now = r.now.Add(40 * time.Millisecond)
			taken = append(taken, stamp{r.now, r.line.WallAt(r.now)})
		}
	}
	for _, s := range taken {
		if off := k.MonoAt(s.wall).Sub(s.at); off.Abs() > time.Microsecond {
			t.Errorf("stamp %v old: off by %v", r.now.Sub(s.at), off)
		}
	}
}

// What is older than the memory is mapped by the oldest rate that is left.
func TestHistoryIsBounded(t *testing.T) {
	var h history
	now := clock.Line{At: clock.Reading{Mono: 1e9, Wall: 1e9}}
	for range 3 * maxBends {
		now = now.From(now.At.Mono.Add(time.Second))
		h.add(now)
	}
	for _, age := range []time.Duration{0, time.Second, 5 * time.Second, 40 * time.Second} {
		want := now.At.Mono.Add(-age)
		if got := h.monoAt(now, now.WallAt(want)); got != want {
			t.Errorf("%v old: off by %v", age, got.Sub(want))
		}
	}
}

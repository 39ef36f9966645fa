package filter

import (
	"math/rand/v2"
	"testing"
	"time"

	"ntsd/internal/clock"
)

const medianEpoch = clock.Wall(1_798_704_000_000_000_000)

// The sample in the middle is the same whatever the order and the drift.
func TestMedian(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	sample := func(at time.Duration, rate clock.Rate, offset time.Duration) Sample {
		return Sample{At: clock.Mono(at), True: medianEpoch.Add(at + rate.Over(at) + offset), Delay: time.Millisecond, Dispersion: 2}
	}
	for _, c := range []struct {
		offsets []time.Duration
		want    time.Duration
	}{
		{[]time.Duration{7}, 7},
		{[]time.Duration{4, 8}, 6},
		{[]time.Duration{-500, 3, 90}, 3},
		{[]time.Duration{-500, 2, 8, 90}, 5},
	} {
		for _, rate := range []clock.Rate{0, 100e-6, -500e-6} {
			offsets := c.offsets
			for range 5 {
				rng.Shuffle(len(offsets), func(i, j int) { offsets[i], offsets[j] = offsets[j], offsets[i] })
				var samples []Sample
				for i, o := range offsets {
					samples = append(samples, sample(time.Duration(i)*time.Second, rate, o*time.Microsecond))
				}
				got := Median(samples, rate)
				at := time.Duration(got.At)
				if off := got.True.Sub(medianEpoch.Add(at + rate.Over(at))).Duration(); (off-c.want*time.Microsecond).Abs() > 2 ||
					got.Delay != time.Millisecond || got.Dispersion != 2 {
					t.Errorf("%v, rate %v (seed 3, 4): offset %v, delay %v; want %dus, 1ms", offsets, rate, off, got.Delay, c.want)
				}
			}
		}
	}
}

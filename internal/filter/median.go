package filter

import (
	"slices"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/order"
)

// Median returns the sample in the middle by offset, or between the two there.
// rate is the server's against Mono: without it a drifting clock's median would
// only be the middle in time.
func Median(samples []Sample, rate clock.Rate) Sample {
	at := samples[0]
	offset := func(s Sample) clock.Offset {
		since := s.At.Sub(at.At)
		return s.True.Sub(at.True.Add(since).Add(rate.Over(since)))
	}
	sorted := slices.Clone(samples)
	order.Stable(sorted, func(x, y Sample) int { return int(max(-1, min(1, offset(x)-offset(y)))) })
	s, t := sorted[(len(sorted)-1)/2], sorted[len(sorted)/2]
	half := t.At.Sub(s.At) / 2
	return Sample{
		At:   s.At.Add(half),
		True: s.True.Add(half).Add(offsetBetween(s, t) / 2),
		// The mean of the round trips: the error of a mean is at most that of its
		// parts, and their excess bounds it.
		Delay:      (s.Delay + t.Delay) / 2,
		Dispersion: max(s.Dispersion, t.Dispersion),
	}
}

// offsetBetween is by how much t is further from Mono than s.
func offsetBetween(s, t Sample) time.Duration {
	return t.True.Sub(s.True).Duration() - t.At.Sub(s.At)
}

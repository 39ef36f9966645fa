package assoc

import (
	"slices"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/filter"
)

// maxBatch bounds the option filter.
const maxBatch = 64

// batch collects the samples of several polls for the option filter, chrony's
// median filter: on a LAN that is asked many times a second, one good sample of
// them all. The zero value is empty.
type batch struct {
	samples []filter.Sample // at most one per poll
	first   uint64          // the request that began it
}

// collect adds the sample of a request. ok says that the batch is complete;
// then all is their common sample.
func (a *Assoc) collect(s filter.Sample) (all filter.Sample, ok bool) {
	b, n := &a.batch, uint64(min(a.cfg.Filter, maxBatch))
	if n <= 1 || a.burst.atStart || !a.sampled {
		return s, true // the first estimate cannot come too soon
	}
	if len(b.samples) == 0 {
		b.first = a.requests
	}
	b.samples = append(b.samples, s)
	// Requests that got lost count: the estimate must not starve.
	if a.requests-b.first+1 < n {
		return s, false
	}
	var rate clock.Rate
	if e, known := a.filter.Estimate(s.At); known {
		rate = e.Line.Rate
	}
	all = median(b.samples, rate)
	b.samples = b.samples[:0]
	return all, true
}

// median returns the sample in the middle by offset, or between the two there.
// rate is the server's against Mono: without it a drifting clock's median would
// only be the middle in time.
func median(samples []filter.Sample, rate clock.Rate) filter.Sample {
	at := samples[0]
	offset := func(s filter.Sample) clock.Offset {
		since := s.At.Sub(at.At)
		return s.True.Sub(at.True.Add(since).Add(rate.Over(since)))
	}
	sorted := slices.Clone(samples)
	slices.SortStableFunc(sorted, func(x, y filter.Sample) int { return int(max(-1, min(1, offset(x)-offset(y)))) })
	s, t := sorted[(len(sorted)-1)/2], sorted[len(sorted)/2]
	half := t.At.Sub(s.At) / 2
	return filter.Sample{
		At:   s.At.Add(half),
		True: s.True.Add(half).Add(offsetBetween(s, t) / 2),
		// The mean of the round trips: the error of a mean is at most that of its
		// parts, and their excess bounds it.
		Delay:      (s.Delay + t.Delay) / 2,
		Dispersion: max(s.Dispersion, t.Dispersion),
	}
}

// offsetBetween is by how much t is further from Mono than s.
func offsetBetween(s, t filter.Sample) time.Duration {
	return t.True.Sub(s.True).Duration() - t.At.Sub(s.At)
}

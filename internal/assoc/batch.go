package assoc

import (
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
	all = filter.Median(b.samples, rate)
	b.samples = b.samples[:0]
	return all, true
}

package filter

import (
	"ntsd/internal/clock"
	"ntsd/internal/ntptime"
)

// Filter estimates one server's timescale. It is not safe for concurrent use;
// make one with New.
type Filter struct {
	cfg Config
}

// New returns a filter without samples.
func New(cfg Config) *Filter { return &Filter{cfg: cfg} }

// Update takes the next sample. It reports whether the sample entered the
// estimate; one that is not later than its predecessor, or that lies so far
// from the estimate that it would have to be a fault, does not.
func (f *Filter) Update(s Sample) bool { return false }

// Estimate returns what is believed about the server's timescale, described
// from its point at the time at; ok is false before the first sample.
func (f *Filter) Estimate(at clock.Mono) (e Estimate, ok bool) { return Estimate{}, false }

// Stats describes the samples behind the estimate.
func (f *Filter) Stats() Stats { return Stats{} }

// Reset forgets every sample.
func (f *Filter) Reset() {}

// PollChange says after an Update how the poll interval should change, given
// its present exponent: -1 shorter, +1 longer, 0 as it is.
func (f *Filter) PollChange(poll ntptime.Exponent) int { return 0 }

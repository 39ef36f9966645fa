// Package filter estimates one server's timescale from the samples of its
// association. It is layer 2: pure arithmetic on the undisciplined local
// scale, the same bits on every architecture, no clock, no randomness.
//
// The model. The server's phase against Mono is a line whose rate wanders. A
// sample's error is bounded by its round trip: with the excess D of the round
// trip over the path's minimum, the error lies in [-D/2, D/2], evenly when
// both directions queue alike, near one end when one of them queues more. So a
// sample of small excess is worth hundreds of others. How fast the rate
// wanders and which shape the errors have is not known beforehand: a bank of
// two-state filters, one per pair of wander and shape, is weighted by how well
// each foretold the samples.
//
// Non-goals: it steers nothing, judges no server against another (selection)
// and checks no packet (assoc).
package filter

import (
	"math"
	"time"

	"ntsd/internal/clock"
)

// Sample is one measured exchange with a server, free of our own steering:
// Mono cannot be stepped.
type Sample struct {
	At         clock.Mono    // local midpoint between departure and arrival
	True       clock.Wall    // what the server's clock showed at At, if the path is symmetric
	Delay      time.Duration // round trip less the server's own time, at least 0
	Dispersion time.Duration // error that both clocks' resolution and drift can add
}

// Config bounds a filter.
type Config struct {
	// MaxSamples is how many of the newest samples make the estimate, 0: all,
	// weighted by how far the oscillator may have wandered since. From 16 on it
	// makes no difference: there the old ones hardly count.
	MaxSamples int
	// MinSamples is chrony's option of that name: the least number of samples
	// that an estimate which must begin anew begins with. Otherwise there is
	// nothing to bound: no sample is forgotten before the oscillator has made it
	// worthless.
	MinSamples int
	// MinDelay is the configured lower bound of the path's round trip, 0 when
	// unknown.
	MinDelay time.Duration
	// Rate and RateSD are what is known beforehand about the server's rate
	// against Mono (the correction of the drift file has the same sign).
	// RateSD 0 means that nothing is known.
	Rate, RateSD clock.Rate
}

// Estimate is what the filter believes about a server's timescale.
type Estimate struct {
	Line     clock.Line    // the server's wall time as a function of Mono
	OffsetSD time.Duration // standard deviation of Line at Line.At.Mono
	RateSD   clock.Rate    // standard deviation of Line.Rate
	Wander   clock.Rate    // standard deviation of what a second adds to the rate
	MinDelay time.Duration // round trip believed to be free of queues
	Samples  int           // accepted samples behind the estimate
}

// boundSDs standard deviations bound an error: 99.9 % of a normal variable's lie
// within 3.3, and an estimate's deviation is itself right to some 10 %.
const boundSDs = 3.5

// Bound returns what the estimate's error exceeds once in a thousand times at
// most, the time after later than the estimate: the oscillator has wandered
// since. What queues that are always there hide (half of MinDelay) comes on top.
func (e *Estimate) Bound(after time.Duration) time.Duration {
	t := max(0, after.Seconds())
	sd := e.OffsetSD.Seconds() + float64(float64(e.RateSD)*t)
	wandered := float64(float64(e.Wander)*float64(e.Wander)) * float64(t*float64(t*t)) / 3
	return clock.OffsetSeconds(boundSDs * math.Sqrt(float64(sd*sd)+wandered)).Duration()
}

// Stats is what `ntsctl sourcestats` prints about a source.
type Stats struct {
	Samples int           // NP
	Runs    int           // NR: runs of residuals with the same sign
	Span    time.Duration // between the oldest and the newest sample
	Rate    clock.Rate    // of the server's timescale against Mono
	Skew    clock.Rate    // bound of the error of Rate
	StdDev  time.Duration // of the samples round the line
}

// Package selection decides which sources tell the time and joins what they
// say. It is layer 2 and free of state: the same input gives the same answer.
//
// Each source claims an interval that contains the true offset. A majority of
// intervals with a common point holds the truechimers (Marzullo's algorithm, RFC
// 5905 section 11.2.1); the options and the states are chrony's, as its users
// know them. A far source is tied to the near ones (Tie, which the caller keeps).
//
// Non-goals: it measures nothing (filter) and steers nothing (discipline).
package selection

import (
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/wire"
)

// AuthMode is chrony's authselectmode: what plain sources may do beside
// authenticated ones.
type AuthMode uint8

// The modes.
const (
	AuthMix     AuthMode = iota // authenticated ones are trusted and required, plain ones may help
	AuthRequire                 // only authenticated sources
	AuthPrefer                  // plain ones only where no authenticated one is configured
	AuthIgnore                  // no difference
)

// Options are a source's selection options; the words are chrony's.
type Options struct {
	NoSelect, Prefer, Trust, Require bool
}

// Config holds the options of the section "selection". DefaultConfig has
// chrony's defaults.
type Config struct {
	AuthMode      AuthMode
	MinSources    int           // selectable sources needed to update the clock
	MaxDistance   time.Duration // largest root distance
	MaxJitter     time.Duration
	CombineLimit  float64 // factor of the best source's distance; 0: no combining
	ReselectDist  time.Duration
	StratumWeight time.Duration
	Orphan        Orphan
}

// DefaultConfig returns chrony's defaults.
func DefaultConfig() Config {
	return Config{
		AuthMode:      AuthMix,
		MinSources:    1,
		MaxDistance:   3 * time.Second,
		MaxJitter:     time.Second,
		CombineLimit:  3,
		ReselectDist:  100 * time.Microsecond,
		StratumWeight: time.Millisecond,
	}
}

// SetDefaults fills in what the caller left out and zero cannot mean.
func (c *Config) SetDefaults() {
	d := DefaultConfig()
	if *c == (Config{}) {
		*c = d
	}
	if c.MinSources == 0 {
		c.MinSources = d.MinSources
	}
	if c.MaxDistance == 0 {
		c.MaxDistance = d.MaxDistance
	}
	if c.MaxJitter == 0 {
		c.MaxJitter = d.MaxJitter
	}
}

// Candidate is one source as the selection sees it. Offset is what the source
// says must be added to the wall clock now; Distance bounds the error of
// Offset (root delay/2 + root dispersion + peer terms).
type Candidate struct {
	Offset        clock.Offset
	Distance      time.Duration
	SD            time.Duration // standard deviation of Offset
	Samples       int           // that they rest on
	Tie           Tie           // of a far source to the near ones
	Lead          Lead          // over the one selected before
	Fresh         bool          // a sample came that is not in Lead yet
	Outside       int           // as the last selection's Result has it
	Stratum       uint8
	Leap          wire.Leap // as it announces
	Reachable     bool
	Lost          bool // unreachable for longer than the source may be
	Ready         bool // has enough samples
	Synchronised  bool // the source's leap and stratum say so
	Authenticated bool
	Reference     bool // a clock at this machine, no server
	Online        bool
	Options       Options
	// Address is how the source's address is named in replies, Own how that of
	// this host is, as the source sees it; zero: unknown.
	Address, Own wire.ReferenceID
}

// Result is the outcome of a selection; its slices run parallel to the
// candidates.
type Result struct {
	Selected  int // index of the selected candidate, -1: none
	States    []State
	Effective []Options // the options after the authentication mode
	// Lo and Hi are the ends of the interval that is said to contain the offset.
	Lo, Hi []clock.Offset
	// TrueLo and TrueHi are the first and the last offset that a majority of
	// those with a vote hold for possible. As long as fewer than half of them are
	// wrong, the true one lies between; of nothing narrower that can be said.
	TrueLo, TrueHi clock.Offset
	// Tied are those that are combined although they are far: with their bias
	// subtracted.
	Tied []bool
	// Outside are those that measure something else than the majority does, although
	// their bounds agree: for how many samples more, if nothing else happens. The
	// caller keeps it.
	Outside []int
	// Score is chrony's: 1, or more where a source has been better than the
	// selected one of late; the caller keeps it as the source's Lead.
	Score []float64
	Why   string // why none is selected, in words; empty otherwise

	nearest int // that the others are tied to
}

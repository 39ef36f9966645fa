// Package discipline turns an estimate of the server's time into what the
// kernel clock is told: a step, a slew, a frequency. It is layer 2 and sans-IO:
// it never reads a clock, and every correction is computed anew from the two
// clocks' reading that comes with an event, so a late wake-up costs nothing.
//
// Non-goals: it judges no source (selection) and no sample (filter).
package discipline

import (
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/filter"
)

// Config holds what may be done to the clock. The zero value of a field means
// its default.
type Config struct {
	// Threshold and Limit allow steps: an offset above Threshold is stepped at
	// one of the first Limit updates (negative: at any). Threshold 0: never.
	Threshold time.Duration
	Limit     int
	// MaxSlew bounds the frequency by which an offset is slewed away.
	MaxSlew clock.Rate
	// LogChange is the offset from which NoticeOffset is given; 0: never.
	LogChange time.Duration
}

// Update is a new estimate of true time with what the reference said.
type Update struct {
	Estimate       filter.Estimate
	RootDelay      time.Duration // of the reference, with the path to it
	RootDispersion time.Duration // of the reference, with the path to it
	Leap           event.Leap
}

// Stats is the discipline's state; the meaning of the fields is that of
// chronyc tracking.
type Stats struct {
	Synchronised   bool
	Frequency      clock.Rate // correction in force, without the slew; positive: the oscillator is slow
	Residual       clock.Rate // last estimate of the rate less the one in force
	Skew           clock.Rate // bound of the frequency's error
	LastOffset     clock.Offset
	RMSOffset      time.Duration
	Interval       time.Duration // between the last two updates
	Updates, Steps uint64
	ReferenceTime  clock.Wall // wall time of the last update
	Leap           event.Leap
}

// Discipline steers one clock. It is not safe for concurrent use; make one
// with New.
type Discipline struct {
	cfg Config
}

// New returns a discipline for a clock that reads now. rate and skew are the
// frequency correction of the drift file and its bound; known is false when
// there is none. The first HandleTimer puts the rate in force.
func New(cfg Config, now clock.Reading, rate, skew clock.Rate, known bool) *Discipline {
	return &Discipline{cfg: cfg}
}

// HandleUpdate takes a new estimate and steers towards it.
func (d *Discipline) HandleUpdate(now clock.Reading, u Update, out []event.Action) []event.Action {
	return out
}

// HandleTimer ends slews and keeps the kernel's status; to be called at
// NextDeadline.
func (d *Discipline) HandleTimer(now clock.Reading, out []event.Action) []event.Action { return out }

// HandleConfig replaces the configuration. The count of updates goes on.
func (d *Discipline) HandleConfig(cfg Config) {}

// HandleUnsynchronised tells the kernel that the time is not synchronised any
// more. The frequency stays, a slew is carried to its end.
func (d *Discipline) HandleUnsynchronised(now clock.Reading, out []event.Action) []event.Action {
	return out
}

// HandleStop puts the bare frequency in force (no slew outlives the daemon)
// and saves the drift.
func (d *Discipline) HandleStop(now clock.Reading, out []event.Action) []event.Action { return out }

// NextDeadline is when HandleTimer wants to be called.
func (d *Discipline) NextDeadline() clock.Mono { return clock.Never }

// MakeStep steps whatever is left of the correction now.
func (d *Discipline) MakeStep(now clock.Reading, out []event.Action) []event.Action { return out }

// Correction is what is still to be slewed (positive: the clock is slow).
func (d *Discipline) Correction(now clock.Reading) clock.Offset { return 0 }

// RootDelay is that of the last update.
func (d *Discipline) RootDelay() time.Duration { return 0 }

// RootDispersion bounds, with half the root delay, the wall clock's error: the
// last update's dispersion grown by the skew since, and the correction left.
func (d *Discipline) RootDispersion(now clock.Reading) time.Duration { return 0 }

// Stats returns the state for people.
func (d *Discipline) Stats() Stats { return Stats{} }

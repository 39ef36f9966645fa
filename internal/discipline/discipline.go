// Package discipline turns an estimate of the server's time into what the
// kernel clock is told: a step, a slew, a frequency. It is layer 2 and sans-IO:
// it never reads a clock, and every correction is computed anew from the two
// clocks' reading that comes with an event, so neither a late wake-up nor an
// earlier error of the steering adds up.
//
// Non-goals: it judges no source (selection) and no sample (filter).
package discipline

import (
	"math"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/filter"
	"ntsd/internal/leaplist"
)

// Config holds what may be done to the clock.
type Config struct {
	// Threshold and Limit allow steps: an offset above Threshold is stepped at
	// one of the first Limit updates (negative: at any). Threshold 0: never.
	Threshold time.Duration
	Limit     int
	// MaxSlew bounds the frequency by which an offset is slewed away; 0 means
	// the default.
	MaxSlew clock.Rate
	// LogChange is the offset from which NoticeOffset is given; 0: never.
	LogChange time.Duration
	LeapMode  LeapMode
	Leaps     *leaplist.List // tells TAI-UTC; nil: nothing does
}

// Update is a new estimate of true time with what the reference said.
type Update struct {
	Estimate       filter.Estimate
	RootDelay      time.Duration // of the reference, with the path to it
	RootDispersion time.Duration // of the reference, with the path to it
	Leap           event.Leap
	// Companion says that the news came from a source that is combined with the
	// reference: it moves the clock, but chrony's users count the reference's
	// updates, in makestep and in tracking.
	Companion bool
	// OnTrial says that the time must still be confirmed: the clock is set, but
	// nobody is told that it is synchronised, no drift is saved, and the update
	// is not counted.
	OnTrial bool
}

// Stats is the discipline's state; the meaning of the fields is that of
// chronyc tracking.
type Stats struct {
	Synchronised   bool
	Frequency      clock.Rate    // correction in force, without the slew; positive: the oscillator is slow
	Residual       clock.Rate    // the last estimate's rate less the one in force
	Skew           clock.Rate    // bound of the frequency's error
	LastOffset     clock.Offset  // the last estimate less what was believed before; positive: slow
	RMSOffset      time.Duration // long-term average of LastOffset
	Interval       time.Duration // between the last two updates by the reference
	Updates, Steps uint64
	ReferenceTime  clock.Wall // of the last update
	Leap           event.Leap
}

// Discipline steers one clock. It is not safe for concurrent use; make one
// with New.
type Discipline struct {
	cfg   Config
	stats Stats

	started bool       // the first SetRate has been asked for
	freq    clock.Rate // in force, without the slew
	freqSD  clock.Rate
	freqAt  clock.Mono // when freqSD was true
	steered clock.Line // where the wall clock must be if nobody else moves it

	change   clock.Rate // of the rate at steered.At, in size
	target   clock.Line // believed true time
	haveLine bool
	last     Update
	at       clock.Mono    // of the last update
	gap      time.Duration // between the last two
	// referenceAt is when the reference itself brought the last one; 0: never.
	referenceAt clock.Mono

	// disturbed: somebody else has moved the clock since the last update, or Mono
	// has stood still; target is not to be slewed to.
	disturbed bool

	slewEnd  clock.Mono // Never: no slew
	statusAt clock.Mono // next SetStatus
	savedAt  clock.Mono
	saved    bool
	leap     ownLeap
	leapt    clock.Mono // when the last leap second was found or made; 0: never
	warned   bool       // NoticeWrongClock was given
}

// New returns a discipline for a clock that reads now. rate and skew are the
// frequency correction of the drift file and its bound; known is false when
// there is none: then rate is what is in force, a guess that may be as wrong as
// none. The first HandleTimer or HandleUpdate puts the rate in force.
func New(cfg Config, now clock.Reading, rate, skew clock.Rate, known bool) *Discipline {
	d := &Discipline{
		freq:     clampRate(rate, maxFrequency),
		freqSD:   unknownRate,
		freqAt:   now.Mono,
		steered:  clock.Line{At: now},
		slewEnd:  now.Mono,
		statusAt: clock.Never,
	}
	if known {
		d.freqSD = max(skew, leastSkew)
	}
	d.stats.Frequency, d.stats.Skew = d.freq, d.freqSD
	d.stats.Leap = event.LeapUnsynchronised
	d.HandleConfig(cfg)
	return d
}

// HandleConfig replaces the configuration. The count of updates goes on.
func (d *Discipline) HandleConfig(cfg Config) {
	if cfg.MaxSlew <= 0 {
		cfg.MaxSlew = defaultMaxSlew
	}
	cfg.MaxSlew = min(cfg.MaxSlew, largestMaxSlew)
	d.cfg = cfg
}

// HandleUpdate takes a new estimate and steers towards it.
func (d *Discipline) HandleUpdate(now clock.Reading, u Update, out []event.Action) []event.Action {
	out = d.observe(now, out)
	now, out = d.stepLeap(now, out)
	line := u.Estimate.Line
	u.Leap = d.leapToCome(clock.Reading{Mono: now.Mono, Wall: line.WallAt(now.Mono)}, u.Leap)
	offset := line.WallAt(now.Mono).Sub(now.Wall)
	d.account(now, line, offset, u.Companion)
	d.adoptRate(now, u.Estimate)
	line.Rate = d.freq
	d.target, d.haveLine, d.last, d.disturbed = line.From(now.Mono), true, u, false
	allowed := d.cfg.Limit < 0 || d.stats.Updates < uint64(d.cfg.Limit)
	if !u.OnTrial && (!u.Companion || d.stats.Updates == 0) {
		d.stats.Updates++
	}
	out = d.announce(u, offset, allowed, out)
	d.armLeap(now)
	if d.cfg.Threshold > 0 && offset.Abs() > d.cfg.Threshold && allowed {
		out = d.step(now, offset, out)
		now.Wall = d.steered.At.Wall
	} else {
		out = d.slew(now, out)
	}
	d.at = now.Mono
	d.stats.ReferenceTime = d.target.At.Wall
	out = d.status(now, out)
	if u.OnTrial {
		return out
	}
	return d.save(now, out)
}

// HandleTimer ends slews and keeps the kernel's status; to be called at
// NextDeadline.
func (d *Discipline) HandleTimer(now clock.Reading, out []event.Action) []event.Action {
	out = d.observe(now, out)
	now, out = d.stepLeap(now, out)
	if now.Mono >= d.slewEnd {
		out = d.slew(now, out)
	}
	if now.Mono >= d.statusAt {
		out = d.status(now, out)
	}
	return out
}

// NextDeadline is when HandleTimer wants to be called.
func (d *Discipline) NextDeadline() clock.Mono {
	return min(d.slewEnd, d.statusAt, d.leapDue(), d.leapSeen())
}

// HandleUnsynchronised tells the kernel that the time is not synchronised any
// more. The frequency stays, a slew is carried to its end.
func (d *Discipline) HandleUnsynchronised(now clock.Reading, out []event.Action) []event.Action {
	out = d.observe(now, out)
	if !d.stats.Synchronised {
		return out
	}
	d.stats.Synchronised = false
	d.stats.Leap = event.LeapUnsynchronised
	d.statusAt = clock.Never
	return append(out, event.SetStatus{
		Leap:     event.LeapUnsynchronised,
		MaxError: unsynchronisedError,
		EstError: unsynchronisedError,
	})
}

// HandleStop puts the bare frequency in force (no slew outlives the daemon)
// and saves the drift.
func (d *Discipline) HandleStop(now clock.Reading, out []event.Action) []event.Action {
	out = d.observe(now, out)
	out = d.setRate(now, d.freq, out)
	d.slewEnd, d.statusAt = clock.Never, clock.Never
	return d.SaveDrift(out)
}

// SaveDrift saves the frequency if it is known well enough to be of use.
func (d *Discipline) SaveDrift(out []event.Action) []event.Action {
	if d.stats.Updates > 0 && d.freqSD <= worthSaving {
		out = append(out, event.SaveDrift{Rate: d.freq, Skew: d.freqSD})
	}
	return out
}

// MakeStep steps whatever is left of the correction now.
func (d *Discipline) MakeStep(now clock.Reading, out []event.Action) []event.Action {
	out = d.observe(now, out)
	if offset := d.Correction(now); offset != 0 && !d.disturbed {
		out = d.step(now, offset, out)
		now.Wall = d.steered.At.Wall
		out = d.status(now, out)
	}
	return out
}

// StepTo sets a clock that is known to be behind to a time that has certainly
// passed. It says nothing of the clock being right.
func (d *Discipline) StepTo(now clock.Reading, wall clock.Wall, out []event.Action) []event.Action {
	out = d.observe(now, out)
	return d.step(now, wall.Sub(now.Wall), out)
}

// Correction is what is still to be slewed (positive: the clock is slow).
func (d *Discipline) Correction(now clock.Reading) clock.Offset {
	if !d.haveLine {
		return 0
	}
	return d.target.WallAt(now.Mono).Sub(now.Wall)
}

// RootDelay is that of the last update.
func (d *Discipline) RootDelay() time.Duration { return d.last.RootDelay }

// RootDispersion bounds, with half the root delay, the wall clock's error: the
// last update's dispersion grown by what the oscillator may have done since,
// and the correction left.
func (d *Discipline) RootDispersion(now clock.Reading) time.Duration {
	if !d.haveLine {
		return unsynchronisedError
	}
	since := now.Mono.Sub(d.at)
	e := d.last.Estimate
	e.RateSD = d.freqSD // of the rate in force
	grown := e.Bound(since) - e.Bound(0) + oscillatorError.Over(since)
	return d.last.RootDispersion + grown + d.Correction(now).Abs()
}

// HandleDoubt raises the root dispersion to what it must be at least now: a
// sample that does not fit moves the clock not yet, but may be right.
func (d *Discipline) HandleDoubt(now clock.Reading, dispersion time.Duration) {
	d.last.RootDispersion += max(0, dispersion-d.RootDispersion(now))
}

// Stats returns the state for people.
func (d *Discipline) Stats() Stats { return d.stats }

// account keeps the statistics of the updates.
func (d *Discipline) account(now clock.Reading, line clock.Line, offset clock.Offset, companion bool) {
	if d.haveLine {
		offset = line.WallAt(now.Mono).Sub(d.target.WallAt(now.Mono))
		d.gap = now.Mono.Sub(d.at)
	}
	if !companion {
		if d.referenceAt != 0 {
			d.stats.Interval = now.Mono.Sub(d.referenceAt)
		}
		d.referenceAt = now.Mono
	}
	d.stats.LastOffset = offset
	o, r := float64(offset), float64(d.stats.RMSOffset)
	if d.stats.Updates == 0 {
		d.stats.RMSOffset = offset.Abs()
		return
	}
	square := float64(r*r) + float64(rmsShare*(float64(o*o)-float64(r*r)))
	d.stats.RMSOffset = time.Duration(math.Round(math.Sqrt(square)))
}

// adoptRate takes the estimate's rate, unless a far better one is known: a
// source that has just been added need not unlearn the drift file.
func (d *Discipline) adoptRate(now clock.Reading, e filter.Estimate) {
	aged := float64(rateAging * math.Sqrt(max(0, now.Mono.Sub(d.freqAt).Seconds())))
	known := math.Sqrt(float64(float64(d.freqSD)*float64(d.freqSD)) + float64(aged*aged))
	if float64(e.RateSD) <= float64(muchBetter*known) {
		d.freq = clampRate(e.Line.Rate, maxFrequency)
		d.freqSD = max(e.RateSD, leastSkew)
		d.freqAt = now.Mono
	}
	d.stats.Frequency, d.stats.Skew = d.freq, d.freqSD
	d.stats.Residual = e.Line.Rate - d.freq
}

func clampRate(r, limit clock.Rate) clock.Rate { return max(-limit, min(limit, r)) }

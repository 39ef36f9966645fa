package discipline

import (
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
)

// LeapMode says who corrects the clock at a leap second, and how; the words are
// chrony's (leapsecmode).
type LeapMode uint8

// The modes.
const (
	LeapSystem LeapMode = iota // the kernel, by a step
	LeapStep                   // this package, by a step
	LeapSlew                   // this package, by a slew
	LeapIgnore                 // nobody: what the servers say afterwards corrects it
)

const day = 24 * time.Hour

// Implementation constants.
const (
	// leapBefore and leapAfter are round a leap second the time in which nobody
	// should ask what time it is: a server hears of it once a second.
	leapBefore = 1500 * time.Millisecond
	leapAfter  = 3500 * time.Millisecond
)

// ownLeap is a leap second that is not the kernel's.
type ownLeap struct {
	at   clock.Wall // when it is due; 0: none is
	step clock.Offset
}

// leapEnd is when the announced leap second begins to move civil time: an
// inserted one at the end of the day, a deleted one a second before.
func (d *Discipline) leapEnd(now clock.Wall) clock.Wall {
	sinceMidnight := time.Duration(now) % day
	if sinceMidnight < 0 {
		sinceMidnight += day
	}
	end := now.Add(day - sinceMidnight)
	if d.stats.Leap == event.LeapDelete {
		end = end.Add(-time.Second)
	}
	return end
}

func (d *Discipline) leapAnnounced() bool {
	return d.stats.Leap == event.LeapInsert || d.stats.Leap == event.LeapDelete
}

// armLeap notes when an announced leap second is due that is ours to correct.
func (d *Discipline) armLeap(now clock.Reading) {
	switch {
	case d.cfg.LeapMode == LeapSystem || !d.leapAnnounced():
		d.leap.at = 0
	case d.leap.at == 0:
		d.leap.at = d.leapEnd(d.target.WallAt(now.Mono))
	}
}

// leapDue is when the leap second that is ours to correct is due.
func (d *Discipline) leapDue() clock.Mono {
	if d.leap.at == 0 {
		return clock.Never
	}
	return d.target.MonoAt(d.leap.at)
}

// leapOurselves moves the belief by the leap second when it is due; the clock
// follows.
func (d *Discipline) leapOurselves(now clock.Reading) clock.Offset {
	if now.Mono < d.leapDue() {
		return 0
	}
	by := -clock.Offset(time.Second)
	if d.stats.Leap == event.LeapDelete {
		by = -by
	}
	d.leap.at, d.stats.Leap, d.leapt = 0, event.LeapNone, now.Mono
	if d.cfg.LeapMode == LeapIgnore {
		return 0
	}
	d.target.At.Wall = d.target.At.Wall.Add(by.Duration())
	if d.cfg.LeapMode == LeapStep {
		d.leap.step = by
	}
	d.slewEnd = now.Mono // HandleTimer corrects the clock
	return by
}

// stepLeap carries out the step of a leap second that is pending. It returns
// the reading after it.
func (d *Discipline) stepLeap(now clock.Reading, out []event.Action) (clock.Reading, []event.Action) {
	if d.leap.step == 0 {
		return now, out
	}
	out = d.step(now, d.leap.step, out)
	d.leap.step = 0
	now.Wall = d.steered.At.Wall
	return now, out
}

// LeapClose reports whether a leap second is so near, before or after, that
// what the clock shows may be off by it.
func (d *Discipline) LeapClose(now clock.Reading) bool {
	if d.leapt != 0 && now.Mono.Sub(d.leapt) < leapAfter {
		return true
	}
	return d.leapAnnounced() && d.leapEnd(now.Wall).Sub(now.Wall).Duration() <= leapBefore
}

// kernelLeap is what the kernel is told.
func (d *Discipline) kernelLeap() event.Leap {
	if d.cfg.LeapMode != LeapSystem {
		return event.LeapNone
	}
	return d.stats.Leap
}

// Belief is the line that is believed to be true time; ok is false before the
// first update.
func (d *Discipline) Belief() (line clock.Line, ok bool) { return d.target, d.haveLine }

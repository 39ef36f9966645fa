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

// Implementation constants.
const (
	// leapBefore and leapAfter are round a leap second the time in which nobody
	// should ask what time it is: a server hears of it once a second.
	leapBefore = 1500 * time.Millisecond
	leapAfter  = 3500 * time.Millisecond
	// leapLook is how long after its leap second the kernel has made it: on its
	// next tick.
	leapLook = 50 * time.Millisecond
	// leapOver is how long after a leap second nobody is heard who announces one:
	// servers say it until they are asked again, and while the second is inserted
	// the day has not ended. There is one in half a year at most.
	leapOver = 12 * time.Hour
	// leapClose is how near to the end of a day the kernel's TAI-UTC is its own
	// business: it changes it with the second itself.
	leapClose = 5 * time.Second
)

// ownLeap is a leap second that is not the kernel's.
type ownLeap struct {
	at   clock.Wall // when it is due; 0: none is
	step clock.Offset
}

// leapEnd is when the announced leap second begins to move civil time: an
// inserted one at the end of the day, a deleted one a second before.
func (d *Discipline) leapEnd(now clock.Wall) clock.Wall {
	end := now.Midnight()
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
	if d.leap.at == 0 || d.cfg.LeapMode == LeapSystem { // the mode may have changed since
		return clock.Never
	}
	return d.target.MonoAt(d.leap.at)
}

// leapSeen is when to look whether the kernel has made its leap second: until
// then what we say of the clock would be a second off.
func (d *Discipline) leapSeen() clock.Mono {
	if d.cfg.LeapMode != LeapSystem || !d.leapAnnounced() || !d.haveLine {
		return clock.Never
	}
	seen := d.target.MonoAt(d.leapEnd(d.target.At.Wall).Add(leapLook))
	if seen <= d.steered.At.Mono {
		return clock.Never // somebody has looked, and it had not
	}
	return seen
}

// leapToCome is the leap second at the end of the day, of which the servers say
// what heard tells. at holds the time that is believed: what the clock shows may
// be of another day.
//
// The IERS's list knows, until it expires; servers have it from there, or from
// others like them, and have been known to announce leap seconds that never came.
// Without it a majority is believed, but only on the last day of June or December.
// RFC 5905 section 7.3 has the end of any month, and so has ITU-R TF.460 as a third
// choice; but all have been at those two, a leap second is announced half a year
// ahead, and many servers announce it for all the month, so that the end of another
// one is no more than what a liar would choose.
func (d *Discipline) leapToCome(at clock.Reading, heard event.Leap) event.Leap {
	by, known := d.cfg.Leaps.Leap(at.Wall)
	over := d.leapt != 0 && at.Mono.Sub(d.leapt) < leapOver
	switch {
	case over, by == 0 && (known || !at.Wall.LeapDay()):
		return event.LeapNone
	case by > 0:
		return event.LeapInsert
	case by < 0:
		return event.LeapDelete
	case heard == event.LeapInsert || heard == event.LeapDelete:
		return heard
	}
	return event.LeapNone
}

// leapDay reports whether a leap second may end this day.
func (d *Discipline) leapDay(at clock.Wall) bool {
	by, _ := d.cfg.Leaps.Leap(at)
	return by != 0 || at.LeapDay()
}

// leapDone notes that civil time has jumped, or that it was left to the servers.
func (d *Discipline) leapDone(now clock.Reading) {
	d.stats.Leap, d.leapt, d.leap.at = event.LeapNone, now.Mono, 0
	if d.stats.Synchronised {
		d.statusAt = now.Mono // the kernel's flag has done its work
	}
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
	d.leapDone(now)
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

// kernelLeap is what the kernel is to do at the end of this day: it would insert
// a second at any midnight.
func (d *Discipline) kernelLeap(now clock.Reading) event.Leap {
	if d.cfg.LeapMode != LeapSystem || !d.leapDay(now.Wall) {
		return event.LeapNone
	}
	return d.stats.Leap
}

// tai is TAI-UTC for the kernel, 0: leave alone what it has.
func (d *Discipline) tai(now clock.Reading) int32 {
	if now.Wall.Add(-leapClose).Midnight() != now.Wall.Add(leapClose).Midnight() {
		return 0
	}
	offset, _ := d.cfg.Leaps.TAI(now.Wall)
	return offset
}

// Belief is the line that is believed to be true time; ok is false before the
// first update.
func (d *Discipline) Belief() (line clock.Line, ok bool) { return d.target, d.haveLine }

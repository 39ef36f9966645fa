package discipline

import (
	"math"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
)

// observe compares the wall clock with where the steering must have brought
// it. Somebody else's change is reported and then taken as it is: the next
// correction starts from what the clock shows. It is not undone before the next
// update, and a slew under way ends: perhaps the machine slept, and Mono has
// stood still.
func (d *Discipline) observe(now clock.Reading, out []event.Action) []event.Action {
	d.Leaped(now)
	moved := now.Wall.Sub(d.steered.WallAt(now.Mono))
	if d.started && moved.Abs() > d.tolerance(now) {
		out = append(out, event.Notice{Kind: event.NoticeInterference, Offset: moved})
		d.disturbed = true
	}
	d.steered = clock.Line{At: now, Rate: d.steered.Rate}
	d.change = 0
	return out
}

// tolerance is how far the clock may be from where it was steered.
func (d *Discipline) tolerance(now clock.Reading) time.Duration {
	return interference + d.change.Over(slowestCall) + oscillatorError.Over(now.Mono.Sub(d.steered.At.Mono))
}

// Leaped returns by how much a leap second has moved civil time since the last
// event, 0 if it has not: the kernel's, which has moved the clock, or our own,
// which will. Civil time itself has
// jumped then, and what is believed of it with it: whoever else believes
// something of it must follow.
func (d *Discipline) Leaped(now clock.Reading) clock.Offset {
	if d.cfg.LeapMode != LeapSystem {
		return d.leapOurselves(now)
	}
	moved := now.Wall.Sub(d.steered.WallAt(now.Mono))
	if !d.started || !d.leapSecond(moved, d.tolerance(now)) {
		return 0
	}
	whole := moved.Duration().Round(time.Second)
	d.target.At.Wall = d.target.At.Wall.Add(whole)
	d.steered.At.Wall = d.steered.At.Wall.Add(whole)
	d.leapDone(now)
	return clock.Offset(whole)
}

// leapSecond reports whether the clock moved by the leap second that the
// kernel was told to insert or delete.
func (d *Discipline) leapSecond(moved clock.Offset, bound time.Duration) bool {
	switch d.stats.Leap {
	case event.LeapInsert:
		return (moved + clock.Offset(time.Second)).Abs() <= bound
	case event.LeapDelete:
		return (moved - clock.Offset(time.Second)).Abs() <= bound
	}
	return false
}

// setRate asks for a rate of the wall clock, if it is not in force already.
func (d *Discipline) setRate(now clock.Reading, r clock.Rate, out []event.Action) []event.Action {
	if d.started && r == d.steered.Rate {
		return out
	}
	d.started = true
	d.change = max(d.change, r-d.steered.Rate, d.steered.Rate-r)
	d.steered = clock.Line{At: now, Rate: r}
	return append(out, event.SetRate{Rate: r})
}

// step moves the clock at once.
func (d *Discipline) step(now clock.Reading, offset clock.Offset, out []event.Action) []event.Action {
	out = d.setRate(now, d.freq, out)
	d.slewEnd = clock.Never
	d.steered.At.Wall = now.Wall.Add(offset.Duration())
	d.stats.Steps++
	d.warned = false
	return append(out,
		event.Step{Offset: offset},
		event.Notice{Kind: event.NoticeStep, Offset: offset})
}

// slew plans the way from the wall clock's time to the target: a rate, and
// when to look again.
//
// A wake-up that comes late overshoots by its delay times the slew's rate. So
// as long as that could matter, a leg ends before the target is reached and the
// next one is slower; only the last short stretch is run to its end.
func (d *Discipline) slew(now clock.Reading, out []event.Action) []event.Action {
	left := d.Correction(now)
	if left.Abs() <= negligible || d.disturbed {
		d.slewEnd = clock.Never
		return d.setRate(now, d.freq, out)
	}
	duration := min(max(d.gap/slewShare, shortSlew), longSlew)
	rate := clock.Rate(float64(left) / float64(duration))
	if limit := d.cfg.MaxSlew; rate > limit || rate < -limit {
		rate = clampRate(rate, limit)
		// Decades take longer than a Duration holds.
		duration = time.Duration(min(math.Abs(float64(left)/float64(rate)), float64(longestLeg)))
	}
	if left.Abs() > lastLeg {
		duration = duration / 8 * 7
	}
	d.slewEnd = now.Mono.Add(duration)
	return d.setRate(now, d.freq+rate, out)
}

// announce gives the notices of an update.
func (d *Discipline) announce(u Update, offset clock.Offset, allowed bool, out []event.Action) []event.Action {
	if d.cfg.LogChange > 0 && offset.Abs() >= d.cfg.LogChange {
		out = append(out, event.Notice{Kind: event.NoticeOffset, Offset: offset})
	}
	wrong := d.cfg.Threshold > 0 && offset.Abs() > d.cfg.Threshold && !allowed
	if wrong && !d.warned {
		out = append(out, event.Notice{Kind: event.NoticeWrongClock, Offset: offset})
	}
	d.warned = wrong
	if u.Leap != d.stats.Leap && (d.stats.Synchronised || u.Leap != event.LeapNone) {
		out = append(out, event.Notice{Kind: event.NoticeLeap, Text: leapText(u.Leap)})
	}
	d.stats.Leap = u.Leap
	if !d.stats.Synchronised && !u.OnTrial {
		d.stats.Synchronised = true
		out = append(out, event.Notice{Kind: event.NoticeSynchronised, Offset: offset})
	}
	return out
}

func leapText(l event.Leap) string {
	switch l {
	case event.LeapInsert:
		return "a second will be inserted at the end of the day"
	case event.LeapDelete:
		return "a second will be deleted at the end of the day"
	case event.LeapUnsynchronised:
		return "unknown"
	}
	return "no leap second"
}

// status refreshes what the kernel tells others about the clock's quality.
func (d *Discipline) status(now clock.Reading, out []event.Action) []event.Action {
	d.statusAt = clock.Never
	if !d.stats.Synchronised {
		return out
	}
	d.statusAt = now.Mono.Add(statusInterval)
	grown := d.freqSD.Over(now.Mono.Sub(d.at))
	return append(out, event.SetStatus{
		Synchronised: true,
		Leap:         d.kernelLeap(now),
		MaxError:     d.RootDispersion(now) + d.RootDelay()/2,
		EstError:     d.last.Estimate.OffsetSD + grown,
		TAI:          d.tai(now),
	})
}

// save asks for the drift to be kept, at most once in saveInterval.
func (d *Discipline) save(now clock.Reading, out []event.Action) []event.Action {
	if d.freqSD > worthSaving || d.saved && now.Mono.Sub(d.savedAt) < saveInterval {
		return out
	}
	d.saved, d.savedAt = true, now.Mono
	return append(out, event.SaveDrift{Rate: d.freq, Skew: d.freqSD})
}

package engine

import (
	"ntsd/internal/assoc"
	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/filter"
	"ntsd/internal/refclock"
	"ntsd/internal/sources"
	"ntsd/internal/wire"
)

// readClocks asks the reference clocks that are due, and takes what their poll
// intervals came to.
func (e *Engine) readClocks(now clock.Reading, out []event.Action) []event.Action {
	for _, s := range e.sources.All {
		if s.Ref == nil || len(s.Members) == 0 || now.Mono < s.Ref.NextDeadline() {
			continue
		}
		read, poll := s.Ref.HandleTimer(now.Mono)
		if poll {
			out = e.pollClock(now, s.Members[0], out)
		}
		if read && !s.Offline {
			out = append(out, event.ReadClock{Source: s.Members[0].Assoc.ID(), Spec: s.Cfg.Ref.Spec})
		}
	}
	return out
}

// HandleClockRead takes what a reference clock has measured.
func (e *Engine) HandleClockRead(now clock.Reading, ev event.ClockRead, out []event.Action) []event.Action {
	e.prepare(now)
	n := len(out)
	m := e.sources.Find(ev.Source)
	if m == nil || m.Source.Ref == nil {
		return out
	}
	s := m.Source
	s.Ref.Read(ev.Reason)
	for _, x := range ev.Measurements {
		var aim refclock.Aim
		if s.Ref.NeedsAim(x) {
			aim = e.aim(now, s)
		}
		tai, _ := e.cfg.Leaps.TAI(x.True)
		s.Ref.Add(now.Mono, x, aim, tai)
	}
	if ev.Reason != s.Ref.Told {
		s.Ref.Told = ev.Reason
		kind := event.NoticeClockWorks
		if ev.Reason != "" {
			kind = event.NoticeClockFailed
		}
		notice := notice(kind, m)
		notice.Text = ev.Reason
		out = append(out, notice)
	}
	return e.finish(now, n, out)
}

// aim is what is known of the time without the pulses of s.
func (e *Engine) aim(now clock.Reading, s *sources.Source) refclock.Aim {
	if name := s.Cfg.Ref.Lock; name != "" {
		for _, o := range e.sources.All {
			if o.Ref != nil && o != s && o.Cfg.Ref.RefID == name {
				m, distance, ok := o.Ref.Last()
				return refclock.Aim{At: clock.Reading{Mono: m.At, Wall: m.True}, Distance: distance, Leap: m.Leap, OK: ok}
			}
		}
		return refclock.Aim{}
	}
	a := refclock.Aim{At: clock.Reading{Mono: now.Mono, Wall: e.believed(now)}, Distance: e.distance(now), OK: e.sync.on}
	if e.sync.on {
		a.Leap = int(e.clock.Stats().Leap)
	}
	if e.isLocal(now) {
		a.Distance, a.OK = 0, true
	}
	return a
}

// pollClock ends a poll interval of a reference clock.
func (e *Engine) pollClock(now clock.Reading, m *sources.Member, out []event.Action) []event.Action {
	s := m.Source
	x, reached, ok := s.Ref.Poll(e.clock.Stats().Frequency)
	out, verdict := m.Assoc.HandleReference(now, assoc.Reference{
		Reached: reached, OK: ok, Problem: s.Ref.Problem(), Leap: wire.Leap(x.Leap), Stratum: e.clockStratum(now, m),
		Sample: filter.Sample{At: x.At, True: x.True, Delay: x.Delay, Dispersion: x.Dispersion},
	}, out)
	e.selector.dirty = true
	m.Note(verdict)
	if verdict == assoc.VerdictAccepted && s.Cfg.Select.Trust && !s.Cfg.Ref.NeedsTime() && e.ladder.HandleReference(now, s.Cfg.Name) {
		out = append(out, event.Notice{Kind: event.NoticeTrusted, Text: s.Cfg.Name})
		e.reserve.Abandon()
		e.confirm(now)
	}
	return out
}

// clockStratum is the stratum of a reference clock: that of the configuration,
// but pulses counted by a clock that is its own reference tell no more than it.
func (e *Engine) clockStratum(now clock.Reading, m *sources.Member) uint8 {
	s := m.Source
	switch {
	case !s.Cfg.Ref.NeedsTime() || s.Cfg.Ref.Lock != "":
	case e.isLocal(now):
		return e.cfg.Local.Stratum - 1
	case e.sync.on && e.sync.reference == m.Assoc.ID():
		return e.sync.stratum - 1
	}
	return s.Cfg.Ref.Stratum
}

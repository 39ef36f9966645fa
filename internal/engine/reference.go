package engine

import (
	"net/netip"

	"ntsd/internal/assoc"
	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/filter"
	"ntsd/internal/refclock"
	"ntsd/internal/wire"
)

// reference is the clock of a source that is one.
type reference struct {
	*refclock.Clock
	told string // why it cannot be read, as people know it
}

// refAddr is the address that stands for a reference clock: its name, four
// characters, as chrony and the reference ID have it.
func refAddr(name string) netip.Addr {
	var id [4]byte
	copy(id[:], name)
	return netip.AddrFrom4(id)
}

// addReference makes the association with a reference clock.
func (e *Engine) addReference(now clock.Reading, s *source, cfg assoc.Config) *assoc.Assoc {
	s.ref = &reference{Clock: refclock.New(s.cfg.Ref, now.Mono)}
	return assoc.NewReference(cfg, &e.env, now)
}

// readClocks asks the reference clocks that are due, and takes what their poll
// intervals came to.
func (e *Engine) readClocks(now clock.Reading, out []event.Action) []event.Action {
	for _, s := range e.sources {
		if s.ref == nil || len(s.members) == 0 || now.Mono < s.ref.NextDeadline() {
			continue
		}
		read, poll := s.ref.HandleTimer(now.Mono)
		if poll {
			out = e.pollClock(now, s, s.members[0], out)
		}
		if read && !s.offline {
			out = append(out, event.ReadClock{Source: s.members[0].assoc.ID(), Spec: s.cfg.Ref.Spec})
		}
	}
	return out
}

// HandleClockRead takes what a reference clock has measured.
func (e *Engine) HandleClockRead(now clock.Reading, ev event.ClockRead, out []event.Action) []event.Action {
	e.prepare(now)
	n := len(out)
	s, m := e.find(ev.Source)
	if m == nil || s.ref == nil {
		return out
	}
	s.ref.Read(ev.Reason)
	for _, x := range ev.Measurements {
		var aim refclock.Aim
		if s.ref.NeedsAim(x) {
			aim = e.aim(now, s)
		}
		tai, _ := e.cfg.Leaps.TAI(x.True)
		s.ref.Add(now.Mono, x, aim, tai)
	}
	if ev.Reason != s.ref.told {
		s.ref.told = ev.Reason
		kind := event.NoticeClockWorks
		if ev.Reason != "" {
			kind = event.NoticeClockFailed
		}
		notice := e.notice(kind, m)
		notice.Text = ev.Reason
		out = append(out, notice)
	}
	return e.finish(now, n, out)
}

// aim is what is known of the time without the pulses of s.
func (e *Engine) aim(now clock.Reading, s *source) refclock.Aim {
	if name := s.cfg.Ref.Lock; name != "" {
		for _, o := range e.sources {
			if o.ref != nil && o != s && o.cfg.Ref.RefID == name {
				m, distance, ok := o.ref.Last()
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
func (e *Engine) pollClock(now clock.Reading, s *source, m *member, out []event.Action) []event.Action {
	x, reached, ok := s.ref.Poll(e.clock.Stats().Frequency)
	out, verdict := m.assoc.HandleReference(now, assoc.Reference{
		Reached: reached, OK: ok, Problem: s.ref.Problem(), Leap: wire.Leap(x.Leap), Stratum: e.clockStratum(now, s, m),
		Sample: filter.Sample{At: x.At, True: x.True, Delay: x.Delay, Dispersion: x.Dispersion},
	}, out)
	e.selector.dirty = true
	m.note(verdict)
	if verdict == assoc.VerdictAccepted && s.cfg.Select.Trust && !s.cfg.Ref.NeedsTime() && e.ladder.HandleReference(now, s.cfg.Name) {
		out = append(out, event.Notice{Kind: event.NoticeTrusted, Text: s.cfg.Name})
		e.reserve.Abandon()
		e.confirm(now)
	}
	return out
}

// clockStratum is the stratum of a reference clock: that of the configuration,
// but pulses counted by a clock that is its own reference tell no more than it.
func (e *Engine) clockStratum(now clock.Reading, s *source, m *member) uint8 {
	switch {
	case !s.cfg.Ref.NeedsTime() || s.cfg.Ref.Lock != "":
	case e.isLocal(now):
		return e.cfg.Local.Stratum - 1
	case e.sync.on && e.sync.reference == m.assoc.ID():
		return e.sync.stratum - 1
	}
	return s.cfg.Ref.Stratum
}

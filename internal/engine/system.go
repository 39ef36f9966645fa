package engine

import (
	"net/netip"
	"time"

	"ntsd/internal/assoc"
	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/ntptime"
	"ntsd/internal/snapshot"
	"ntsd/internal/sources"
	"ntsd/internal/symmetric"
	"ntsd/internal/wire"
)

// maxRootDistance is where a clock is not worth asking any more (RFC 5905
// section 7.2, MAXDISP).
const maxRootDistance = 16 * time.Second

// synchronisation is the state of the local clock as others may rely on it.
type synchronisation struct {
	on    bool
	ever  bool
	since clock.Mono // of the last change of on

	reference     event.SourceID
	name          string
	addr          netip.Addr
	stratum       uint8 // our own
	authenticated bool
	strict        bool // keys whose certificates were judged at a trusted time vouch for it
}

// System returns what a server may say now.
func (e *Engine) System(now clock.Reading) snapshot.System {
	e.followLeap(now)
	s := e.systemOfClock(now)
	if !e.smooth.Plan().Active && e.clock.LeapClose(now) {
		s.Leap, s.Stratum = event.LeapUnsynchronised, 0
	}
	return e.smoothed(now, s)
}

// self is what a packet of a symmetric association says about the clock: as it
// is, whatever clients are served.
func (e *Engine) self(now clock.Reading) wire.Header {
	s := e.systemOfClock(now)
	h := wire.Header{
		Leap: wire.Leap(s.Leap), Stratum: s.Stratum, Precision: symmetric.Precision(e.env.Resolution),
		RootDelay: ntptime.ShortFrom(s.RootDelay), RootDispersion: ntptime.ShortFrom(s.RootDispersion),
	}
	if s.Leap == event.LeapUnsynchronised || e.clock.LeapClose(now) {
		h.Leap, h.Stratum = wire.LeapUnknown, 0
		return h
	}
	h.ReferenceID, h.ReferenceTime = s.ReferenceID, ntptime.FromWall(s.ReferenceTime)
	return h
}

func (e *Engine) systemOfClock(now clock.Reading) snapshot.System {
	if e.isLocal(now) || e.guest() {
		return e.houseSystem(now)
	}
	s := snapshot.System{
		Leap: e.clock.Stats().Leap, Stratum: e.sync.stratum, ReferenceID: assoc.ReferenceID(e.sync.addr),
		ReferenceTime: e.clock.Stats().ReferenceTime,
		RootDelay:     e.clock.RootDelay(), RootDispersion: e.clock.RootDispersion(now),
	}
	// Our rule: beyond the maximum root distance nothing that we say is true.
	if !e.sync.on || s.RootDelay/2+s.RootDispersion >= maxRootDistance {
		return snapshot.System{Leap: event.LeapUnsynchronised}
	}
	s.Orphan = e.cfg.Local.Orphan && s.Stratum > e.cfg.Local.Stratum
	return s
}

// synchronised notes an update of the clock by a reference.
func (e *Engine) synchronised(now clock.Reading, m *sources.Member, out []event.Action) []event.Action {
	y := &e.sync
	y.reference, y.name, y.addr = m.Assoc.ID(), m.Source.Cfg.Name, m.Assoc.Addr()
	y.stratum = min(m.Assoc.Last().Header.Stratum+1, 15)
	y.authenticated = m.Assoc.Authenticated()
	y.strict = e.vouched()
	e.house.Update(now.Mono)
	if !y.on {
		y.on, y.ever, y.since = true, true, now.Mono // the discipline gave the notice
	}
	return out
}

// overdue reports whether the clock has run alone for so long that nobody should
// rely on it.
func (e *Engine) overdue(now clock.Reading) bool {
	limit := e.cfg.Selection.MaxDistance
	if limit == 0 {
		limit = maxRootDistance
	}
	return e.sync.on && e.distance(now) >= limit
}

// expire gives up the synchronisation when no source is selected and the clock
// has run alone for so long that nobody should rely on it. Until then its
// growing root dispersion tells the truth.
func (e *Engine) expire(now clock.Reading, out []event.Action) []event.Action {
	if !e.overdue(now) {
		return out
	}
	e.sync.on, e.sync.since = false, now.Mono
	out = e.clock.HandleUnsynchronised(now, out)
	return append(out, event.Notice{Kind: event.NoticeUnsynchronised, Text: e.selector.result.Why})
}

package engine

import (
	"net/netip"
	"slices"

	"ntsd/internal/assoc"
	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/nts"
)

// Bounds of what is remembered of servers without an association.
const (
	maxParked   = 32 // sessions
	maxBackoffs = 64
)

// memory is what outlives an association: the keys and cookies of a server,
// and how long its key establishment must be left alone.
type memory struct {
	sessions []nts.Session
	backoffs []backoff
}

type backoff struct {
	server netip.AddrPort // key establishment
	state  assoc.Backoff
}

// restore takes over what the last run left.
func (m *memory) restore(now clock.Reading, sessions []event.Restored, backoffs []event.Backoff) {
	for _, r := range sessions {
		m.park(r.Session)
	}
	for _, b := range backoffs {
		wait := max(0, b.NotBefore.Sub(now.Wall).Duration())
		m.keepBackoff(netip.AddrPortFrom(b.Addr, b.Port), assoc.Backoff{
			Failures: b.Failures, NotBefore: now.Mono.Add(wait), Saved: true,
		})
	}
}

// park keeps a session that no association uses.
func (m *memory) park(s nts.Session) {
	if len(s.Cookies) == 0 {
		return
	}
	if len(m.sessions) == maxParked {
		m.sessions = slices.Delete(m.sessions, 0, 1)
	}
	m.sessions = append(m.sessions, s)
}

// index finds the session of a source at an address. RFC 8915 §4.1.7: never
// those of another server, even of the same name.
func (m *memory) index(cfg *Source, addr netip.Addr) int {
	return slices.IndexFunc(m.sessions, func(s nts.Session) bool {
		return s.KEName == cfg.Name && s.KEAddr == addr && s.KEPort == cfg.NTSPort &&
			slices.Contains(cfg.AEADs, s.AEAD)
	})
}

// take removes and returns the session of a source at an address.
func (m *memory) take(cfg *Source, addr netip.Addr) (s nts.Session, ok bool) {
	i := m.index(cfg, addr)
	if i < 0 {
		return s, false
	}
	s = m.sessions[i]
	m.sessions = slices.Delete(m.sessions, i, i+1)
	return s, true
}

// addresses returns those for which the source has a session: they spare the
// resolver as well.
func (m *memory) addresses(cfg *Source) (addrs []netip.Addr) {
	for _, s := range m.sessions {
		if m.index(cfg, s.KEAddr) >= 0 && familyOf(s.KEAddr, cfg.Family) {
			addrs = append(addrs, s.KEAddr)
		}
	}
	return addrs
}

// forget drops sessions that no configured source may use, here and on disk.
func (m *memory) forget(usable func(*nts.Session) bool, out []event.Action) []event.Action {
	m.sessions = slices.DeleteFunc(m.sessions, func(s nts.Session) bool {
		if usable(&s) {
			return false
		}
		out = append(out, event.DropSession{Addr: s.KEAddr, Port: s.KEPort})
		return true
	})
	return out
}

// keepBackoff remembers how long a server must be left alone.
func (m *memory) keepBackoff(server netip.AddrPort, b assoc.Backoff) {
	m.backoffs = slices.DeleteFunc(m.backoffs, func(o backoff) bool { return o.server == server })
	if b.Failures == 0 && b.Network == 0 {
		return
	}
	if len(m.backoffs) == maxBackoffs {
		m.backoffs = slices.Delete(m.backoffs, 0, 1)
	}
	m.backoffs = append(m.backoffs, backoff{server, b})
}

// backoff returns what is remembered of a server.
func (m *memory) backoff(server netip.AddrPort) (assoc.Backoff, bool) {
	for _, b := range m.backoffs {
		if b.server == server {
			return b.state, true
		}
	}
	return assoc.Backoff{}, false
}

// handleStep ends the backoffs that a step may have cured.
func (m *memory) handleStep(now clock.Reading) {
	m.backoffs = slices.DeleteFunc(m.backoffs, func(b backoff) bool {
		return b.state.Class == nts.FailureCertificate
	})
}

// handleOnline ends the backoffs that a new link may have cured.
func (m *memory) handleOnline() {
	m.backoffs = slices.DeleteFunc(m.backoffs, func(b backoff) bool {
		return b.state.Class == nts.FailureNetwork
	})
}

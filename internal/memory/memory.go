// Package memory is what outlives an association: the keys and cookies of a
// server, and how long its key establishment must be left alone. It is layer 2
// and sans-IO.
//
// Non-goals: what is on disk (the daemon's), and which server is used (sources).
package memory

import (
	"net/netip"
	"slices"

	"ntsd/internal/backoff"
	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/nts"
	"ntsd/internal/siv"
)

// Bounds of what is remembered of servers without an association.
const (
	maxParked   = 32 // sessions
	maxBackoffs = 64
)

// Memory is not safe for concurrent use; the zero value is empty.
type Memory struct {
	sessions []nts.Session
	backoffs []Backoff
}

// Backoff is what is remembered of one server of keys.
type Backoff struct {
	Server netip.AddrPort
	State  backoff.State
}

// Source is what makes a session fit for a source.
type Source struct {
	Name  string // as configured
	Port  uint16 // of key establishment
	AEADs []siv.Algorithm
}

// Restore takes over what the last run left.
func (m *Memory) Restore(now clock.Reading, sessions []event.Restored, backoffs []event.Backoff) {
	for _, r := range sessions {
		m.Park(r.Session)
	}
	for _, b := range backoffs {
		wait := max(0, b.NotBefore.Sub(now.Wall).Duration())
		m.KeepBackoff(netip.AddrPortFrom(b.Addr, b.Port), backoff.State{
			Failures: b.Failures, NotBefore: now.Mono.Add(wait), Saved: true,
		})
	}
}

// Park keeps a session that no association uses.
func (m *Memory) Park(s nts.Session) {
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
func (m *Memory) index(src Source, addr netip.Addr) int {
	return slices.IndexFunc(m.sessions, func(s nts.Session) bool {
		return s.KEName == src.Name && s.KEAddr == addr && s.KEPort == src.Port &&
			slices.Contains(src.AEADs, s.AEAD)
	})
}

// Has reports whether there is a session of a source at an address.
func (m *Memory) Has(src Source, addr netip.Addr) bool { return m.index(src, addr) >= 0 }

// Take removes and returns the session of a source at an address.
func (m *Memory) Take(src Source, addr netip.Addr) (s nts.Session, ok bool) {
	i := m.index(src, addr)
	if i < 0 {
		return s, false
	}
	s = m.sessions[i]
	m.sessions = slices.Delete(m.sessions, i, i+1)
	return s, true
}

// Addresses returns those for which the source has a session: they spare the
// resolver as well.
func (m *Memory) Addresses(src Source) (addrs []netip.Addr) {
	for _, s := range m.sessions {
		if m.index(src, s.KEAddr) >= 0 {
			addrs = append(addrs, s.KEAddr)
		}
	}
	return addrs
}

// Forget drops sessions that no configured source may use, here and on disk.
func (m *Memory) Forget(usable func(*nts.Session) bool, out []event.Action) []event.Action {
	m.sessions = slices.DeleteFunc(m.sessions, func(s nts.Session) bool {
		if usable(&s) {
			return false
		}
		out = append(out, event.DropSession{Addr: s.KEAddr, Port: s.KEPort})
		return true
	})
	return out
}

// Backoffs returns all, for reading.
func (m *Memory) Backoffs() []Backoff { return m.backoffs }

// KeepBackoff remembers how long a server must be left alone.
func (m *Memory) KeepBackoff(server netip.AddrPort, b backoff.State) {
	m.backoffs = slices.DeleteFunc(m.backoffs, func(o Backoff) bool { return o.Server == server })
	if b.Failures == 0 && b.Network == 0 {
		return
	}
	if len(m.backoffs) == maxBackoffs {
		m.backoffs = slices.Delete(m.backoffs, 0, 1)
	}
	m.backoffs = append(m.backoffs, Backoff{server, b})
}

// Backoff returns what is remembered of a server.
func (m *Memory) Backoff(server netip.AddrPort) (backoff.State, bool) {
	for _, b := range m.backoffs {
		if b.Server == server {
			return b.State, true
		}
	}
	return backoff.State{}, false
}

// HandleStep ends the backoffs that a step may have cured.
func (m *Memory) HandleStep(now clock.Reading) {
	m.backoffs = slices.DeleteFunc(m.backoffs, func(b Backoff) bool {
		return b.State.Class == nts.FailureCertificate
	})
}

// HandleOnline ends the backoffs that a new link may have cured.
func (m *Memory) HandleOnline() {
	m.backoffs = slices.DeleteFunc(m.backoffs, func(b Backoff) bool {
		return b.State.Class == nts.FailureNetwork
	})
}

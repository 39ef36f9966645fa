package daemon

import (
	"net/netip"
	"sync"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/nts"
)

// memory is a Store without a disk.
type memory struct {
	mu         sync.Mutex
	sessions   map[netip.AddrPort]nts.Session
	backoff    []event.Backoff
	rate, skew clock.Rate
	haveDrift  bool
}

func (m *memory) list() []nts.Session {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []nts.Session
	for _, s := range m.sessions {
		all = append(all, s)
	}
	return all
}

func (m *memory) Sessions() ([]nts.Session, []error)   { return m.list(), nil }
func (m *memory) Backoffs() ([]event.Backoff, []error) { return m.backoff, nil }
func (m *memory) SaveBackoff(b event.Backoff) error    { m.backoff = append(m.backoff, b); return nil }

func (m *memory) DropSession(a netip.Addr, p uint16) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sessions, netip.AddrPortFrom(a, p))
	return nil
}

func (m *memory) Drift() (rate, skew clock.Rate, found bool, err error) {
	return m.rate, m.skew, m.haveDrift, nil
}

func (m *memory) SaveSession(s nts.Session) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sessions[netip.AddrPortFrom(s.KEAddr, s.KEPort)] = s
	return nil
}

func (m *memory) SaveDrift(rate, skew clock.Rate) error {
	m.rate, m.skew, m.haveDrift = rate, skew, true
	return nil
}

package engine

import (
	"net/netip"
	"slices"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/names"
)

// maintain keeps every source at the associations that it wants, as far as
// there are addresses.
func (e *Engine) maintain(now clock.Reading, out []event.Action) []event.Action {
	for _, l := range e.lookups {
		if l.StandIn(now) {
			e.standIn(now, l)
		}
	}
	for _, s := range e.sources {
		if now.Mono >= s.refreshAt || (!s.literal && len(s.addrs) == 0 && s.refreshAt == clock.Never) {
			s.refreshAt = clock.Never
			e.want(s)
		}
		for _, m := range slices.Clone(s.members) {
			if m.assoc.Reach() != 0 {
				s.revive(m.assoc.SourceAddr())
			} else if s.lost(m) {
				s.addrs.Fail(now.Mono, m.assoc.SourceAddr())
				out = e.replace(now, s, m, out)
			}
		}
		out = e.fill(now, s, out)
		for _, m := range s.members {
			if host := m.assoc.NeedAddr(); host != "" {
				e.lookup(host, s.cfg.Family).Wanted = true
			}
		}
	}
	return e.startLookups(now, out)
}

// lost reports whether another address should be tried in the place of m's. An
// address that never answered is given less time than one that did, while
// there are others that were not tried: one family may not work at all.
func (s *source) lost(m *member) bool {
	a := m.assoc
	if !a.Online() {
		return false
	}
	return a.Dead() || a.KEFailed() ||
		(a.Misses() >= firstTries && !a.Sampled() && slices.ContainsFunc(s.addrs, func(x names.Address) bool {
			return !x.Bad && !s.has(x.Addr)
		}))
}

// want asks for the addresses of a source's name.
func (e *Engine) want(s *source) {
	if !s.literal {
		e.lookup(s.cfg.Name, s.cfg.Family).Wanted = true
	}
}

// revive notes that an address works.
func (s *source) revive(a netip.Addr) {
	if x := s.addrs.Find(a); x != nil {
		x.Bad = false
	}
	s.refreshed = false
}

// fill makes the associations that are missing.
func (e *Engine) fill(now clock.Reading, s *source, out []event.Action) []event.Action {
	if e.reserve.Holds(s.cfg.Name) {
		return out
	}
	for len(s.members) < s.wanted() {
		var addr netip.Addr
		var ok bool
		if out, addr, ok = e.pick(now, s, netip.Addr{}, false, out); !ok {
			e.refreshLater(now, s)
			return out
		}
		out, _ = e.add(now, s, addr, out)
	}
	return out
}

// refreshLater has the name resolved again when its answer has become old.
func (e *Engine) refreshLater(now clock.Reading, s *source) {
	if s.refreshAt != clock.Never || len(s.addrs) == 0 {
		return
	}
	if s.literal {
		// Only to look again at an address that another source has now.
		s.refreshAt = now.Mono.Add(names.RetryAddress)
		return
	}
	l := e.lookup(s.cfg.Name, s.cfg.Family)
	if l.Wanted {
		return
	}
	age := names.RetryAddress
	if !s.refreshed {
		s.refreshed, age = true, refreshSoon
	}
	s.refreshAt = max(now.Mono, l.Last.Add(age))
}

// replace puts an association with another address in the place of one that
// gives nothing, if there is one to try.
func (e *Engine) replace(now clock.Reading, s *source, m *member, out []event.Action) []event.Action {
	old := m.assoc.SourceAddr()
	out, addr, ok := e.pick(now, s, old, m.assoc.PathClosed(), out)
	if !ok && m.assoc.KEFailed() {
		addr, ok = e.sooner(s, m)
	}
	if !ok {
		e.refreshLater(now, s)
		return out
	}
	out = e.remove(s, m, out)
	out, next := e.add(now, s, addr, out)
	next.assoc.FollowPath(m.assoc)
	return append(out, event.Notice{
		Kind: event.NoticeReplaced, Source: next.assoc.ID(), Name: s.cfg.Name, Addr: addr, Text: old.String(),
	})
}

// sooner returns an address whose key establishment may be tried again before
// that of m: so all addresses of a name share the waiting.
func (e *Engine) sooner(s *source, m *member) (best netip.Addr, ok bool) {
	first := m.assoc.Backoff().NotBefore
	for i := range s.addrs {
		a := s.addrs[i].Addr
		b, _ := e.memory.Backoff(netip.AddrPortFrom(a, s.cfg.NTSPort))
		if o, _ := e.user(s, a); o == nil && !s.has(a) && b.NotBefore < first {
			best, first, ok = a, b.NotBefore, true
		}
	}
	return best, ok
}

// dropIfDuplicate ends one of two associations that ended up at the same NTP
// server: the one without NTS, or the younger.
func (e *Engine) dropIfDuplicate(now clock.Reading, s *source, m *member, out []event.Action) []event.Action {
	to := m.assoc.NTPAddr()
	if !to.IsValid() || !slices.Contains(s.members, m) {
		return out
	}
	for _, o := range e.sources {
		for _, other := range o.members {
			if other == m || other.assoc.NTPAddr() != to {
				continue
			}
			if other.assoc.ID() > m.assoc.ID() && !s.yields(o) || o.yields(s) {
				s, m, o = o, other, s
			}
			s.addrs.Fail(now.Mono, m.assoc.SourceAddr())
			out = e.remove(s, m, out)
			return s.duplicate(m.assoc.SourceAddr(), o.cfg.Name, out)
		}
	}
	return out
}

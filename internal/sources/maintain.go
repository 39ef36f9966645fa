package sources

import (
	"net/netip"
	"slices"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/names"
)

// Implementation constants of choosing addresses.
const (
	// refreshSoon is the least age of an answer that is asked for again the
	// first time that all its addresses are dead.
	refreshSoon = time.Minute
	// firstTries is how many requests an address has to answer while others
	// wait to be tried.
	firstTries = 4
)

// Maintain keeps every source at the associations that it wants, as far as
// there are addresses. known says that there was a time by which a resolver can
// check its answers.
func (set *Set) Maintain(now clock.Reading, known bool, out []event.Action) []event.Action {
	for _, l := range set.lookups {
		if l.StandIn(now) {
			set.standIn(now, l)
		}
	}
	for _, s := range set.All {
		if now.Mono >= s.refreshAt || (!s.literal && len(s.addrs) == 0 && s.refreshAt == clock.Never) {
			s.refreshAt = clock.Never
			set.Want(s)
		}
		for _, m := range slices.Clone(s.Members) {
			if m.Assoc.Reach() != 0 {
				s.revive(m.Assoc.SourceAddr())
			} else if m.lost() {
				s.addrs.Fail(now.Mono, m.Assoc.SourceAddr())
				out = set.replace(now, m, out)
			}
		}
		out = set.fill(now, s, out)
		for _, m := range s.Members {
			if host := m.Assoc.NeedAddr(); host != "" {
				set.lookup(host, s.Cfg.Family).Wanted = true
			}
		}
	}
	return set.startLookups(now, known, out)
}

// lost reports whether another address should be tried in the place of m's. An
// address that never answered is given less time than one that did, while
// there are others that were not tried: one family may not work at all.
func (m *Member) lost() bool {
	s, a := m.Source, m.Assoc
	if !a.Online() {
		return false
	}
	return a.Dead() || a.KEFailed() ||
		(a.Misses() >= firstTries && !a.Sampled() && slices.ContainsFunc(s.addrs, func(x names.Address) bool {
			return !x.Bad && !s.has(x.Addr)
		}))
}

// Want asks for the addresses of a source's name.
func (set *Set) Want(s *Source) {
	if !s.literal {
		set.lookup(s.Cfg.Name, s.Cfg.Family).Wanted = true
	}
}

// revive notes that an address works.
func (s *Source) revive(a netip.Addr) {
	if x := s.addrs.Find(a); x != nil {
		x.Bad = false
	}
	s.refreshed = false
}

// fill makes the associations that are missing.
func (set *Set) fill(now clock.Reading, s *Source, out []event.Action) []event.Action {
	if set.held(s.Cfg.Name) {
		return out
	}
	for len(s.Members) < s.wanted() {
		var addr netip.Addr
		var ok bool
		if out, addr, ok = set.pick(now, s, netip.Addr{}, false, out); !ok {
			set.refreshLater(now, s)
			return out
		}
		out, _ = set.add(now, s, addr, out)
	}
	return out
}

// refreshLater has the name resolved again when its answer has become old.
func (set *Set) refreshLater(now clock.Reading, s *Source) {
	if s.refreshAt != clock.Never || len(s.addrs) == 0 {
		return
	}
	if s.literal {
		// Only to look again at an address that another source has now.
		s.refreshAt = now.Mono.Add(names.RetryAddress)
		return
	}
	l := set.lookup(s.Cfg.Name, s.Cfg.Family)
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
func (set *Set) replace(now clock.Reading, m *Member, out []event.Action) []event.Action {
	s, old := m.Source, m.Assoc.SourceAddr()
	out, addr, ok := set.pick(now, s, old, m.Assoc.PathClosed(), out)
	if !ok && m.Assoc.KEFailed() {
		addr, ok = set.sooner(m)
	}
	if !ok {
		set.refreshLater(now, s)
		return out
	}
	return set.move(now, m, addr, out)
}

// move puts an association with addr in the place of m.
func (set *Set) move(now clock.Reading, m *Member, addr netip.Addr, out []event.Action) []event.Action {
	out = set.remove(m, out)
	out, next := set.add(now, m.Source, addr, out)
	next.Assoc.FollowPath(m.Assoc)
	return append(out, event.Notice{
		Kind: event.NoticeReplaced, Source: next.Assoc.ID(), Name: m.Source.Cfg.Name, Addr: addr, Text: m.Assoc.SourceAddr().String(),
	})
}

// OtherFamily puts an address of the other family in the place of m's, which there
// is no route to; moved is false where the name has none.
func (set *Set) OtherFamily(now clock.Reading, m *Member, out []event.Action) (_ []event.Action, moved bool) {
	s, old := m.Source, m.Assoc.SourceAddr()
	if s.Offline {
		return out, false
	}
	var best *names.Address
	for i := range s.addrs {
		x := &s.addrs[i]
		if x.Addr.Is4() == old.Is4() || s.has(x.Addr) || set.user(s, x.Addr) != nil {
			continue
		}
		if best == nil || best.Bad && !x.Bad {
			best = x
		}
	}
	if best == nil {
		return out, false
	}
	s.addrs.Fail(now.Mono, old)
	return set.move(now, m, best.Addr, out), true
}

// sooner returns an address whose key establishment may be tried again before
// that of m: so all addresses of a name share the waiting.
func (set *Set) sooner(m *Member) (best netip.Addr, ok bool) {
	s, first := m.Source, m.Assoc.Backoff().NotBefore
	for i := range s.addrs {
		a := s.addrs[i].Addr
		b, _ := set.Memory.Backoff(netip.AddrPortFrom(a, s.Cfg.NTSPort))
		if set.user(s, a) == nil && !s.has(a) && b.NotBefore < first {
			best, first, ok = a, b.NotBefore, true
		}
	}
	return best, ok
}

// DropIfDuplicate ends one of two associations that ended up at the same NTP
// server: the one without NTS, or the younger.
func (set *Set) DropIfDuplicate(now clock.Reading, m *Member, out []event.Action) []event.Action {
	to := m.Assoc.NTPAddr()
	if !to.IsValid() || !slices.Contains(m.Source.Members, m) {
		return out
	}
	for _, o := range set.members {
		if o == m || o.Assoc.NTPAddr() != to {
			continue
		}
		gone, stays := m, o
		if o.Assoc.ID() > m.Assoc.ID() && !m.Source.yields(o.Source) || o.Source.yields(m.Source) {
			gone, stays = o, m
		}
		gone.Source.addrs.Fail(now.Mono, gone.Assoc.SourceAddr())
		out = set.remove(gone, out)
		return gone.Source.duplicate(gone.Assoc.SourceAddr(), stays.Source.Cfg.Name, out)
	}
	return out
}

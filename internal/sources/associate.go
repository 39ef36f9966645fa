package sources

import (
	"net/netip"
	"slices"

	"ntsd/internal/assoc"
	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/names"
	"ntsd/internal/refclock"
	"ntsd/internal/upstream"
)

// user returns the association of another source that polls the server at a, nil
// when there is none: time is not twice as good for asking twice.
func (set *Set) user(s *Source, a netip.Addr) *Member {
	for _, o := range set.All {
		if o == s || o.Cfg.Port != s.Cfg.Port || (o.Cfg.NTS && s.Cfg.NTS && o.Cfg.NTSPort != s.Cfg.NTSPort) {
			continue
		}
		for _, m := range o.Members {
			if m.Assoc.SourceAddr() == a || m.Assoc.Addr() == a {
				return m
			}
		}
	}
	return nil
}

// yields reports whether o gives a server up to s: authenticated time is worth
// more, and a server learnt from the network must not displace it.
func (o *Source) yields(s *Source) bool { return s.Cfg.Proof() > o.Cfg.Proof() }

// pick chooses the next address of a source: one with keys at hand, else of
// another family than avoid, else the first; where the way to avoid is closed to
// long packets, the family counts most. ok is false when there is none to try now.
func (set *Set) pick(now clock.Reading, s *Source, avoid netip.Addr, closed bool, out []event.Action) (_ []event.Action, best netip.Addr, ok bool) {
	rank := -1
	for i := range s.addrs {
		x := &s.addrs[i]
		if s.has(x.Addr) || !x.Ripe(now.Mono) {
			continue
		}
		if o := set.user(s, x.Addr); o != nil && !o.Source.yields(s) {
			out = s.duplicate(x.Addr, o.Source.Cfg.Name, out)
			continue
		}
		r := 0
		if !x.Bad {
			r += 4
		}
		if s.Cfg.NTS && set.Memory.Has(s.Keys(), x.Addr) {
			r += 2
		}
		if avoid.IsValid() && avoid.Is4() != x.Addr.Is4() {
			r++
			if closed {
				r += 2
			}
		}
		if r > rank {
			rank, best, ok = r, x.Addr, true
		}
	}
	return out, best, ok
}

// duplicate says once that an address belongs to another source.
func (s *Source) duplicate(a netip.Addr, name string, out []event.Action) []event.Action {
	s.trouble = "same server as " + name
	if slices.Contains(s.duplicates, a) || len(s.duplicates) >= names.MaxAddresses {
		return out
	}
	s.duplicates = append(s.duplicates, a)
	return append(out, event.Notice{Kind: event.NoticeDuplicate, Name: s.Cfg.Name, Addr: a, Text: name})
}

// add makes an association with an address.
func (set *Set) add(now clock.Reading, s *Source, addr netip.Addr, out []event.Action) ([]event.Action, *Member) {
	if o := set.user(s, addr); o != nil {
		out = set.remove(o, out)
		out = o.Source.duplicate(addr, s.Cfg.Name, out)
	}
	set.lastID++
	m := &Member{Source: s}
	if cfg := s.assocConfig(set.lastID, addr); s.Cfg.Kind == upstream.RefClock {
		s.Ref = &Reference{Clock: refclock.New(s.Cfg.Ref, now.Mono)}
		m.Assoc = assoc.NewReference(cfg, set.env, now)
	} else {
		m.Assoc = assoc.New(cfg, set.env, now)
	}
	if s.Cfg.NTS {
		if b, ok := set.Memory.Backoff(netip.AddrPortFrom(addr, s.Cfg.NTSPort)); ok {
			m.Assoc.RestoreBackoff(now, b)
		}
		if session, ok := set.Memory.Take(s.Keys(), addr); ok {
			m.Assoc.Restore(now, session)
		}
	}
	s.Members = append(s.Members, m)
	s.trouble = ""
	set.changed()
	return out, m
}

// remove ends an association; its keys are kept for a later one.
func (set *Set) remove(m *Member, out []event.Action) []event.Action {
	s := m.Source
	s.Members = slices.DeleteFunc(s.Members, func(o *Member) bool { return o == m })
	if s.Cfg.NTS {
		if session, ok := m.Assoc.Session(); ok {
			set.Memory.Park(session)
		}
		set.Memory.KeepBackoff(netip.AddrPortFrom(m.Assoc.SourceAddr(), s.Cfg.NTSPort), m.Assoc.Backoff())
	}
	set.changed()
	if s.Ref != nil {
		out = append(out, event.CloseClock{Source: m.Assoc.ID()})
	}
	return m.Assoc.Close(out)
}

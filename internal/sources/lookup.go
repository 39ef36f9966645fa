package sources

import (
	"net/netip"
	"slices"
	"strings"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/names"
)

// lookup returns the resolution of a name.
func (set *Set) lookup(name string, family event.Family) *names.Lookup {
	for _, l := range set.lookups {
		if l.Name == name && l.Family == family {
			return l
		}
	}
	l := &names.Lookup{Name: name, Family: family}
	set.lookups = append(set.lookups, l)
	return l
}

// startLookups asks for the names that are wanted and due, and forgets those
// that nobody uses any more.
func (set *Set) startLookups(now clock.Reading, known bool, out []event.Action) []event.Action {
	set.lookups = slices.DeleteFunc(set.lookups, func(l *names.Lookup) bool {
		return !l.Running && !set.uses(l)
	})
	for _, l := range set.lookups {
		if l.Ask(now) {
			out = append(out, event.Resolve{Name: l.Name, Family: l.Family, Unchecked: !known && set.provesItself(l)})
		}
	}
	return out
}

// standIn uses the addresses that a name had, for those that have none: of
// servers with keys at hand, and those of earlier answers. Where the clock is
// wrong, the resolver may not get an answer that it believes.
func (set *Set) standIn(now clock.Reading, l *names.Lookup) {
	found := set.Found.Of(l.Name)
	for _, s := range set.All {
		if s.Cfg.Family != l.Family {
			continue
		}
		if s.Cfg.Name == l.Name && len(s.addrs) == 0 {
			addrs := slices.Clone(found)
			if s.Cfg.NTS {
				addrs = append(set.Memory.Addresses(s.Keys()), addrs...)
			}
			s.addrs.Set(addrs, s.Cfg.Family)
			set.Changed = true
		}
		for _, m := range s.Members {
			if m.Assoc.NeedAddr() == l.Name && len(found) > 0 {
				m.Assoc.SetNTPAddr(now, names.SameFamily(found, m.Assoc.SourceAddr()))
			}
		}
	}
}

// provesItself reports whether whoever answers for a name must prove it by a
// certificate.
func (set *Set) provesItself(l *names.Lookup) bool {
	for _, s := range set.All {
		if s.Cfg.Name == l.Name && (!s.Cfg.NTS || s.Cfg.NoVal) {
			return false
		}
	}
	return true
}

func (set *Set) uses(l *names.Lookup) bool {
	for _, s := range set.All {
		if s.Cfg.Family != l.Family {
			continue
		}
		if s.Cfg.Name == l.Name {
			return true
		}
		for _, m := range s.Members {
			if m.Assoc.NeedAddr() == l.Name {
				return true
			}
		}
	}
	return false
}

// HandleResolved takes the addresses of a name.
func (set *Set) HandleResolved(now clock.Reading, ev event.Resolved, out []event.Action) []event.Action {
	l := set.lookup(ev.Name, ev.Family)
	if len(ev.Addrs) == 0 {
		if l.Failed(now, ev) {
			out = append(out, event.Notice{Kind: event.NoticeResolveFailed, Name: ev.Name, Text: ev.Reason})
		}
		set.standIn(now, l)
		return out
	}
	l.Answered(now)
	set.Found.Remember(ev.Name, ev.Addrs)
	for _, s := range set.All {
		if s.Cfg.Family != ev.Family {
			continue
		}
		if s.Cfg.Name == ev.Name {
			out = set.resolved(now, s, ev.Addrs, out)
		}
		for _, m := range s.Members {
			if m.Assoc.NeedAddr() == ev.Name {
				m.Assoc.SetNTPAddr(now, names.SameFamily(ev.Addrs, m.Assoc.SourceAddr()))
			}
		}
	}
	for _, m := range set.members {
		out = set.DropIfDuplicate(now, m, out)
	}
	return out
}

// resolved takes the addresses of a source's name.
func (set *Set) resolved(now clock.Reading, s *Source, addrs []netip.Addr, out []event.Action) []event.Action {
	if len(s.addrs) == 0 {
		words := make([]string, 0, len(addrs))
		for _, a := range addrs[:min(len(addrs), names.MaxAddresses)] {
			words = append(words, a.String())
		}
		out = append(out, event.Notice{Kind: event.NoticeResolved, Name: s.Cfg.Name, Text: strings.Join(words, " ")})
	}
	s.addrs.Set(addrs, s.Cfg.Family)
	if len(s.addrs) == 0 {
		s.trouble = "no address of the wanted family"
		s.refreshAt = now.Mono.Add(names.RetryAddress)
	}
	if s.strict {
		s.strict = false
		for _, m := range slices.Clone(s.Members) {
			if s.addrs.Find(m.Assoc.SourceAddr()) == nil && len(s.addrs) > 0 {
				out = set.replace(now, m, out)
			}
		}
	}
	return out
}

// Awaited reports whether a source has no association yet but may soon have one.
func (set *Set) Awaited(s *Source) bool {
	return len(s.Members) == 0 && s.trouble == "" && !s.Offline && (s.literal || set.lookup(s.Cfg.Name, s.Cfg.Family).Reason == "")
}

// Lacks says in words why a source has no association.
func (set *Set) Lacks(s *Source) string {
	trouble := s.trouble
	if s.literal {
		return trouble
	}
	if reason := set.lookup(s.Cfg.Name, s.Cfg.Family).Reason; reason != "" {
		return reason
	}
	if trouble == "" {
		trouble = "name not resolved yet"
	}
	return trouble
}

// Offer adds an address that the source's name had.
func (s *Source) Offer(a netip.Addr) {
	if s.addrs.Find(a) == nil && names.OfFamily(a, s.Cfg.Family) {
		s.addrs = append(s.addrs, names.Address{Addr: a})
	}
}

package sources

import (
	"slices"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/nts"
	"ntsd/internal/upstream"
)

// HandleConfig replaces the configuration: sources that it keeps keep their
// associations, the others are dropped or added.
func (set *Set) HandleConfig(cfgs []upstream.Source, out []event.Action) []event.Action {
	old := set.All
	set.All = nil
	for i := range cfgs {
		next := newSource(cfgs[i])
		j := slices.IndexFunc(old, func(s *Source) bool { return s.Cfg.Equal(&next.Cfg) })
		if j >= 0 {
			kept := old[j]
			old = slices.Delete(old, j, j+1)
			kept.Cfg = next.Cfg
			next = kept
		}
		set.All = append(set.All, next)
	}
	out = set.drop(old, out)
	for _, s := range set.All {
		for len(s.Members) > s.wanted() {
			out = set.remove(s.Members[len(s.Members)-1], out)
		}
		for _, m := range s.Members {
			m.Assoc.HandleConfig(s.assocConfig(m.Assoc.ID(), m.Assoc.SourceAddr()))
		}
	}
	set.changed()
	return out
}

// drop ends the associations of sources that are no longer configured. Their keys
// stay where another source of the same name trusts the same certificates.
func (set *Set) drop(gone []*Source, out []event.Action) []event.Action {
	for _, s := range gone {
		for len(s.Members) > 0 {
			out = set.remove(s.Members[0], out)
		}
		out = set.Memory.Forget(func(n *nts.Session) bool {
			if n.KEName != s.Cfg.Name || n.KEPort != s.Cfg.NTSPort {
				return true // not of this source
			}
			return slices.ContainsFunc(set.All, func(o *Source) bool {
				return o.Cfg.NTS && o.Cfg.Name == s.Cfg.Name && o.Cfg.NTSPort == s.Cfg.NTSPort &&
					o.Cfg.NoVal == s.Cfg.NoVal && slices.Equal(o.Cfg.TrustedCerts, s.Cfg.TrustedCerts)
			})
		}, out)
	}
	return out
}

// LinkUp forgets failures that a new link may cure.
func (set *Set) LinkUp(s *Source) {
	set.Memory.HandleOnline()
	s.addrs.Forgive()
	set.hurry(s)
}

// Refresh has the addresses of a source found again; those that are gone from its
// name are replaced.
func (set *Set) Refresh(now clock.Reading, s *Source) {
	s.addrs.Forgive()
	s.duplicates = nil
	s.refreshed, s.strict = false, !s.literal
	s.refreshAt = now.Mono
	set.hurry(s)
}

// hurry ends the wait for a name.
func (set *Set) hurry(s *Source) {
	if !s.literal {
		set.lookup(s.Cfg.Name, s.Cfg.Family).Hurry()
	}
}

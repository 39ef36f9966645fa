package engine

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"ntsd/internal/assoc"
	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/memory"
	"ntsd/internal/names"
	"ntsd/internal/selection"
	"ntsd/internal/upstream"
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

// source is one configured server or pool and its associations.
type source struct {
	cfg     upstream.Source
	literal bool // the name is an address
	offline bool // new associations start so
	addrs   names.Addresses
	ref     *reference // nil: a server
	members []*member

	refreshAt  clock.Mono // when to ask for the name again
	refreshed  bool       // that was done before
	strict     bool       // the next answer replaces addresses that are gone
	trouble    string     // why there are fewer associations than wanted
	duplicates []netip.Addr
}

// member is an association with what the selection remembers of it.
type member struct {
	assoc       *assoc.Assoc
	fresh       bool // a sample came that the clock has not been told of
	doubted     bool // the same of one that does not fit: the error may be larger
	counted     bool // it had its share in what the clock was told last
	falseticker bool
	tie         selection.Tie
}

// note remembers whether a sample came.
func (m *member) note(v assoc.Verdict) {
	m.fresh = m.fresh || v == assoc.VerdictAccepted
	m.doubted = m.doubted || v == assoc.VerdictOutlier
}

func newSource(cfg upstream.Source) *source {
	cfg.SetDefaults()
	s := &source{cfg: cfg, offline: cfg.Offline, refreshAt: clock.Never}
	if cfg.Kind == upstream.RefClock {
		s.literal = true
		s.addrs = names.Addresses{{Addr: refAddr(cfg.Name)}}
	} else if a, err := netip.ParseAddr(cfg.Name); err == nil {
		s.literal = true
		s.addrs = names.Addresses{{Addr: a.Unmap()}}
	}
	return s
}

// keys says which keys are the source's.
func (s *source) keys() memory.Source {
	return memory.Source{Name: s.cfg.Name, Port: s.cfg.NTSPort, AEADs: s.cfg.AEADs}
}

// wanted is how many associations the source should have.
func (s *source) wanted() int {
	if s.cfg.Kind == upstream.Pool {
		return s.cfg.MaxSources
	}
	return 1
}

// assocConfig returns what an association with addr is made from.
func (s *source) assocConfig(id event.SourceID, addr netip.Addr) assoc.Config {
	return s.cfg.Association(id, addr, s.offline)
}

func (s *source) has(a netip.Addr) bool { return s.member(a) != nil }

func (s *source) member(a netip.Addr) *member {
	for _, m := range s.members {
		if m.assoc.SourceAddr() == a {
			return m
		}
	}
	return nil
}

// user returns the association of another source that polls the server at a,
// and that source; nil when there is none: time is not twice as good for asking
// twice.
func (e *Engine) user(s *source, a netip.Addr) (*source, *member) {
	for _, o := range e.sources {
		if o == s || o.cfg.Port != s.cfg.Port || (o.cfg.NTS && s.cfg.NTS && o.cfg.NTSPort != s.cfg.NTSPort) {
			continue
		}
		for _, m := range o.members {
			if m.assoc.SourceAddr() == a || m.assoc.Addr() == a {
				return o, m
			}
		}
	}
	return nil, nil
}

// yields reports whether o gives a server up to s: authenticated time is worth
// more, and a server learnt from the network must not displace it.
func (o *source) yields(s *source) bool { return s.cfg.Proof() > o.cfg.Proof() }

// pick chooses the next address of a source: one with keys at hand, else of
// another family than avoid, else the first; where the way to avoid is closed to
// long packets, the family counts most. ok is false when there is none to try now.
func (e *Engine) pick(now clock.Reading, s *source, avoid netip.Addr, closed bool, out []event.Action) (_ []event.Action, best netip.Addr, ok bool) {
	rank := -1
	for i := range s.addrs {
		x := &s.addrs[i]
		if s.has(x.Addr) || !x.Ripe(now.Mono) {
			continue
		}
		if o, _ := e.user(s, x.Addr); o != nil && !o.yields(s) {
			out = s.duplicate(x.Addr, o.cfg.Name, out)
			continue
		}
		r := 0
		if !x.Bad {
			r += 4
		}
		if s.cfg.NTS && e.memory.Has(s.keys(), x.Addr) {
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
func (s *source) duplicate(a netip.Addr, name string, out []event.Action) []event.Action {
	s.trouble = "same server as " + name
	if slices.Contains(s.duplicates, a) || len(s.duplicates) >= names.MaxAddresses {
		return out
	}
	s.duplicates = append(s.duplicates, a)
	return append(out, event.Notice{Kind: event.NoticeDuplicate, Name: s.cfg.Name, Addr: a, Text: name})
}

// add makes an association with an address.
func (e *Engine) add(now clock.Reading, s *source, addr netip.Addr, out []event.Action) ([]event.Action, *member) {
	if o, m := e.user(s, addr); o != nil {
		out = e.remove(o, m, out)
		out = o.duplicate(addr, s.cfg.Name, out)
	}
	e.lastID++
	cfg := s.assocConfig(e.lastID, addr)
	// The drift file, or later the clock itself, tells a new source how fast
	// the oscillator runs.
	if st := e.clock.Stats(); e.cfg.DriftKnown || st.Updates > 0 {
		cfg.Rate, cfg.RateSD = st.Frequency, st.Skew
	}
	m := &member{}
	if s.cfg.Kind == upstream.RefClock {
		m.assoc = e.addReference(now, s, cfg)
	} else {
		m.assoc = assoc.New(cfg, &e.env, now)
	}
	if s.cfg.NTS {
		if b, ok := e.memory.Backoff(netip.AddrPortFrom(addr, s.cfg.NTSPort)); ok {
			m.assoc.RestoreBackoff(now, b)
		}
		if session, ok := e.memory.Take(s.keys(), addr); ok {
			m.assoc.Restore(now, session)
		}
	}
	s.members = append(s.members, m)
	s.trouble = ""
	e.selector.dirty = true
	return out, m
}

// remove ends an association; its keys are kept for a later one.
func (e *Engine) remove(s *source, m *member, out []event.Action) []event.Action {
	s.members = slices.DeleteFunc(s.members, func(o *member) bool { return o == m })
	if s.cfg.NTS {
		if session, ok := m.assoc.Session(); ok {
			e.memory.Park(session)
		}
		e.memory.KeepBackoff(netip.AddrPortFrom(m.assoc.SourceAddr(), s.cfg.NTSPort), m.assoc.Backoff())
	}
	e.selector.dirty = true
	if s.ref != nil {
		out = append(out, event.CloseClock{Source: m.assoc.ID()})
	}
	return m.assoc.Close(out)
}

// resolved takes the addresses of a source's name.
func (e *Engine) resolved(now clock.Reading, s *source, addrs []netip.Addr, out []event.Action) []event.Action {
	if len(s.addrs) == 0 {
		words := make([]string, 0, len(addrs))
		for _, a := range addrs[:min(len(addrs), names.MaxAddresses)] {
			words = append(words, a.String())
		}
		out = append(out, event.Notice{Kind: event.NoticeResolved, Name: s.cfg.Name, Text: strings.Join(words, " ")})
	}
	s.addrs.Set(addrs, s.cfg.Family)
	if len(s.addrs) == 0 {
		s.trouble = "no address of the wanted family"
		s.refreshAt = now.Mono.Add(names.RetryAddress)
	}
	if s.strict {
		s.strict = false
		for _, m := range slices.Clone(s.members) {
			if s.addrs.Find(m.assoc.SourceAddr()) == nil && len(s.addrs) > 0 {
				out = e.replace(now, s, m, out)
			}
		}
	}
	return out
}

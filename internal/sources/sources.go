// Package sources is the configured sources and the associations that they have:
// which addresses of a name are used, what takes the place of a dead one, what a
// reload keeps. It is layer 2 and sans-IO.
//
// A server has one association, a pool several, a reference clock one with itself.
// Keys and back-offs of addresses without an association are in Memory; where names
// were found last is in Found.
//
// Non-goals: what an association does (assoc), which sources are believed (selection),
// and everything that concerns the clock (engine).
package sources

import (
	"net/netip"

	"ntsd/internal/assoc"
	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/memory"
	"ntsd/internal/names"
	"ntsd/internal/refclock"
	"ntsd/internal/selection"
	"ntsd/internal/upstream"
)

// Set is all sources. It is not safe for concurrent use; make one with New.
type Set struct {
	All     []*Source // in the order of the configuration
	Memory  memory.Memory
	Found   names.Hosts
	Changed bool // associations came or went; the caller takes it back

	members []*Member // of all sources, in their order
	env     *assoc.Env
	held    func(name string) bool
	lookups []*names.Lookup
	lastID  event.SourceID
}

// New returns the sources of a configuration, without associations. env is what
// those share; held reports that a source is to be left alone for a moment.
func New(cfgs []upstream.Source, env *assoc.Env, held func(name string) bool) *Set {
	set := &Set{env: env, held: held}
	for i := range cfgs {
		set.All = append(set.All, newSource(cfgs[i]))
	}
	return set
}

// Source is one configured server, pool, peer or reference clock and its
// associations.
type Source struct {
	Cfg     upstream.Source
	Offline bool       // new associations start so
	Ref     *Reference // nil: no reference clock
	Members []*Member

	literal    bool // the name is an address
	addrs      names.Addresses
	refreshAt  clock.Mono // when to ask for the name again
	refreshed  bool       // that was done before
	strict     bool       // the next answer replaces addresses that are gone
	trouble    string     // why there are fewer associations than wanted
	duplicates []netip.Addr
}

// Reference is the clock of a source that is one.
type Reference struct {
	*refclock.Clock
	Told string // why it cannot be read, as people know it
}

// Member is an association with what the selection remembers of it.
type Member struct {
	Source      *Source
	Assoc       *assoc.Assoc
	Fresh       bool // a sample came that the clock has not been told of
	Doubted     bool // the same of one that does not fit: the error may be larger
	Counted     bool // it had its share in what the clock was told last
	Falseticker bool
	Tie         selection.Tie
	Lead        selection.Lead // over the selected source
	Outside     int            // it measures something else than the majority
}

// Note remembers whether a sample came.
func (m *Member) Note(v assoc.Verdict) {
	m.Fresh = m.Fresh || v == assoc.VerdictAccepted
	m.Doubted = m.Doubted || v == assoc.VerdictOutlier
}

// At reports whether the association is the one with an address.
func (m *Member) At(target string) bool {
	a, err := netip.ParseAddr(target)
	return err == nil && (m.Assoc.Addr() == a.Unmap() || m.Assoc.SourceAddr() == a.Unmap())
}

// Members returns all associations. The list stays as it is when some are made or
// ended: there is another one then.
func (set *Set) Members() []*Member { return set.members }

// changed notes that associations came or went, or that the sources have another
// order.
func (set *Set) changed() {
	set.Changed = true
	set.members = nil
	for _, s := range set.All {
		set.members = append(set.members, s.Members...)
	}
}

// Find returns the association of that identity, nil when there is none.
func (set *Set) Find(id event.SourceID) *Member {
	for _, m := range set.members {
		if m.Assoc.ID() == id {
			return m
		}
	}
	return nil
}

// NextDeadline is when something is due: of an association, a reference clock or a
// name.
func (set *Set) NextDeadline() clock.Mono {
	next := clock.Never
	for _, l := range set.lookups {
		next = min(next, l.Deadline())
	}
	for _, s := range set.All {
		next = min(next, s.refreshAt)
		if s.Ref != nil {
			next = min(next, s.Ref.NextDeadline())
		}
	}
	for _, m := range set.members {
		next = min(next, m.Assoc.NextDeadline())
	}
	return next
}

// HandleStep tells that the clock was stepped.
func (set *Set) HandleStep(now clock.Reading) {
	set.Memory.HandleStep(now)
	for _, m := range set.members {
		m.Assoc.HandleStep(now)
	}
}

// Save asks for all keys to be kept for the next start.
func (set *Set) Save(out []event.Action) []event.Action {
	for _, m := range set.members {
		out = m.Assoc.Save(out)
	}
	return out
}

func newSource(cfg upstream.Source) *Source {
	cfg.SetDefaults()
	s := &Source{Cfg: cfg, Offline: cfg.Offline, refreshAt: clock.Never}
	if cfg.Kind == upstream.RefClock {
		s.literal = true
		s.addrs = names.Addresses{{Addr: refAddr(cfg.Name)}}
	} else if a, err := netip.ParseAddr(cfg.Name); err == nil {
		s.literal = true
		s.addrs = names.Addresses{{Addr: a.Unmap()}}
	}
	return s
}

// refAddr is the address that stands for a reference clock: its name, four
// characters, as chrony and the reference ID have it.
func refAddr(name string) netip.Addr {
	var id [4]byte
	copy(id[:], name)
	return netip.AddrFrom4(id)
}

// Keys says which keys are the source's.
func (s *Source) Keys() memory.Source {
	return memory.Source{Name: s.Cfg.Name, Port: s.Cfg.NTSPort, AEADs: s.Cfg.AEADs}
}

// wanted is how many associations the source should have.
func (s *Source) wanted() int {
	if s.Cfg.Kind == upstream.Pool {
		return s.Cfg.MaxSources
	}
	return 1
}

// assocConfig returns what an association with addr is made from.
func (s *Source) assocConfig(id event.SourceID, addr netip.Addr) assoc.Config {
	return s.Cfg.Association(id, addr, s.Offline)
}

func (s *Source) has(a netip.Addr) bool { return s.Member(a) != nil }

// Member returns the association made for an address, nil when there is none.
func (s *Source) Member(a netip.Addr) *Member {
	for _, m := range s.Members {
		if m.Assoc.SourceAddr() == a {
			return m
		}
	}
	return nil
}

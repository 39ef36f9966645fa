package engine

import (
	"net/netip"
	"slices"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
)

// Implementation constants of name resolution.
const (
	lookupMin     = 2 * time.Second
	lookupMax     = 64 * time.Second
	lookupMaxGone = 17 * time.Minute // for a name that does not exist
	// maxAddresses of one name are kept: a server could announce thousands.
	maxAddresses = 16
	// standInAfter is how long a name may be looked up before the addresses that
	// it had stand in.
	standInAfter = 3 * time.Second
)

// lookup is the resolution of one name. Sources of the same name share it.
type lookup struct {
	name      string
	family    event.Family
	wanted    bool
	running   bool
	failures  int
	notBefore clock.Mono
	last      clock.Mono // of the last answer with addresses
	asked     clock.Mono
	stoodIn   bool   // by the addresses that it had
	reason    string // of the last failure, "" after a success
}

func (l *lookup) deadline() clock.Mono {
	switch {
	case l.running && !l.stoodIn:
		return l.asked.Add(standInAfter)
	case !l.wanted || l.running:
		return clock.Never
	}
	return l.notBefore
}

// lookup returns the resolution of a name.
func (e *Engine) lookup(name string, family event.Family) *lookup {
	for _, l := range e.lookups {
		if l.name == name && l.family == family {
			return l
		}
	}
	l := &lookup{name: name, family: family}
	e.lookups = append(e.lookups, l)
	return l
}

// startLookups asks for the names that are wanted and due, and forgets those
// that nobody uses any more.
func (e *Engine) startLookups(now clock.Reading, out []event.Action) []event.Action {
	e.lookups = slices.DeleteFunc(e.lookups, func(l *lookup) bool {
		return !l.running && !e.uses(l)
	})
	for _, l := range e.lookups {
		if l.running || now.Mono < l.deadline() || l.deadline() == clock.Never {
			continue
		}
		l.running, l.asked, l.stoodIn = true, now.Mono, false
		out = append(out, event.Resolve{Name: l.name, Family: l.family, Unchecked: !e.sync.ever && e.provesItself(l)})
	}
	return out
}

// standIn uses the addresses that a name had, for those that have none: of
// servers with keys at hand, and those of earlier answers. Where the clock is
// wrong, the resolver may not get an answer that it believes.
func (e *Engine) standIn(now clock.Reading, l *lookup) {
	l.stoodIn = true
	found := e.found.Of(l.name)
	for _, s := range e.sources {
		if s.cfg.Family != l.family {
			continue
		}
		if s.cfg.Name == l.name && len(s.addrs) == 0 {
			addrs := slices.Clone(found)
			if s.cfg.NTS {
				addrs = append(e.memory.Addresses(s.keys()), addrs...)
			}
			s.setAddresses(addrs)
			e.selector.dirty = true
		}
		for _, m := range s.members {
			if m.assoc.NeedAddr() == l.name && len(found) > 0 {
				m.assoc.SetNTPAddr(now, sameFamily(found, m.assoc.SourceAddr()))
			}
		}
	}
}

// provesItself reports whether whoever answers for a name must prove it by a
// certificate.
func (e *Engine) provesItself(l *lookup) bool {
	for _, s := range e.sources {
		if s.cfg.Name == l.name && (!s.cfg.NTS || s.cfg.NoVal) {
			return false
		}
	}
	return true
}

func (e *Engine) uses(l *lookup) bool {
	for _, s := range e.sources {
		if s.cfg.Family != l.family {
			continue
		}
		if s.cfg.Name == l.name {
			return true
		}
		for _, m := range s.members {
			if m.assoc.NeedAddr() == l.name {
				return true
			}
		}
	}
	return false
}

// HandleResolved takes the addresses of a name.
func (e *Engine) HandleResolved(now clock.Reading, ev event.Resolved, out []event.Action) []event.Action {
	e.prepare(now)
	n := len(out)
	l := e.lookup(ev.Name, ev.Family)
	l.running = false
	if len(ev.Addrs) == 0 {
		out = e.lookupFailed(now, l, ev, out)
		return e.finish(now, n, out)
	}
	l.wanted, l.failures, l.reason, l.last = false, 0, "", now.Mono
	e.found.Remember(ev.Name, ev.Addrs)
	l.notBefore = now.Mono.Add(lookupMin)
	for _, s := range e.sources {
		if s.cfg.Family != ev.Family {
			continue
		}
		if s.cfg.Name == ev.Name {
			out = e.resolved(now, s, ev.Addrs, out)
		}
		for _, m := range s.members {
			if m.assoc.NeedAddr() == ev.Name {
				m.assoc.SetNTPAddr(now, sameFamily(ev.Addrs, m.assoc.SourceAddr()))
			}
		}
	}
	for _, s := range e.sources {
		for _, m := range slices.Clone(s.members) {
			out = e.dropIfDuplicate(now, s, m, out)
		}
	}
	return e.finish(now, n, out)
}

// lookupFailed waits longer than the last time, says so once per reason, and
// makes do with addresses for which there are keys.
func (e *Engine) lookupFailed(now clock.Reading, l *lookup, ev event.Resolved, out []event.Action) []event.Action {
	l.failures = min(l.failures+1, 32)
	limit := lookupMax
	if !ev.Temporary {
		limit = lookupMaxGone
	}
	d := lookupMin
	for range l.failures - 1 {
		d = min(2*d, limit)
	}
	l.notBefore = now.Mono.Add(d)
	if l.reason != ev.Reason {
		l.reason = ev.Reason
		out = append(out, event.Notice{Kind: event.NoticeResolveFailed, Name: ev.Name, Text: ev.Reason})
	}
	e.standIn(now, l)
	return out
}

// sameFamily returns the first address of the family of like, or else the
// first (RFC 8915 §4.1.7 asks servers for it): what reached one server reaches
// the other.
func sameFamily(addrs []netip.Addr, like netip.Addr) netip.Addr {
	for _, a := range addrs {
		if a.Is4() == like.Is4() {
			return a
		}
	}
	return addrs[0]
}

// familyOf reports whether an address is of a family.
func familyOf(a netip.Addr, f event.Family) bool {
	switch f {
	case event.FamilyIPv4:
		return a.Is4()
	case event.FamilyIPv6:
		return a.Is6()
	}
	return true
}

package engine

import (
	"slices"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/names"
)

// lookup returns the resolution of a name.
func (e *Engine) lookup(name string, family event.Family) *names.Lookup {
	for _, l := range e.lookups {
		if l.Name == name && l.Family == family {
			return l
		}
	}
	l := &names.Lookup{Name: name, Family: family}
	e.lookups = append(e.lookups, l)
	return l
}

// startLookups asks for the names that are wanted and due, and forgets those
// that nobody uses any more.
func (e *Engine) startLookups(now clock.Reading, out []event.Action) []event.Action {
	e.lookups = slices.DeleteFunc(e.lookups, func(l *names.Lookup) bool {
		return !l.Running && !e.uses(l)
	})
	for _, l := range e.lookups {
		if l.Ask(now) {
			out = append(out, event.Resolve{Name: l.Name, Family: l.Family, Unchecked: !e.sync.ever && e.provesItself(l)})
		}
	}
	return out
}

// standIn uses the addresses that a name had, for those that have none: of
// servers with keys at hand, and those of earlier answers. Where the clock is
// wrong, the resolver may not get an answer that it believes.
func (e *Engine) standIn(now clock.Reading, l *names.Lookup) {
	found := e.found.Of(l.Name)
	for _, s := range e.sources {
		if s.cfg.Family != l.Family {
			continue
		}
		if s.cfg.Name == l.Name && len(s.addrs) == 0 {
			addrs := slices.Clone(found)
			if s.cfg.NTS {
				addrs = append(e.memory.Addresses(s.keys()), addrs...)
			}
			s.addrs.Set(addrs, s.cfg.Family)
			e.selector.dirty = true
		}
		for _, m := range s.members {
			if m.assoc.NeedAddr() == l.Name && len(found) > 0 {
				m.assoc.SetNTPAddr(now, names.SameFamily(found, m.assoc.SourceAddr()))
			}
		}
	}
}

// provesItself reports whether whoever answers for a name must prove it by a
// certificate.
func (e *Engine) provesItself(l *names.Lookup) bool {
	for _, s := range e.sources {
		if s.cfg.Name == l.Name && (!s.cfg.NTS || s.cfg.NoVal) {
			return false
		}
	}
	return true
}

func (e *Engine) uses(l *names.Lookup) bool {
	for _, s := range e.sources {
		if s.cfg.Family != l.Family {
			continue
		}
		if s.cfg.Name == l.Name {
			return true
		}
		for _, m := range s.members {
			if m.assoc.NeedAddr() == l.Name {
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
	if len(ev.Addrs) == 0 {
		if l.Failed(now, ev) {
			out = append(out, event.Notice{Kind: event.NoticeResolveFailed, Name: ev.Name, Text: ev.Reason})
		}
		e.standIn(now, l)
		return e.finish(now, n, out)
	}
	l.Answered(now)
	e.found.Remember(ev.Name, ev.Addrs)
	for _, s := range e.sources {
		if s.cfg.Family != ev.Family {
			continue
		}
		if s.cfg.Name == ev.Name {
			out = e.resolved(now, s, ev.Addrs, out)
		}
		for _, m := range s.members {
			if m.assoc.NeedAddr() == ev.Name {
				m.assoc.SetNTPAddr(now, names.SameFamily(ev.Addrs, m.assoc.SourceAddr()))
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

package engine

import (
	"net/netip"
	"slices"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/nts"
)

// HandleCommand does what the operator asks. The only errors are ErrNoSource
// and ErrNotSmoothing.
func (e *Engine) HandleCommand(now clock.Reading, cmd event.Command, out []event.Action) ([]event.Action, error) {
	e.prepare(now)
	n := len(out)
	if cmd.Kind == event.CommandMakeStep {
		if !e.cfg.OneShot {
			out = e.clock.MakeStep(now, out)
		}
		return e.finish(now, n, out), nil
	}
	if cmd.Kind == event.CommandSmoothReset || cmd.Kind == event.CommandSmoothActivate {
		return out, e.handleSmoothing(now, cmd.Kind)
	}
	found := false
	for _, s := range e.sources {
		whole := cmd.Target == "" || cmd.Target == s.cfg.Name
		members := slices.DeleteFunc(slices.Clone(s.members), func(m *member) bool {
			return !whole && !m.at(cmd.Target)
		})
		if !whole && len(members) == 0 {
			continue
		}
		found = true
		out = e.command(now, cmd, s, members, whole, out)
	}
	e.selector.dirty = true
	out = e.finish(now, n, out)
	if !found && cmd.Target != "" {
		return out, ErrNoSource
	}
	return out, nil
}

// at reports whether the association is the one with an address.
func (m *member) at(target string) bool {
	a, err := netip.ParseAddr(target)
	return err == nil && (m.assoc.Addr() == a.Unmap() || m.assoc.SourceAddr() == a.Unmap())
}

// command carries out a command for one source, or some of its associations.
func (e *Engine) command(now clock.Reading, cmd event.Command, s *source, members []*member, whole bool,
	out []event.Action,
) []event.Action {
	switch cmd.Kind {
	case event.CommandOnline:
		if whole {
			s.offline = false
			e.linkUp(s)
		}
		for _, m := range members {
			out = m.assoc.SetOnline(now, true, out)
		}
	case event.CommandOffline:
		s.offline = s.offline || whole
		for _, m := range members {
			out = m.assoc.SetOnline(now, false, out)
		}
	case event.CommandBurst:
		for _, m := range members {
			m.assoc.Burst(now, cmd.Good, cmd.Max)
		}
	case event.CommandRekey:
		for _, m := range members {
			m.assoc.Rekey(now)
		}
	case event.CommandRefresh:
		s.addrs.Forgive()
		s.duplicates = nil
		s.refreshed, s.strict = false, !s.literal
		s.refreshAt = now.Mono
		e.hurry(s)
	}
	return out
}

// linkUp forgets failures that a new link may cure.
func (e *Engine) linkUp(s *source) {
	e.memory.HandleOnline()
	e.reserve.Hurry()
	s.addrs.Forgive()
	e.hurry(s)
}

// hurry ends the wait for a name.
func (e *Engine) hurry(s *source) {
	if s.literal {
		return
	}
	e.lookup(s.cfg.Name, s.cfg.Family).Hurry()
}

// HandleConfig replaces the configuration: sources that it keeps keep their
// associations, the others are dropped or added.
func (e *Engine) HandleConfig(now clock.Reading, cfg Config, out []event.Action) []event.Action {
	e.prepare(now)
	n := len(out)
	// What was learnt of the clock stays; the drift file is for the start.
	cfg.OneShot = e.cfg.OneShot
	cfg.Selection.SetDefaults()
	e.cfg = cfg
	e.clock.HandleConfig(disciplineConfig(cfg))
	e.smooth.HandleConfig(now, cfg.Smooth)
	old := e.sources
	e.sources = nil
	for i := range cfg.Sources {
		next := newSource(cfg.Sources[i])
		j := slices.IndexFunc(old, func(s *source) bool { return s.cfg.Equal(&next.cfg) })
		if j >= 0 {
			kept := old[j]
			old = slices.Delete(old, j, j+1)
			kept.cfg = next.cfg
			next = kept
		}
		e.sources = append(e.sources, next)
	}
	e.ladder.HandleConfig(e.ladderConfig(), e.sync.ever)
	e.confirm(now)
	out = e.dropSources(old, out)
	for _, s := range e.sources {
		for len(s.members) > s.wanted() {
			out = e.remove(s, s.members[len(s.members)-1], out)
		}
		for _, m := range s.members {
			m.assoc.HandleConfig(s.assocConfig(m.assoc.ID(), m.assoc.SourceAddr()))
		}
	}
	e.selector.dirty = true
	return e.finish(now, n, out)
}

// dropSources ends the associations of sources that are no longer configured.
// Their keys stay where another source of the same name trusts the same
// certificates.
func (e *Engine) dropSources(gone []*source, out []event.Action) []event.Action {
	for _, s := range gone {
		for len(s.members) > 0 {
			out = e.remove(s, s.members[0], out)
		}
		out = e.memory.Forget(func(n *nts.Session) bool {
			if n.KEName != s.cfg.Name || n.KEPort != s.cfg.NTSPort {
				return true // not of this source
			}
			return slices.ContainsFunc(e.sources, func(o *source) bool {
				return o.cfg.NTS && o.cfg.Name == s.cfg.Name && o.cfg.NTSPort == s.cfg.NTSPort &&
					o.cfg.NoVal == s.cfg.NoVal && slices.Equal(o.cfg.TrustedCerts, s.cfg.TrustedCerts)
			})
		}, out)
	}
	return out
}

package engine

import (
	"slices"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/sources"
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
	for _, s := range e.sources.All {
		whole := cmd.Target == "" || cmd.Target == s.Cfg.Name
		members := slices.DeleteFunc(slices.Clone(s.Members), func(m *sources.Member) bool {
			return !whole && !m.At(cmd.Target)
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

// command carries out a command for one source, or some of its associations.
func (e *Engine) command(now clock.Reading, cmd event.Command, s *sources.Source, members []*sources.Member, whole bool,
	out []event.Action,
) []event.Action {
	switch cmd.Kind {
	case event.CommandOnline:
		if whole {
			s.Offline = false
			e.reserve.Hurry()
			e.sources.LinkUp(s)
		}
		for _, m := range members {
			out = m.Assoc.SetOnline(now, true, out)
		}
	case event.CommandOffline:
		s.Offline = s.Offline || whole
		for _, m := range members {
			out = m.Assoc.SetOnline(now, false, out)
		}
	case event.CommandOtherFamily:
		for _, m := range members {
			var moved bool
			if out, moved = e.sources.OtherFamily(now, m, out); !moved {
				out = m.Assoc.SetOnline(now, false, out)
			}
		}
	case event.CommandBurst:
		for _, m := range members {
			m.Assoc.Burst(now, cmd.Good, cmd.Max)
		}
	case event.CommandRekey:
		for _, m := range members {
			m.Assoc.Rekey(now)
		}
	case event.CommandRefresh:
		e.sources.Refresh(now, s)
	}
	return out
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
	out = e.sources.HandleConfig(cfg.Sources, out)
	e.ladder.HandleConfig(e.ladderConfig(), e.sync.ever)
	e.confirm(now)
	e.selector.dirty = true
	return e.finish(now, n, out)
}

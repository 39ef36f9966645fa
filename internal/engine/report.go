package engine

import (
	"net/netip"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/selection"
	"ntsd/internal/snapshot"
	"ntsd/internal/sources"
)

// Snapshot describes the whole state.
func (e *Engine) Snapshot(now clock.Reading) snapshot.Snapshot {
	e.evaluate(now)
	snap := snapshot.Snapshot{Now: now, Tracking: e.tracking(now), Smoothing: e.smooth.Report(now.Mono), NTS: e.env.NTS}
	for _, s := range e.sources.All {
		for _, m := range s.Members {
			snap.Sources = append(snap.Sources, e.sourceState(now, m))
		}
		if len(s.Members) == 0 {
			snap.Unresolved++
			snap.Sources = append(snap.Sources, e.unresolved(s))
		}
	}
	snap.Bootstrap = e.ladder.Status()
	return snap
}

func (e *Engine) tracking(now clock.Reading) snapshot.Tracking {
	st, sys := e.clock.Stats(), e.System(now)
	t := snapshot.Tracking{
		Synchronised: e.sync.on, Since: e.sync.since,
		Correction: e.clock.Correction(now), LastOffset: st.LastOffset, RMSOffset: st.RMSOffset,
		Frequency: st.Frequency, Residual: st.Residual, Skew: st.Skew,
		RootDelay: e.clock.RootDelay(), RootDisp: e.clock.RootDispersion(now),
		Interval: st.Interval, Leap: sys.Leap, Stratum: sys.Stratum,
		Updates: st.Updates, Steps: st.Steps, ReferenceTime: st.ReferenceTime,
	}
	if e.sync.ever {
		t.ReferenceID, t.Reference = sys.ReferenceID, e.sync.reference
		t.ReferenceName, t.ReferenceAddr = e.sync.name, e.sync.addr
		if m := e.sources.Find(e.sync.reference); m != nil && m.Source.Ref != nil {
			t.ReferenceAddr = netip.Addr{}
		}
		t.Authenticated = e.sync.authenticated
	}
	if e.sync.on {
		t.Beyond = e.selector.beyond
	}
	if sys.Orphan && !e.sync.on {
		t.Local, t.ReferenceID, t.ReferenceAddr = true, sys.ReferenceID, netip.Addr{}
		if m := e.sources.Find(e.house.guest); m != nil {
			t.Reference, t.ReferenceName, t.ReferenceAddr = e.house.guest, m.Source.Cfg.Name, m.Assoc.Addr()
		}
	}
	if sys.Local {
		t.Synchronised, t.Local, t.Authenticated = false, true, false
		t.ReferenceID, t.Reference, t.ReferenceTime = sys.ReferenceID, 0, sys.ReferenceTime
		t.ReferenceName, t.ReferenceAddr = "", netip.Addr{}
		t.RootDelay, t.RootDisp = 0, 0
	}
	return t
}

// sourceState describes one association after evaluate.
func (e *Engine) sourceState(now clock.Reading, m *sources.Member) snapshot.Source {
	s, a, x := m.Source, m.Assoc, &e.selector
	i := x.index(a.ID())
	c, est := &x.candidates[i], &x.estimates[i]
	st := snapshot.Source{
		ID: a.ID(), Name: s.Cfg.Name, Addr: a.Addr(), Port: s.Cfg.Port, Interface: s.Cfg.Interface, Kind: s.Cfg.Kind,
		Operator: s.Cfg.Operator, Options: s.Cfg.Select, Effective: s.Cfg.Select,
		Online: a.Online(), Burst: a.Bursting(), Reach: a.Reach(), Stratum: c.Stratum,
		Poll: int8(a.Poll()), LastRx: a.LastRx(), ErrorBound: max(c.Distance, a.Bound()),
		Stats: a.FilterStats(), Offset: c.Offset, SD: c.SD, Last: a.Last(),
		Counters: a.Counters(), Auth: a.Auth(),
	}
	if p := a.NTPAddr().Port(); p != 0 {
		st.Port = p
	}
	st.Measured, st.Adjusted = a.Measured(now)
	if c.Ready {
		st.Residual = est.Line.Rate - e.clock.Stats().Frequency
	}
	st.Leap = event.Leap(a.Last().Header.Leap)
	st.State = selection.StateNotReady
	if i < len(x.result.States) {
		st.State = x.result.States[i]
		st.Effective, st.Score = x.result.Effective[i], x.result.Score[i]
		st.Lo, st.Hi = x.result.Lo[i], x.result.Hi[i]
	}
	st.Mark, st.Letter = st.State.Mark(), st.State.Letter()
	if !st.State.Counts() {
		st.Why = st.State.String()
		if st.State == selection.StateNotReady && a.Reach() != 0 && e.ladder.Climbing() {
			st.Why = "waits until operators agree on the first time"
		}
		if why := a.Problem(); why != "" && a.Reach() == 0 {
			st.Why = why
		}
		if s.Ref != nil && s.Ref.Told != "" {
			st.Why = s.Ref.Told
		}
		if why := st.Auth.LastError; why != "" && a.Reach() == 0 {
			st.Why = why
		}
		if st.Auth.Path.Closed {
			st.Why = st.Auth.Path.String()
		}
	}
	return st
}

// unresolved describes a source without an association.
func (e *Engine) unresolved(s *sources.Source) snapshot.Source {
	st := snapshot.Source{
		Name: s.Cfg.Name, Port: s.Cfg.Port, Kind: s.Cfg.Kind, Operator: s.Cfg.Operator,
		Options: s.Cfg.Select, Effective: s.Cfg.Select, Online: !s.Offline, Poll: int8(s.Cfg.MinPoll),
		State: selection.StateUnreachable, Why: e.sources.Lacks(s),
	}
	st.Auth.NTS, st.Auth.KEPort = s.Cfg.NTS, s.Cfg.NTSPort
	st.Mark, st.Letter = st.State.Mark(), st.State.Letter()
	if a, err := netip.ParseAddr(s.Cfg.Name); err == nil {
		st.Addr = a
	}
	return st
}

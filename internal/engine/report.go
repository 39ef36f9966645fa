package engine

import (
	"net/netip"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/selection"
	"ntsd/internal/snapshot"
)

// Snapshot describes the whole state.
func (e *Engine) Snapshot(now clock.Reading) snapshot.Snapshot {
	e.evaluate(now)
	snap := snapshot.Snapshot{Now: now, Tracking: e.tracking(now), Smoothing: e.smooth.Report(now.Mono), NTS: e.env.NTS}
	for _, s := range e.sources {
		for _, m := range s.members {
			snap.Sources = append(snap.Sources, e.sourceState(now, s, m))
		}
		if len(s.members) == 0 {
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
		if s, _ := e.find(e.sync.reference); s != nil && s.ref != nil {
			t.ReferenceAddr = netip.Addr{}
		}
		t.Authenticated = e.sync.authenticated
	}
	if sys.Orphan && !e.sync.on {
		t.Local, t.ReferenceID, t.ReferenceAddr = true, sys.ReferenceID, netip.Addr{}
		if s, m := e.find(e.house.guest); m != nil {
			t.Reference, t.ReferenceName, t.ReferenceAddr = e.house.guest, s.cfg.Name, m.assoc.Addr()
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
func (e *Engine) sourceState(now clock.Reading, s *source, m *member) snapshot.Source {
	a, x := m.assoc, &e.selector
	i := x.index(a.ID())
	c, est := &x.candidates[i], &x.estimates[i]
	st := snapshot.Source{
		ID: a.ID(), Name: s.cfg.Name, Addr: a.Addr(), Port: s.cfg.Port, Interface: s.cfg.Interface, Kind: s.cfg.Kind,
		Operator: s.cfg.Operator, Options: s.cfg.Select, Effective: s.cfg.Select,
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
		if why := a.Problem(); why != "" && a.Reach() == 0 {
			st.Why = why
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
func (e *Engine) unresolved(s *source) snapshot.Source {
	st := snapshot.Source{
		Name: s.cfg.Name, Port: s.cfg.Port, Kind: s.cfg.Kind, Operator: s.cfg.Operator,
		Options: s.cfg.Select, Effective: s.cfg.Select, Online: !s.offline, Poll: int8(s.cfg.MinPoll),
		State: selection.StateUnreachable, Why: s.trouble,
	}
	st.Auth.NTS, st.Auth.KEPort = s.cfg.NTS, s.cfg.NTSPort
	st.Mark, st.Letter = st.State.Mark(), st.State.Letter()
	if a, err := netip.ParseAddr(s.cfg.Name); err == nil {
		st.Addr = a
	} else if l := e.lookup(s.cfg.Name, s.cfg.Family); l.Reason != "" {
		st.Why = l.Reason
	} else if st.Why == "" {
		st.Why = "name not resolved yet"
	}
	return st
}

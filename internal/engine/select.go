package engine

import (
	"time"

	"ntsd/internal/assoc"
	"ntsd/internal/clock"
	"ntsd/internal/discipline"
	"ntsd/internal/event"
	"ntsd/internal/filter"
	"ntsd/internal/selection"
	"ntsd/internal/sources"
)

// Implementation constants of the selection.
const (
	// settle is how long the first sample waits for those of other sources: so
	// one quick falseticker does not set the clock alone.
	settle = time.Second
	// drift is how fast a disciplined server's error may grow unseen: chrony's
	// maxclockerror.
	drift = clock.Rate(1e-6)
	// doubtAhead is how far ahead a bound looks when something unforeseen has
	// happened: until the next sample, which comes after the shortest interval.
	doubtAhead = 64 * time.Second
)

// selector is the state of the selection: the candidates of the last one, in
// the order of the configuration, and what came of it.
type selector struct {
	dirty    bool       // something changed since
	settled  bool       // the first samples are in
	deadline clock.Mono // when the first samples are in at the latest

	members    []*sources.Member
	candidates []selection.Candidate
	estimates  []filter.Estimate
	result     selection.Result
	selected   event.SourceID // 0: none
	why        string         // told last
	beyond     time.Duration  // of the root dispersion told, what the selected source itself does not claim
}

// index returns the position of an association among the candidates.
func (x *selector) index(id event.SourceID) int {
	for i, m := range x.members {
		if m.Assoc.ID() == id {
			return i
		}
	}
	return -1
}

// choose selects the reference if anything changed, and tells the clock.
func (e *Engine) choose(now clock.Reading, out []event.Action) []event.Action {
	x := &e.selector
	if !x.settled && e.settles(now) {
		x.settled, x.dirty = true, true
	}
	x.dirty = x.dirty || e.overdue(now) // where nobody is asked nothing else changes
	if x.dirty, e.sources.Changed = x.dirty || e.sources.Changed, false; !x.dirty || e.exited {
		return out
	}
	x.dirty = false
	e.evaluate(now)
	for i, m := range x.members {
		m.Lead.Note(x.result.Score[i], m.Assoc.LastRx())
		m.Outside = x.result.Outside[i]
	}
	if e.ladder.Decides() { // a majority of operators needs nobody else
		x.settled, x.deadline = true, clock.Never
	}
	if !x.settled {
		return out
	}
	out = e.tellSelection(out)
	switch {
	case x.result.Selected < 0:
		return e.expire(now, out)
	case e.cfg.OneShot:
		return e.answer(now, out)
	}
	return e.update(now, out)
}

// settles reports whether the first samples are in: every source has answered
// or failed, or one has and the others had their time.
func (e *Engine) settles(now clock.Reading) bool {
	x := &e.selector
	pending, sampled := false, false
	for _, s := range e.sources.All {
		pending = pending || e.sources.Awaited(s)
		for _, m := range s.Members {
			pending = pending || m.Assoc.Pending()
			sampled = sampled || m.Assoc.Sampled()
		}
	}
	if !sampled {
		return false
	}
	if x.deadline == clock.Never {
		x.deadline = now.Mono.Add(settle)
	}
	if pending && now.Mono < x.deadline {
		return false
	}
	x.deadline = clock.Never
	return true
}

// evaluate runs the selection.
func (e *Engine) evaluate(now clock.Reading) {
	x := &e.selector
	x.members, x.candidates, x.estimates = e.sources.Members(), x.candidates[:0], x.estimates[:0]
	for _, m := range x.members {
		c, est := candidate(now, m)
		x.candidates = append(x.candidates, c)
		x.estimates = append(x.estimates, est)
	}
	e.admit()
	cfg := e.cfg.Selection
	cfg.Orphan = e.orphan(now)
	x.result = selection.Select(cfg, now, x.candidates, x.index(x.selected))
	if e.overrule() {
		x.result = selection.Select(cfg, now, x.candidates, x.index(x.selected))
	}
}

// candidate describes an association to the selection.
func candidate(now clock.Reading, m *sources.Member) (selection.Candidate, filter.Estimate) {
	s, a := m.Source, m.Assoc
	last := a.Last().Header
	est, ready := a.Estimate(now.Mono)
	c := selection.Candidate{
		Stratum: last.Stratum, Leap: last.Leap, Reachable: a.Reach() != 0, Lost: s.Cfg.Lost(a.Unreached()), Ready: ready, Synchronised: a.Synchronised(),
		Authenticated: a.Authenticated(), Reference: s.Ref != nil, Online: a.Online(), Options: s.Cfg.Select, Tie: m.Tie,
		Lead: m.Lead, Fresh: m.Lead.Fresh(a.LastRx()), Outside: m.Outside,
		Address: assoc.ReferenceID(a.Addr()), Own: assoc.ReferenceID(a.Last().Local),
	}
	if ready {
		c.Offset = est.Line.WallAt(now.Mono).Sub(now.Wall)
		c.SD, c.Samples = est.OffsetSD, est.Samples
		c.Distance = rootDelay(a, est)/2 + rootDispersion(now, a, est)
	}
	return c, est
}

// rootDelay is the round trip to the primary server through a.
func rootDelay(a *assoc.Assoc, est filter.Estimate) time.Duration {
	return a.Last().Header.RootDelay.Duration() + est.MinDelay
}

// rootDispersion bounds what a's time may be off beside the delay.
func rootDispersion(now clock.Reading, a *assoc.Assoc, est filter.Estimate) time.Duration {
	return a.Last().Header.RootDispersion.Duration() + a.Dispersion() + est.Bound(0) +
		drift.Over(now.Mono.Sub(a.LastRx()))
}

// tellSelection gives notices of what changed.
func (e *Engine) tellSelection(out []event.Action) []event.Action {
	x := &e.selector
	members := x.members
	if x.result.Selected < 0 {
		members = nil // there is no majority that one could disagree with
	}
	for i, m := range members {
		was := m.Falseticker
		m.Falseticker = x.result.States[i] == selection.StateFalseticker
		if was != m.Falseticker {
			kind := event.NoticeTruechimer
			if m.Falseticker {
				kind = event.NoticeFalseticker
			}
			out = append(out, notice(kind, m))
		}
	}
	selected := event.SourceID(0)
	if i := x.result.Selected; i >= 0 {
		selected = x.members[i].Assoc.ID()
	}
	switch {
	case selected == 0 && e.ladder.Climbing(): // the ladder says what it waits for
	case selected == 0 && (x.selected != 0 || x.why != x.result.Why):
		out = append(out, event.Notice{Kind: event.NoticeUnselectable, Text: x.result.Why})
	case selected != 0 && selected != x.selected:
		out = append(out, notice(event.NoticeSelected, x.members[x.result.Selected]))
	}
	x.selected, x.why = selected, x.result.Why
	return out
}

func notice(kind event.NoticeKind, m *sources.Member) event.Notice {
	n := event.Notice{Kind: kind, Source: m.Assoc.ID(), Name: m.Source.Cfg.Name}
	if m.Source.Ref == nil {
		n.Addr = m.Assoc.Addr()
	}
	return n
}

// answer ends a one-shot query.
func (e *Engine) answer(now clock.Reading, out []event.Action) []event.Action {
	est, ok := selection.Combine(now.Mono, e.selector.estimates, e.selector.result.States)
	if !ok {
		return out
	}
	e.exited = true
	return append(out, event.Exit{Offset: est.Line.WallAt(now.Mono).Sub(now.Wall)})
}

// update tells the clock, if among those that count there is a sample that it
// has not been told of, or they are not those of the last time: what a source
// said that is found to lie must not last until the others are asked again.
func (e *Engine) update(now clock.Reading, out []event.Action) []event.Action {
	x := &e.selector
	x.learnTies(now)
	x.result.Correct(x.candidates, x.estimates)
	fresh, doubted, companion := false, false, true
	for i, m := range x.members {
		st := x.result.States[i]
		counts := st.Counts()
		fresh = fresh || counts != m.Counted
		m.Counted = counts
		if counts {
			fresh = fresh || m.Fresh
			doubted = doubted || m.Doubted
			companion = companion && !(m.Fresh && st == selection.StateSelected)
			m.Fresh, m.Doubted = false, false
		}
	}
	est, ok := selection.Combine(now.Mono, x.estimates, x.result.States)
	if !(fresh || doubted) || !ok {
		return out
	}
	best := x.members[x.result.Selected]
	delay := rootDelay(best.Assoc, est)
	own := rootDispersion(now, best.Assoc, est)
	dispersion := max(own, x.doubt(now, est)-delay/2)
	x.beyond = dispersion - own
	if !fresh {
		e.clock.HandleDoubt(now, dispersion+est.Bound(doubtAhead)-est.Bound(0))
		return out
	}
	out = e.clock.HandleUpdate(now, discipline.Update{
		Estimate:       est,
		RootDelay:      delay,
		RootDispersion: dispersion,
		Leap:           event.Leap(x.result.Leap(x.candidates)),
		Companion:      companion,
		OnTrial:        e.ladder.OnTrial(),
	}, out)
	out = e.climb(now, out)
	if e.ladder.Climbing() {
		if e.mayFollow(x.result.Selected) {
			e.followOrphan(now, best)
		}
		return out
	}
	return e.synchronised(now, best, out)
}

// learnTies compares the new samples of those that are near enough to be
// believed with what the others say.
func (x *selector) learnTies(now clock.Reading) {
	for i, near := range x.members {
		if !near.Fresh || x.result.Tied[i] || !x.result.States[i].Counts() {
			continue
		}
		at, sd := near.Assoc.Sample()
		for k, far := range x.members {
			if x.result.Tied[k] || x.result.States[k] == selection.StateOutlier {
				own := x.estimates[k].OffsetSD
				far.Tie.Learn(now.Mono, x.estimates[k].Line.WallAt(at.Mono).Sub(at.Wall), sd+own)
			}
		}
	}
}

// doubt is how far the estimate may be from the truth if any minority of those
// with a vote lies: a near server alone is no witness of its own distance.
func (x *selector) doubt(now clock.Reading, est filter.Estimate) time.Duration {
	offset := est.Line.WallAt(now.Mono).Sub(now.Wall)
	return max(x.result.TrueHi-offset, offset-x.result.TrueLo).Duration()
}

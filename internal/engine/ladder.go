package engine

import (
	"slices"

	"ntsd/internal/assoc"
	"ntsd/internal/bootstrap"
	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/names"
	"ntsd/internal/nts"
	"ntsd/internal/selection"
	"ntsd/internal/sources"
	"ntsd/internal/upstream"
)

// voter reports whether the source counts for the agreement, the trust and the
// reserve of the bootstrap: a server that was configured by name, whose
// certificate proves that name. Never one learnt from DHCP, of a pool, or
// without a check of the name.
func voter(s *sources.Source) bool {
	return s.Cfg.NTS && !s.Cfg.NoVal && s.Cfg.Kind == upstream.Server && s.Cfg.Operator != "" && !s.Cfg.Select.NoSelect
}

// ladderConfig is the configuration in the ladder's terms. A one-shot query
// keeps no clock and climbs none.
func (e *Engine) ladderConfig() bootstrap.Config {
	c := bootstrap.Config{
		Mode: e.cfg.Bootstrap.Mode, Agree: e.cfg.Bootstrap.Agree, Deadline: e.cfg.Bootstrap.Deadline,
		Floor: e.cfg.Floor, FloorFrom: e.cfg.FloorFrom,
	}
	for _, s := range e.sources.All {
		if voter(s) && !e.cfg.OneShot {
			c.Operators = append(c.Operators, s.Cfg.Operator)
		}
	}
	return c
}

// believed is the clock with what is still to be corrected.
func (e *Engine) believed(now clock.Reading) clock.Wall {
	return now.Wall.Add(e.clock.Correction(now).Duration())
}

// Recall tells what the flash holds, before HandleStart. Without it nothing is
// ever written there.
func (e *Engine) Recall(b event.Boot, reserve []nts.Session) {
	e.flash = bootstrap.NewFlash(&b)
	e.reserve = bootstrap.NewReserve(reserve)
	e.sources.Found = names.NewHosts(b.Hosts)
}

// startLadder looks which cookies of the reserve are needed, and sets a clock
// that is behind the floor if that is wanted: a time that has certainly passed
// is no worse than an earlier one.
func (e *Engine) startLadder(now clock.Reading, out []event.Action) (clock.Reading, []event.Action) {
	if floor := e.ladder.Floor(); e.cfg.StartAtFloor && now.Wall.Before(floor) && !e.cfg.OneShot {
		out = e.clock.StepTo(now, floor, out)
		now.Wall = floor
	}
	want := func(r *nts.Session) bool {
		s := e.reserved(r)
		return e.ladder.Climbing() && s != nil && !s.Offline && !e.sources.Memory.Has(s.Keys(), r.KEAddr) && !r.NotAfter.Before(e.ladder.Floor())
	}
	e.reserve.Start(now, want)
	for _, s := range e.sources.All {
		if e.reserve.Holds(s.Cfg.Name) {
			e.sources.Want(s) // meanwhile: it may have moved
		}
	}
	return now, out
}

// reserved returns the source that a session of the reserve belongs to.
func (e *Engine) reserved(r *nts.Session) *sources.Source {
	for _, s := range e.sources.All {
		if voter(s) && s.Cfg.Name == r.KEName && s.Cfg.NTSPort == r.KEPort && slices.Contains(s.Cfg.AEADs, r.AEAD) {
			return s
		}
	}
	return nil
}

// takeReserve asks for cookies of the reserve when that is due.
func (e *Engine) takeReserve(now clock.Reading, out []event.Action) []event.Action {
	wanted, rest := e.reserve.HandleTimer(now)
	if len(wanted) == 0 {
		return out
	}
	take := event.TakeReserve{Rest: rest}
	for i := range wanted {
		probe := event.Send{To: wanted[i].NTPAddr}
		if s := e.reserved(&wanted[i]); s != nil {
			probe.Interface = s.Cfg.Interface
		}
		take.Probes = append(take.Probes, probe)
	}
	return append(out, take)
}

// HandleReserveTaken takes the answer to a TakeReserve.
func (e *Engine) HandleReserveTaken(now clock.Reading, ev event.ReserveTaken, out []event.Action) []event.Action {
	e.prepare(now)
	n := len(out)
	if !ev.OK && !ev.Offline {
		e.ladder.NoteReserve(now, "", nil, ev.Reason)
	}
	for _, r := range e.reserve.HandleTaken(now, ev) {
		s := e.reserved(&r)
		if s == nil || !e.ladder.Climbing() {
			continue
		}
		e.ladder.NoteReserve(now, s.Cfg.Name, &r, "")
		if m := s.Member(r.KEAddr); m != nil {
			m.Assoc.TakeOver(now, r)
			continue
		}
		e.sources.Memory.Park(r)
		s.Offer(r.KEAddr)
	}
	e.selector.dirty = true
	return e.finish(now, n, out)
}

// admit leaves to the selection whom the ladder lets through: nobody without
// an agreement, and then those who agree; once the clock was set on trial, only
// those who confirm it; later, of the servers that prove themselves by
// certificates, those whose were judged at a trusted time.
func (e *Engine) admit() {
	x, l := &e.selector, e.ladder
	if l.Phase() == bootstrap.PhaseOff {
		return
	}
	var j bootstrap.Judgement
	if l.Climbing() {
		j = l.Judge(e.votes())
	}
	for i, m := range x.members {
		in := !m.Assoc.Certified() || m.Assoc.Strict()
		if l.Climbing() {
			in = !j.Agreed && e.mayFollow(i) || j.Agreed && j.In[i] && (j.Confirmed && m.Assoc.Strict() || !j.Confirmed && l.Phase() == bootstrap.PhaseSearching)
		}
		if !in { // and nobody waits for it
			x.candidates[i].Ready, x.candidates[i].Reachable = false, false
		}
	}
}

// overrule holds the majority of operators up against that of servers, once
// the ladder is climbed: an operator has one voice however many servers it
// runs. It reports whether the selection is to be made again, without those who
// won it.
func (e *Engine) overrule() bool {
	x := &e.selector
	i := x.result.Selected
	if e.ladder.Phase() != bootstrap.PhaseDone || i < 0 || !slices.Contains(x.result.States, selection.StateFalseticker) {
		return false
	}
	votes := e.votes()
	j := e.ladder.Judge(votes)
	if !j.Agreed || j.In[i] || votes[i].Mute {
		return false
	}
	for i := range x.candidates {
		if !j.In[i] && !votes[i].Mute {
			x.candidates[i].Ready, x.candidates[i].Reachable = false, false
		}
	}
	return true
}

// votes is what each candidate says about the clock.
func (e *Engine) votes() []bootstrap.Vote {
	x := &e.selector
	votes := make([]bootstrap.Vote, len(x.candidates))
	limit := e.cfg.Selection.MaxDistance
	for i := range x.candidates {
		c, s, a := &x.candidates[i], x.members[i].Source, x.members[i].Assoc
		votes[i] = bootstrap.Vote{
			Operator: s.Cfg.Operator, Strict: a.Strict(),
			Lo: c.Offset - clock.Offset(c.Distance), Hi: c.Offset + clock.Offset(c.Distance),
			Mute: !voter(s) || !c.Ready || !c.Synchronised || !c.Online || c.Distance > limit,
		}
		votes[i].NotBefore, _ = a.Validity()
	}
	return votes
}

// climb moves up after the clock was told what a majority says: on trial, all
// keys are established again.
func (e *Engine) climb(now clock.Reading, out []event.Action) []event.Action {
	if !e.ladder.Climb(now) {
		return out
	}
	n := event.Notice{Kind: event.NoticeTentative, Text: e.ladder.Agreement()}
	if e.ladder.Phase() == bootstrap.PhaseDone {
		n.Kind = event.NoticeTrusted
		e.reserve.Abandon()
	}
	e.confirm(now)
	return append(out, n)
}

// confirm has keys on trial established again, where the time is known.
func (e *Engine) confirm(now clock.Reading) {
	if !e.proved() {
		return
	}
	for _, m := range e.sources.Members() {
		if m.Assoc.OnTrial() {
			m.Assoc.Rekey(now)
		}
	}
}

// proved reports whether there is a time at which certificates can be judged.
func (e *Engine) proved() bool {
	return e.ladder.Phase() == bootstrap.PhaseConfirming || e.ladder.Phase() == bootstrap.PhaseDone
}

// keysDone draws the ladder's conclusions from a key establishment. Keys on
// trial that came too late are established again; a certificate that is not
// good at the time found ends the trust in its server.
func (e *Engine) keysDone(now clock.Reading, m *sources.Member, ev event.KEDone, out []event.Action) []event.Action {
	e.ladder.NoteKeys(now, m.Source.Cfg.Name, ev)
	switch {
	case !e.proved() || !m.Assoc.OnTrial():
		return out
	case ev.Failure == nts.FailureNone:
		m.Assoc.Rekey(now)
		return out
	case ev.Failure != nts.FailureCertificate:
		return out
	}
	out = m.Assoc.Revoke(out)
	n := notice(event.NoticeRevoked, m)
	n.Text = ev.Reason
	out = append(out, n)
	e.ladder.Note(now.Mono, bootstrap.Entry{Rung: bootstrap.RungTrust, Source: m.Source.Cfg.Name, Text: "revoked: " + ev.Reason})
	e.evaluate(now)
	if !e.ladder.HandleRevoked(e.votes()) || !e.sync.on {
		return out
	}
	e.sync.on, e.sync.since = false, now.Mono
	out = e.clock.HandleUnsynchronised(now, out)
	return append(out, event.Notice{Kind: event.NoticeUnsynchronised, Text: "trust in " + m.Source.Cfg.Name + " was revoked"})
}

// noteKE remembers how the certificates of a key establishment are judged.
func (e *Engine) noteKE(now clock.Reading, a event.StartKE) {
	if m := e.sources.Find(a.Source); m != nil {
		e.ladder.NoteKE(now, m.Source.Cfg.Name, a)
	}
}

// noteReply remembers what became of a reply that could place the clock.
func (e *Engine) noteReply(now clock.Reading, m *sources.Member, v assoc.Verdict) {
	if !e.ladder.Climbing() || !voter(m.Source) {
		return
	}
	var says clock.Wall
	if last := m.Assoc.Last(); last.Valid && v != assoc.VerdictNAK {
		says = last.Header.Transmit.Wall(e.ladder.Floor())
	}
	e.ladder.NoteReply(now, m.Source.Cfg.Name, says, v.String(), v == assoc.VerdictAccepted)
}

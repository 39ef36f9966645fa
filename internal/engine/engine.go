// Package engine joins the deciding parts: it hands events to the sources, has the
// best of them selected, feeds the discipline and climbs the ladder of bootstrap. It
// is layer 2 and sans-IO: events go in through the HandleX methods, actions come out appended
// to the caller's slice and are to be carried out in their order; the world
// then sleeps until NextDeadline or the next event.
//
// Non-goals: sockets, TLS, names, files, logs (the daemon's and the
// simulator's), and serving time to others (package server).
package engine

import (
	"errors"
	"io"

	"ntsd/internal/assoc"
	"ntsd/internal/bootstrap"
	"ntsd/internal/clock"
	"ntsd/internal/discipline"
	"ntsd/internal/event"
	"ntsd/internal/smooth"
	"ntsd/internal/sources"
	"ntsd/internal/upstream"
)

// ErrNoSource says that a command's target names no source.
var ErrNoSource = errors.New("engine: no such source")

// Engine is the whole deciding core. It is not safe for concurrent use; make
// one with New.
type Engine struct {
	cfg     Config
	env     assoc.Env
	clock   *discipline.Discipline
	sources *sources.Set

	selector selector
	sync     synchronisation
	house    house
	smooth   smooth.Smoother
	grain    clock.Grain
	exited   bool

	ladder  *bootstrap.Ladder
	reserve bootstrap.Reserve
	flash   bootstrap.Flash
}

// New returns an engine that has not started. rand must be unpredictable: it
// makes identifiers, nonces and transmit timestamps. A failing rand panics.
func New(cfg Config, rand io.Reader, now clock.Reading) *Engine {
	cfg.Selection.SetDefaults()
	e := &Engine{
		cfg:      cfg,
		env:      assoc.Env{Rand: rand},
		clock:    discipline.New(disciplineConfig(cfg), now, cfg.Drift, cfg.DriftSkew, cfg.DriftKnown),
		selector: selector{deadline: clock.Never},
		sync:     synchronisation{since: now.Mono},
	}
	e.env.Self = e.self
	e.smooth.HandleConfig(now, cfg.Smooth)
	e.sources = sources.New(cfg.Sources, &e.env, e.reserve.Holds)
	e.ladder = bootstrap.New(e.ladderConfig(), now)
	return e
}

func disciplineConfig(cfg Config) discipline.Config {
	return discipline.Config{
		Threshold: cfg.MakeStep.Threshold, Limit: cfg.MakeStep.Limit,
		MaxSlew: cfg.MaxSlew, LogChange: cfg.LogChange, LeapMode: cfg.LeapMode, Leaps: cfg.Leaps,
	}
}

// HandleStart begins. Restored sessions spare key establishments; backoffs
// hold them back.
func (e *Engine) HandleStart(now clock.Reading, sessions []event.Restored, backoffs []event.Backoff,
	out []event.Action,
) []event.Action {
	e.prepare(now)
	e.sources.Memory.Restore(now, sessions, backoffs)
	now, out = e.startLadder(now, out)
	return e.HandleTimer(now, out)
}

// HandleTimer does what is due; calling it early does nothing.
func (e *Engine) HandleTimer(now clock.Reading, out []event.Action) []event.Action {
	e.prepare(now)
	n := len(out)
	if out = e.poll(now, true, out); len(out) > n {
		return out // they tell the time: all else comes after them
	}
	out = e.poll(now, false, out)
	out = e.readClocks(now, out)
	if !e.cfg.OneShot && now.Mono >= e.clock.NextDeadline() {
		out = e.clock.HandleTimer(now, out)
	}
	out = e.ladder.HandleTimer(now, out)
	out = e.takeReserve(now, out)
	return e.finish(now, n, out)
}

// poll handles the associations that are due, of peers or of all others.
func (e *Engine) poll(now clock.Reading, peers bool, out []event.Action) []event.Action {
	for _, m := range e.sources.Members() {
		if (m.Source.Cfg.Kind == upstream.Peer) == peers && now.Mono >= m.Assoc.NextDeadline() {
			out = m.Assoc.HandleTimer(now, out)
			e.selector.dirty = true
		}
	}
	return out
}

// HandleReceived judges a datagram.
func (e *Engine) HandleReceived(now clock.Reading, ev event.Received, out []event.Action) []event.Action {
	e.prepare(now)
	n := len(out)
	m := e.sources.Find(ev.Source)
	if m == nil {
		return out
	}
	out, verdict := m.Assoc.HandleReceived(now, ev, out)
	e.selector.dirty = true
	m.Note(verdict)
	e.noteReply(now, m, verdict)
	return e.finish(now, n, out)
}

// HandleSendFailed notes that a request did not leave or was refused.
func (e *Engine) HandleSendFailed(now clock.Reading, ev event.SendFailed, out []event.Action) []event.Action {
	if m := e.sources.Find(ev.Source); m != nil {
		m.Assoc.HandleSendFailed(ev)
	}
	return out
}

// HandleKEDone takes the outcome of a key establishment.
func (e *Engine) HandleKEDone(now clock.Reading, ev event.KEDone, out []event.Action) []event.Action {
	e.prepare(now)
	n := len(out)
	m := e.sources.Find(ev.Source)
	if m == nil {
		return out
	}
	out = m.Assoc.HandleKEDone(now, ev, out)
	e.selector.dirty = true
	out = e.keysDone(now, m, ev, out)
	out = e.sources.DropIfDuplicate(now, m, out)
	return e.finish(now, n, out)
}

// HandleResolved takes the addresses of a name.
func (e *Engine) HandleResolved(now clock.Reading, ev event.Resolved, out []event.Action) []event.Action {
	e.prepare(now)
	n := len(out)
	out = e.sources.HandleResolved(now, ev, out)
	return e.finish(now, n, out)
}

// HandleStop saves what the next start wants to know.
func (e *Engine) HandleStop(now clock.Reading, out []event.Action) []event.Action {
	out = e.persist(now, out)
	for _, m := range e.sources.Members() {
		out = m.Assoc.Save(out)
		out = m.Assoc.Close(out)
	}
	if !e.cfg.OneShot {
		out = e.clock.HandleStop(now, out)
	}
	return out
}

// HandleDump saves the same without stopping.
func (e *Engine) HandleDump(now clock.Reading, out []event.Action) []event.Action {
	out = e.persist(now, out)
	out = e.sources.Save(out)
	return e.clock.SaveDrift(out)
}

// NextDeadline is when HandleTimer wants to be called.
func (e *Engine) NextDeadline() clock.Mono {
	next := min(e.selector.deadline, e.ladder.NextDeadline(), e.reserve.NextDeadline(), e.flashDeadline(), e.sources.NextDeadline())
	if !e.cfg.OneShot {
		next = min(next, e.clock.NextDeadline())
	}
	return next
}

// prepare tells the associations what they need to know of this moment.
func (e *Engine) prepare(now clock.Reading) {
	e.env.Verify = e.verify(now)
	e.env.Pivot = e.ladder.Floor()
	e.env.Bounds = assoc.Bounds{On: e.ladder.Climbing(), Floor: e.ladder.Floor(), MaxTrip: bootstrap.MaxTrip}
	e.grain.Read(now.Mono)
	e.keepHouse(now)
	if e.env.Resolution = e.cfg.Precision; e.env.Resolution == 0 {
		e.env.Resolution = e.grain.Resolution()
	}
	st := e.clock.Stats()
	// The drift file, or later the clock itself, tells a new source how fast the
	// oscillator runs.
	e.env.Rate, e.env.RateSD, e.env.RateKnown = st.Frequency, st.Skew, e.cfg.DriftKnown || st.Updates > 0
	e.followLeap(now)
}

// verify says at which time certificates are judged by a key establishment
// that starts now.
func (e *Engine) verify(now clock.Reading) event.Verify {
	return e.ladder.Verify(now, e.believed(now), e.sync.ever)
}

// finish draws the conclusions of an event: addresses, selection, the clock.
// The event's own actions start at out[first].
func (e *Engine) finish(now clock.Reading, first int, out []event.Action) []event.Action {
	out = e.sources.Maintain(now, e.sync.ever, out)
	out = e.choose(now, out)
	e.keepHouse(now)
	e.smoothen(now, out[first:])
	out = e.keep(now, out)
	stepped := false
	for _, a := range out[first:] {
		switch a := a.(type) {
		case event.Step:
			stepped = true
			e.ladder.NoteStep(now, a)
		case event.StartKE:
			e.noteKE(now, a)
		case event.Notice:
			if a.Kind == event.NoticeInterference {
				e.lookAgain(now)
			}
		}
	}
	if stepped {
		e.sources.HandleStep(now)
	}
	return out
}

// lookAgain asks all servers as soon as that is polite: the clock has moved and
// nobody knows why.
func (e *Engine) lookAgain(now clock.Reading) {
	for _, m := range e.sources.Members() {
		m.Assoc.LookAgain(now)
	}
}

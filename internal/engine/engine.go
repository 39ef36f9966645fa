// Package engine joins the deciding parts: it turns configured sources into
// associations, selects among them and feeds the discipline. It is layer 2 and
// sans-IO: events go in through the HandleX methods, actions come out appended
// to the caller's slice and are to be carried out in their order; the world
// then sleeps until NextDeadline or the next event.
//
// Non-goals: sockets, TLS, names, files, logs (the daemon's and the
// simulator's), and serving time to others (package server).
package engine

import (
	"errors"
	"io"

	"ntsd/internal/clock"
	"ntsd/internal/event"
)

// ErrNoSource says that a command's target names no source.
var ErrNoSource = errors.New("engine: no such source")

// Engine is the whole deciding core. It is not safe for concurrent use; make
// one with New.
type Engine struct {
	cfg  Config
	rand io.Reader
}

// New returns an engine that has not started. rand must be unpredictable: it
// makes identifiers, nonces and transmit timestamps. A failing rand panics.
func New(cfg Config, rand io.Reader, now clock.Reading) *Engine {
	return &Engine{cfg: cfg, rand: rand}
}

// HandleStart begins. Restored sessions spare key establishments; backoffs
// hold them back.
func (e *Engine) HandleStart(now clock.Reading, sessions []event.Restored, backoffs []event.Backoff,
	out []event.Action) []event.Action {
	return out
}

// HandleTimer does what is due; calling it early does nothing.
func (e *Engine) HandleTimer(now clock.Reading, out []event.Action) []event.Action { return out }

// HandleReceived judges a datagram.
func (e *Engine) HandleReceived(now clock.Reading, ev event.Received, out []event.Action) []event.Action {
	return out
}

// HandleSendFailed notes that a request did not leave or was refused.
func (e *Engine) HandleSendFailed(now clock.Reading, ev event.SendFailed, out []event.Action) []event.Action {
	return out
}

// HandleKEDone takes the outcome of a key establishment.
func (e *Engine) HandleKEDone(now clock.Reading, ev event.KEDone, out []event.Action) []event.Action {
	return out
}

// HandleResolved takes the addresses of a name.
func (e *Engine) HandleResolved(now clock.Reading, ev event.Resolved, out []event.Action) []event.Action {
	return out
}

// HandleCommand does what the operator asks. The only error is ErrNoSource.
func (e *Engine) HandleCommand(now clock.Reading, cmd event.Command, out []event.Action) ([]event.Action, error) {
	return out, nil
}

// HandleConfig replaces the configuration: sources that it keeps keep their
// associations, the others are dropped or added.
func (e *Engine) HandleConfig(now clock.Reading, cfg Config, out []event.Action) []event.Action {
	return out
}

// HandleStop saves what the next start wants to know.
func (e *Engine) HandleStop(now clock.Reading, out []event.Action) []event.Action { return out }

// NextDeadline is when HandleTimer wants to be called.
func (e *Engine) NextDeadline() clock.Mono { return clock.Never }

// Snapshot describes the whole state.
func (e *Engine) Snapshot(now clock.Reading) Snapshot { return Snapshot{Now: now} }

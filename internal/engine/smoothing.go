package engine

import (
	"errors"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/smooth"
	"ntsd/internal/snapshot"
)

// ErrNotSmoothing says that smoothing is not configured.
var ErrNotSmoothing = errors.New("engine: facility not enabled: section smoothtime")

// followLeap takes note of a leap second: civil time has jumped, the servers'
// like ours.
func (e *Engine) followLeap(now clock.Reading) {
	by := e.clock.Leaped(now)
	if by == 0 {
		return
	}
	for _, m := range e.sources.Members() {
		m.Assoc.HandleLeap(by)
	}
	e.selector.dirty = true
	if line, ok := e.clock.Belief(); ok {
		e.smooth.HandleLeap(now, line, by)
	}
}

// smoothen tells the smoothing what has become of the clock.
func (e *Engine) smoothen(now clock.Reading, actions []event.Action) {
	line, ok := e.clock.Belief()
	if !e.smooth.Enabled() || !ok {
		return
	}
	e.smooth.HandleBelief(now, line, e.clock.Stats().Skew)
	for _, a := range actions {
		switch a := a.(type) {
		case event.Step: // somebody wants the time corrected at once
			e.smooth.Reset(now)
		case event.Notice:
			if a.Kind == event.NoticeInterference {
				e.smooth.Suspend() // perhaps the machine slept, and the line with it
			}
		}
	}
}

// handleSmoothing does what the operator asks of the smoothing.
func (e *Engine) handleSmoothing(now clock.Reading, kind event.CommandKind) error {
	line, ok := e.clock.Belief()
	if !e.smooth.Enabled() {
		return ErrNotSmoothing
	}
	if kind == event.CommandSmoothReset {
		e.smooth.Reset(now)
		return nil
	}
	if !ok {
		line = clock.Line{At: now} // never synchronised: the clock is all there is
	}
	e.smooth.Activate(now, line)
	return nil
}

// smoothed says of the clock what is true of the time that is served.
func (e *Engine) smoothed(now clock.Reading, s snapshot.System) snapshot.System {
	s.Served = e.smooth.Plan()
	if !s.Served.Active || s.Leap == event.LeapUnsynchronised {
		return s
	}
	s.Leap = event.LeapNone // clients see no leap second
	if offset := s.Served.Offset(now.Mono); offset.Abs() > smooth.Visible {
		s.ReferenceID = smooth.ReferenceID()
		s.ReferenceTime = s.ReferenceTime.Add(offset.Duration())
		s.RootDispersion += offset.Abs()
	}
	return s
}

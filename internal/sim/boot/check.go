package boot

import (
	"slices"
	"time"

	"ntsd/internal/bootstrap"
	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/selection"
)

// near is how close two clocks are that mean the same time: the round trip's
// bound, and what is measured.
const near = bootstrap.MaxTrip

// voters returns the operators whose word counts, and how many must agree.
func (y *life) voters() (names []string, need int) {
	for _, s := range y.w.Servers {
		if !s.Plain && !s.NoVal && !s.Pool && s.Operator != "" && !slices.Contains(names, s.Operator) {
			names = append(names, s.Operator)
		}
	}
	need = len(names)/2 + 1
	if y.Agree > 0 {
		need = min(y.Agree, len(names))
	}
	return names, need
}

// supporters counts the operators one of whose servers says the time w and
// shows, or has shown, a chain that is valid then.
func (y *life) supporters(w clock.Wall) (n int) {
	names, _ := y.voters()
	for _, name := range names {
		if slices.ContainsFunc(y.w.Servers, func(s *Server) bool {
			says := y.present().Add(s.Lie.Duration())
			return s.Operator == name && !s.Plain && !s.NoVal && !s.Pool && w.Sub(says).Abs() <= near && slices.ContainsFunc(s.chains(), func(c Chain) bool {
				return c.NotBefore <= w && w <= c.NotAfter
			})
		}) {
			n++
		}
	}
	return n
}

func (s *Server) chains() []Chain {
	if s.Again != nil {
		return append(slices.Clone(s.Chains), *s.Again)
	}
	return s.Chains
}

// ladder reports whether the ladder's promises hold for this life.
func (y *life) ladder() bool {
	names, _ := y.voters()
	return y.Mode == bootstrap.ModeLadder && len(names) > 0
}

// checkStep: never to a time before the floor, outside the certificates or on
// the word of a minority.
func (y *life) checkStep() {
	if !y.ladder() {
		return
	}
	w := y.now().Wall
	if w < y.floor {
		y.w.breaks("the clock was set to %v, before the floor %v", w.Time(), y.floor.Time())
	}
	if y.AtFloor && w == y.floor {
		return
	}
	_, need := y.voters()
	if n := y.supporters(w); n < need {
		y.w.breaks("the clock was set to %v on the word of %d, %d are needed", w.Time(), n, need)
	}
}

// check: no synchronised state without strict certificates behind a majority.
func (y *life) check() {
	sys := y.engine.System(y.now())
	if sys.Leap == event.LeapUnsynchronised {
		return
	}
	if y.result.After == 0 {
		y.result.After = max(1, y.mono.Sub(y.born))
	}
	if y.trusted || !y.ladder() {
		return
	}
	y.trusted = true
	_, need := y.voters()
	if n := y.supporters(y.now().Wall); n < need {
		y.w.breaks("synchronised at %v on the word of %d, %d are needed", y.now().Wall.Time(), n, need)
	}
	for _, s := range y.engine.Snapshot(y.now()).Sources {
		if s.Auth.OnTrial && (s.State == selection.StateSelected || s.State == selection.StateCombined) {
			y.w.breaks("synchronised by %s, whose keys are on trial", s.Name)
		}
	}
	strict := 0
	for name := range y.w.strict {
		if slices.ContainsFunc(y.w.Servers, func(s *Server) bool { return s.Operator == name }) {
			strict++
		}
	}
	if strict < need {
		y.w.breaks("synchronised with the certificates of %d judged, %d are needed", strict, need)
	}
}

// checkState: only a trusted time is saved.
func (y *life) checkState(b event.Boot) {
	_, need := y.voters()
	if n := y.supporters(b.Time); y.ladder() && n < need {
		y.w.breaks("%v was saved on the word of %d, %d are needed", b.Time.Time(), n, need)
	}
	seen := map[string]bool{}
	for _, r := range y.w.disk.reserve {
		if seen[r.KEName] || !r.Strict || b.Time < r.NotBefore || b.Time > r.NotAfter || len(r.Cookies) > bootstrap.Spare {
			y.w.breaks("the reserve holds a session with %s that is of no use", r.KEName)
		}
		seen[r.KEName] = true
	}
	if b.TimeError < 0 || b.TimeError > 10*time.Second {
		y.w.breaks("the saved time has an error of %v", b.TimeError)
	}
}

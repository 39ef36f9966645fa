package selection

import (
	"fmt"
	"time"

	"ntsd/internal/clock"
)

// undecided marks, while Select works, a candidate that may still be anything.
const undecided = stateCount

// Select decides which candidates tell the time. previous is the index of the
// candidate selected before, -1 for none: it stays selected until another one has
// been better for a while (Lead).
func Select(cfg Config, now clock.Reading, cands []Candidate, previous int) Result {
	r := Result{
		Selected:  -1,
		States:    make([]State, len(cands)),
		Effective: effectiveOptions(cfg.AuthMode, cands),
		Lo:        make([]clock.Offset, len(cands)),
		Hi:        make([]clock.Offset, len(cands)),
		Tied:      make([]bool, len(cands)),
		Score:     make([]float64, len(cands)),
		Outside:   make([]int, len(cands)),
	}
	for i, c := range cands {
		s := around(c.Offset, max(c.Distance, 0))
		r.Lo[i], r.Hi[i], r.Score[i] = s.lo, s.hi, 1
	}
	pending := r.qualify(cfg, cands, previous)
	r.elect(cfg.Orphan, cands)
	if !r.intersect(cands, pending) || !r.enough(cfg) {
		return r
	}
	r.choose(cfg, cands, previous)
	return r
}

// effectiveOptions applies the authentication mode. Sources configured with
// noselect count for neither kind and keep their options.
func effectiveOptions(mode AuthMode, cands []Candidate) []Options {
	opts := make([]Options, len(cands))
	var authenticated, plain int
	for i, c := range cands {
		opts[i] = c.Options
		switch {
		case c.Options.NoSelect, c.Reference:
		case c.Authenticated:
			authenticated++
		default:
			plain++
		}
	}
	for i, c := range cands {
		switch {
		case c.Options.NoSelect:
		case c.Reference: // nobody on the way can change what it says
			if mode == AuthMix && authenticated > 0 && plain > 0 {
				opts[i].Trust, opts[i].Require = true, true
			}
		case mode == AuthRequire && !c.Authenticated,
			mode == AuthPrefer && !c.Authenticated && authenticated > 0:
			opts[i].NoSelect = true
		case mode == AuthMix && c.Authenticated && plain > 0:
			opts[i].Trust, opts[i].Require = true, true
		}
	}
	return opts
}

// qualify sorts out the candidates that cannot be selected whatever the others
// say. It returns how many are about to become candidates: before the first
// selection they have a vote in what a majority is, so that the fastest
// answer does not win alone.
func (r *Result) qualify(cfg Config, cands []Candidate, previous int) (pending int) {
	answering := false
	for i, c := range cands {
		r.States[i] = qualification(cfg, c, r.Effective[i])
		if r.States[i] == undecided && c.Reachable {
			answering = true
		}
		if r.States[i] == StateNotReady && c.Reachable && previous < 0 && !cfg.Orphan.is(c) {
			pending++
		}
	}
	// A source that has fallen silent is used for as long as no other answers:
	// its distance grows until it disqualifies itself, or it is lost.
	for i, c := range cands {
		if r.States[i] == undecided && !c.Reachable && (answering || c.Lost) {
			r.States[i] = StateUnreachable
		}
	}
	return pending
}

func qualification(cfg Config, c Candidate, o Options) State {
	switch {
	case o.NoSelect:
		return StateNoSelect
	case !c.Online && !c.Reachable:
		return StateOffline
	case !c.Ready:
		return StateNotReady
	case !c.Synchronised:
		return StateUnsynced
	case c.Distance < 0 || c.Distance > cfg.MaxDistance:
		return StateDistant
	case c.SD > cfg.MaxJitter:
		return StateJittery
	}
	return undecided
}

// enough reports whether the sources left (still undecided) satisfy minsources
// and require; where not, they wait.
func (r *Result) enough(cfg Config) bool {
	var n int
	required, satisfied := false, false
	for i, s := range r.States {
		required = required || r.Effective[i].Require && !r.Effective[i].NoSelect
		if s != undecided {
			continue
		}
		n++
		satisfied = satisfied || r.Effective[i].Require
	}
	switch {
	case required && !satisfied:
		r.wait("no required source is selectable")
	case n < cfg.MinSources:
		r.wait(fmt.Sprintf("%d of %d needed sources are selectable", n, cfg.MinSources))
	default:
		return true
	}
	return false
}

// wait gives up this time: the candidates left wait for others.
func (r *Result) wait(why string) {
	r.Why = why
	r.replace(undecided, StateWaiting)
}

// replace turns every state from into to.
func (r *Result) replace(from, to State) {
	for i, s := range r.States {
		if s == from {
			r.States[i] = to
		}
	}
}

// choose picks the best of the sources left and those to be combined with it:
// near ones, measured by the nearest, and far ones that are tied to it.
func (r *Result) choose(cfg Config, cands []Candidate, previous int) {
	r.doubtOutsiders(cands)
	preferred := false
	for i, s := range r.States {
		preferred = preferred || s == undecided && r.Effective[i].Prefer
	}
	nearest := r.elevate(cfg, cands, previous, preferred)
	r.nearest = nearest
	limit := time.Duration(cfg.CombineLimit * float64(cands[nearest].Distance))
	for i, s := range r.States {
		switch {
		case s != undecided:
		case preferred && !r.Effective[i].Prefer:
			r.States[i] = StateUnused
		case i == r.Selected:
			r.States[i] = StateSelected
		case limit > 0 && cands[i].ties(cands[nearest], cands[i].Distance < limit):
			r.States[i], r.Tied[i] = StateCombined, true
		case cands[i].Distance < limit:
			r.States[i] = StateCombined
		default:
			r.States[i] = StateOutlier
		}
	}
}

package selection

import (
	"ntsd/internal/clock"
	"ntsd/internal/filter"
)

// Result is the outcome of a selection; its slices run parallel to the
// candidates.
type Result struct {
	Selected  int // index of the selected candidate, -1: none
	States    []State
	Effective []Options // the options after the authentication mode
	Lo, Hi    []clock.Offset
	Score     []float64 // as chronyc selectdata: 1 for the selected one
	Why       string    // why none is selected, in words; empty otherwise
}

// Select decides which candidates tell the time. previous is the index of the
// candidate selected before, -1 for none: it stays selected unless another one
// is better by cfg.ReselectDist.
func Select(cfg Config, now clock.Reading, cands []Candidate, previous int) Result {
	return Result{Selected: -1}
}

// Combine joins the estimates of the selected and combined candidates into
// one, described from its point at the time at. ests and states run parallel
// to the candidates; estimates of other states are not looked at. ok is false
// when no candidate is selected.
func Combine(at clock.Mono, ests []filter.Estimate, states []State) (e filter.Estimate, ok bool) {
	return filter.Estimate{}, false
}

// Mark is the letter of chronyc sources' second column.
func (s State) Mark() byte { return '?' }

// Letter is the letter of chronyc selectdata's first column.
func (s State) Letter() byte { return '?' }

// String says the state in words.
func (s State) String() string { return "" }

// DefaultConfig returns chrony's defaults.
func DefaultConfig() Config { return Config{} }

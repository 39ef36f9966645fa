package selection

import (
	"time"

	"ntsd/internal/clock"
)

// reselectScore is the score at which another source is selected (chrony's).
const reselectScore = 10

// Lead is how much better than the selected source another one has been of late:
// chrony's score. One that is twice as good takes over with its fourth sample,
// one that is as good next to never, however its distance varies between two
// samples. The caller keeps it; the zero value has no lead.
type Lead struct {
	score float64
	at    clock.Mono // of the last sample that counted
}

// Fresh reports whether a sample that arrived at rx has not counted yet.
func (l Lead) Fresh(rx clock.Mono) bool { return rx != l.at }

// Note remembers the score that a selection came to, rx being when the last
// sample that it knew had arrived.
func (l *Lead) Note(score float64, rx clock.Mono) { *l = Lead{score, rx} }

// eligible reports whether a source may be the selected one, preferred being
// whether only preferred ones may.
func (r *Result) eligible(i int, preferred bool) bool {
	return r.States[i] == undecided && (r.Effective[i].Prefer || !preferred)
}

// elevate picks the selected one of the sources left, and returns the one that
// is nearest now. The one selected before stays as long as it may and no other
// has been better by reselectScore.
func (r *Result) elevate(cfg Config, cands []Candidate, previous int, preferred bool) (nearest int) {
	lowest := r.lowestStratum(cands)
	weight := func(i int) time.Duration {
		return cands[i].Distance + time.Duration(cands[i].Stratum-lowest)*cfg.StratumWeight
	}
	nearest = -1
	for i := range cands {
		if r.eligible(i, preferred) && (nearest < 0 || weight(i) < weight(nearest)) {
			nearest = i
		}
	}
	r.Selected = nearest
	if previous < 0 || !r.eligible(previous, preferred) {
		return nearest
	}
	r.Selected = previous
	best := previous
	for i, c := range cands {
		if i == previous || !r.eligible(i, preferred) {
			continue
		}
		r.Score[i] = max(1, c.Lead.score)
		if c.Fresh || cands[previous].Fresh {
			r.Score[i] = max(1, r.Score[i]*float64(weight(previous)+1)/float64(weight(i)+cfg.ReselectDist+1))
		}
		if r.Score[i] > r.Score[best] {
			best = i
		}
	}
	if r.Score[best] > reselectScore {
		r.Selected = best
		for i := range r.Score { // all begin anew
			r.Score[i] = 1
		}
	}
	return nearest
}

func (r *Result) lowestStratum(cands []Candidate) uint8 {
	lowest := uint8(255)
	for i, s := range r.States {
		if s == undecided {
			lowest = min(lowest, cands[i].Stratum)
		}
	}
	return lowest
}

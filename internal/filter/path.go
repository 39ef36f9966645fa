package filter

import (
	"math"
	"slices"
	"time"
)

// path keeps the statistics of the round trip: its minimum, and how far it
// usually lies above.
type path struct {
	recent  [window]float64 // the newest round trips (ns), a ring
	sorted  [window]float64 // the same in order
	n       int             // of all that were added since the start or a change of route
	buckets [minBuckets]float64
	counts  [minBuckets]int

	min  float64 // round trip free of queues (ns)
	seen float64 // round trips behind min
	// fell: the newest made the minimum fall by far more than oldEdge, which edge
	// was before: all the others had queued, or came by a longer route.
	fell    bool
	oldEdge float64
	queue   float64 // mean queue of one direction
	spread  float64 // standard deviation of the error if the excess says nothing
	limit   float64 // configured lower bound
}

// add takes a round trip. It reports whether the minimum has fallen or the
// route has changed, so that earlier excesses are no longer what they were.
func (p *path) add(delay float64) (changed bool) {
	p.replace(delay)
	changed = p.n == 1 || delay < p.min
	if p.n > 0 {
		p.oldEdge = p.edge(1)
		p.fell = p.min-delay > float64(replayFall*2*p.oldEdge)
	}
	if p.counts[0] >= window {
		copy(p.buckets[1:], p.buckets[:minBuckets-1])
		copy(p.counts[1:], p.counts[:minBuckets-1])
		p.counts[0] = 0
	}
	if p.counts[0] == 0 || delay < p.buckets[0] {
		p.buckets[0] = delay
	}
	p.counts[0]++
	p.measure()
	if p.rerouted() {
		p.restart()
		changed = true
		p.fell = false
	}
	return changed
}

// replace puts a round trip in the place of the oldest one.
func (p *path) replace(delay float64) {
	k := min(p.n, window) // in order
	if p.n >= window {
		k--
		i := p.rank(p.recent[p.n%window], window)
		copy(p.sorted[i:k], p.sorted[i+1:])
	}
	i := p.rank(delay, k)
	copy(p.sorted[i+1:k+1], p.sorted[i:k])
	p.sorted[i] = delay
	p.recent[p.n%window] = delay
	p.n++
}

// rank returns how many of the first n in order are smaller than delay.
func (p *path) rank(delay float64, n int) int {
	i, _ := slices.BinarySearch(p.sorted[:n], delay)
	return i
}

// measure derives the statistics from what is kept.
func (p *path) measure() {
	p.min = p.buckets[0]
	n := p.counts[0]
	for i := 1; i < minBuckets && p.counts[i] > 0; i++ {
		p.min = min(p.min, p.buckets[i])
		n += p.counts[i]
	}
	k := min(p.n, window)
	median := p.sorted[k/2] - p.min
	if k < fewDelays {
		// The excess of a few samples says little: assume a part of the delay.
		median = max(median, p.min/guessedQueue)
	}
	p.queue = max(median/medianOfTwo, smallestQueue)
	// Var(e) = Var(delay)/4 whatever the distribution, if both ways are alike.
	// And no normal variable lies so far below its median as a minimum does that
	// was found once the queues were gone.
	p.spread = max((p.sorted[min(k*3/4, k-1)]-p.sorted[k/4])/quartiles/2, p.queue/4, median/lowestNormal/2)
	p.seen = float64(n)
}

// edge returns how far the minimum usually lies above the truth, as an offset
// (half of the round trip), where one direction's queues are lean times the
// other's.
func (p *path) edge(lean float64) float64 {
	// The minimum of n sums of two exponential queues with the means a and b has
	// a Rayleigh distribution of scale sqrt(a*b/n). Where b is tiny, it is an
	// exponential variable of mean a/n.
	scale := p.queue / math.Sqrt(p.seen)
	if lean > 1 {
		scale = float64(busyQueue*p.queue) / min(p.seen, math.Sqrt(float64(lean*p.seen)))
	}
	if p.limit > 0 {
		scale = min(scale, max(0, p.min-p.limit))
	}
	return scale / 2
}

// rerouted reports whether the newest samples all lie so far above the minimum
// that the path must have become longer.
func (p *path) rerouted() bool {
	if p.n < 2*rerouteRun {
		return false
	}
	lo, hi := math.MaxFloat64, 0.0
	for i := p.n - rerouteRun; i < p.n; i++ {
		lo, hi = min(lo, p.recent[i%window]), max(hi, p.recent[i%window])
	}
	above := lo - p.min
	return above > rerouteFactor*(hi-lo) && above > float64(2*rerouteFactor*p.oldQueue())
}

// oldQueue is the mean queue before the newest rerouteRun samples.
func (p *path) oldQueue() float64 {
	var sorted [window]float64
	k := 0
	for i := max(p.n-window, 0); i < p.n-rerouteRun; i++ {
		sorted[k] = p.recent[i%window] - p.min
		k++
	}
	if k == 0 {
		return p.queue
	}
	slices.Sort(sorted[:k])
	return sorted[k/2] / medianOfTwo
}

// restart keeps only the newest rerouteRun samples.
func (p *path) restart() {
	var keep [rerouteRun]float64
	for i := range keep {
		keep[i] = p.recent[(p.n-rerouteRun+i)%window]
	}
	*p = path{limit: p.limit}
	for _, d := range keep {
		p.add(d)
	}
}

// minDelay returns the round trip believed to be free of queues.
func (p *path) minDelay() time.Duration { return time.Duration(math.Round(p.min)) }

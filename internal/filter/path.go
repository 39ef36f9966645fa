package filter

import (
	"math"
	"slices"
)

// path keeps the statistics of the round trip: its minimum, and how far it
// usually lies above.
type path struct {
	recent  [window]int64 // the newest round trips (ns), a ring
	sorted  [window]int64 // the same in order
	n       int           // of all that were added since the start or a change of route
	buckets [minBuckets]int64
	counts  [minBuckets]int

	min int64 // round trip free of queues (ns)
	// fell: the newest made the minimum fall by far more than oldEdge, which edge
	// was before: all the others had queued, or came by a longer route.
	fell    bool
	oldEdge float64
	limit   int64   // configured lower bound
	queue   float64 // mean queue of one direction
	// perQueue is 1/queue, and perRoot 1/sqrt(n) of the n round trips behind min.
	perQueue, perRoot float64
	spread            float64 // standard deviation of the error if the excess says nothing
}

// add takes a round trip. It reports whether the minimum has fallen or the
// route has changed, so that earlier excesses are no longer what they were.
func (p *path) add(delay int64) (changed bool) {
	delay = min(delay, longestDelay)
	p.replace(delay)
	changed = p.n == 1 || delay < p.min
	p.fell = false
	if changed {
		p.oldEdge = p.edge(&shapes[0])
		p.fell = less(mul(2*replayFall, p.oldEdge), fromInt(p.min-delay))
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
	}
	return changed
}

// replace puts a round trip in the place of the oldest one.
func (p *path) replace(delay int64) {
	k := min(p.n, window) // in order
	from := k             // the place that is given up
	if p.n >= window {
		from = p.rank(p.recent[p.n%window], k)
	}
	to := p.rank(delay, k)
	if to > from {
		to--
		copy(p.sorted[from:to], p.sorted[from+1:])
	} else {
		copy(p.sorted[to+1:from+1], p.sorted[to:])
	}
	p.sorted[to] = delay
	p.recent[p.n%window] = delay
	p.n++
}

// rank returns how many of the first n in order are smaller than delay.
func (p *path) rank(delay int64, n int) int {
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
	p.queue = greater(mul(1/medianOfTwo, fromInt(median)), smallestQueue)
	p.perQueue = recip(p.queue)
	p.perRoot = rsqrt(fromInt(int64(n)))
	// Var(e) = Var(delay)/4 whatever the distribution, if both ways are alike.
	// And no normal variable lies so far below its median as a minimum does that
	// was found once the queues were gone.
	p.spread = mul(1/quartiles/2, fromInt(p.sorted[min(k*3/4, k-1)]-p.sorted[k/4]))
	p.spread = greater(greater(p.spread, mul(0.25, p.queue)), mul(1/lowestNormal/2, fromInt(median)))
}

// edge returns how far the minimum usually lies above the truth, as an offset
// (half of the round trip), where the queues divide as the shape says.
func (p *path) edge(s *shape) float64 {
	// The minimum of n sums of two exponential queues with the means a and b has
	// a Rayleigh distribution of scale sqrt(a*b/n). Where b is tiny, it is an
	// exponential variable of mean a/n.
	scale := mul(p.queue, p.perRoot)
	if s.kind == leaning {
		scale = mul(mul(busyQueue, scale), greater(p.perRoot, s.perRoot))
	}
	if p.limit > 0 {
		scale = lesser(scale, fromInt(max(0, p.min-p.limit)))
	}
	return mul(0.5, scale)
}

// rerouted reports whether the newest samples all lie so far above the minimum
// that the path must have become longer.
func (p *path) rerouted() bool {
	if p.n < 2*rerouteRun {
		return false
	}
	lo, hi := int64(math.MaxInt64), int64(0)
	for i := p.n - 1; i >= p.n-rerouteRun; i-- {
		lo, hi = min(lo, p.recent[i%window]), max(hi, p.recent[i%window])
		if lo-p.min <= rerouteFactor*(hi-lo) {
			return false // more samples can only widen their range
		}
	}
	return lo-p.min > 2*rerouteFactor*p.oldQueue()
}

// oldQueue is the mean queue before the newest rerouteRun samples.
func (p *path) oldQueue() int64 {
	var sorted [window]int64
	k := 0
	for i := max(p.n-window, 0); i < p.n-rerouteRun; i++ {
		sorted[k] = p.recent[i%window]
		k++
	}
	slices.Sort(sorted[:k])
	return int64(float64(sorted[k/2]-p.min) / medianOfTwo)
}

// restart keeps only the newest rerouteRun samples.
func (p *path) restart() {
	var keep [rerouteRun]int64
	for i := range keep {
		keep[i] = p.recent[(p.n-rerouteRun+i)%window]
	}
	*p = path{limit: p.limit}
	for _, d := range keep {
		p.add(d)
	}
}

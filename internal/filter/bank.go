package filter

import (
	"math"
	"math/bits"
)

// wanderSquares are the hypotheses about the oscillator: the square of what its
// rate wanders in one second ((ns/s)^2), in half decades from 3e-10 to 3e-7.
var wanderSquares = [...]float64{0.09, 0.9, 9, 90, 900, 9000, 90000}

var wanderPriors = [...]float64{0.25, 0.25, 0.25, 0.15, 0.06, 0.03, 0.01}

// size is the number of hypotheses: every shape with every wander.
const size = len(shapes) * len(wanderSquares)

// set is a set of members by their numbers.
type set uint64

const everybody set = 1<<size - 1

func (s set) has(n int) bool { return s&(1<<n) != 0 }

// each yields every number in the set.
func (s set) each(yield func(n int) bool) {
	for ; s != 0; s &= s - 1 {
		if !yield(bits.TrailingZeros64(uint64(s))) {
			return
		}
	}
}

// bank holds one member per hypothesis; number n has the shape n%len(shapes)
// and the wander n/len(shapes). Those whose weight has become negligible rest:
// they cost nothing, and every few samples each has its turn to show that its
// time has come.
type bank struct {
	members [size]member
	awake   set // the others rest
	heavy   set // those that count for the estimate
	lead    int // the one of the largest weight
	// unlikely: the last sample was.
	unlikely bool
	calm     int // samples since one of the resting was called
	turn     int // of the resting
	// all is the whole bank's belief as one Gaussian, of weight 1, and wander the
	// mean of the squares of its wanders.
	all    member
	wander float64
}

// start gives every member the same belief: phase 0.
func (b *bank) start(phaseSD, rate, rateSD float64) {
	b.awake = everybody
	for n := range b.members {
		w := shapes[n%len(shapes)].prior * wanderPriors[n/len(shapes)]
		b.members[n] = member{f: rate, pxx: float64(phaseSD * phaseSD), pff: float64(rateSD * rateSD), w: w}
	}
	b.normalise(1)
	b.blend()
}

// predict carries all beliefs dt seconds on; all calls up whoever rests, too.
func (b *bank) predict(dt float64, all bool) {
	b.call(all)
	s := newSpan(dt)
	for n := range b.awake.each {
		b.members[n].predict(&s, wanderSquares[n/len(shapes)])
	}
	b.all.predict(&s, b.wander)
}

// observe lets every member learn from a sample and weighs them anew. It
// reports whether the sample was one that the bank can believe.
func (b *bank) observe(z float64, p *path, excess, floor float64) bool {
	// What obeys no model may lie anywhere within a wide span: far wider than
	// what the bank foretells, or a vague forecast would make outliers of all.
	broad := add(add(excess, floor), add(mul(outlierQueues, p.queue), mul(outlierSDs, sqrt(b.all.pxx))))
	broad = mul(outlierShare, recip(broad))
	doubtful, hopeless := mul(outlierTrust/(1-outlierTrust), broad), mul(hopelessTrust, broad)
	var obeyed, total float64
	var likely [len(shapes)]likelihood
	var known set
	for n := range b.awake.each {
		i := n % len(shapes)
		if !known.has(i) {
			likely[i] = newLikelihood(&shapes[i], p, excess, floor)
			known |= 1 << i
		}
		m := &b.members[n]
		before := *m
		evidence := m.observe(z, &likely[i])
		sum := add(evidence, broad)
		switch {
		case !less(evidence, doubtful):
		case less(evidence, hopeless):
			*m = before
		default:
			m.soften(&before, mul(evidence, recip(sum)))
		}
		obeyed = add(obeyed, mul(m.w, evidence))
		m.w = mul(m.w, sum)
		total = add(total, m.w)
	}
	b.unlikely = less(obeyed, mul(unlikely, likely[b.lead%len(shapes)].density))
	b.normalise(total)
	b.blend()
	return less(mul(0.5, total), obeyed)
}

// normalise divides weights of the given sum into those that count, which add
// up to 1 then, those that are only watched, and those that rest from now on.
func (b *bank) normalise(total float64) {
	rest, watch := mul(restShare, total), mul(watchShare, total)
	b.heavy = 0
	var kept, most float64
	for n := range b.awake.each {
		w := b.members[n].w
		switch {
		case less(w, rest):
			b.awake &^= 1 << n
		case !less(w, watch):
			b.heavy |= 1 << n
			kept = add(kept, w)
			if less(most, w) {
				b.lead, most = n, w
			}
		}
	}
	scale := recip(kept)
	for n := range b.awake.each {
		b.members[n].w = mul(b.members[n].w, scale)
	}
}

// call wakes resting members: all of them when something has happened that
// those awake did not expect; those that share the leading one's shape or its
// wander when the last sample was unlikely; otherwise, now and then, one of all
// in its turn.
func (b *bank) call(all bool) {
	switch {
	case all || b.unlikely:
		for n := range size {
			if all || n%len(shapes) == b.lead%len(shapes) || n/len(shapes) == b.lead/len(shapes) {
				b.wake(n)
			}
		}
	case b.calm < callEvery:
		b.calm++
	default:
		b.calm = 1
		b.turn = (b.turn + 1) % size
		for b.awake.has(b.turn) && b.awake != everybody {
			b.turn = (b.turn + 1) % size
		}
		b.wake(b.turn)
	}
}

// wake calls a member that rests. It takes over the bank's common belief: a
// hypothesis that was wrong for long starts afresh when its time comes.
func (b *bank) wake(n int) {
	if b.awake.has(n) {
		return
	}
	b.awake |= 1 << n
	b.members[n] = b.all
	b.members[n].w = callShare
}

// blend works out what the bank believes: the members that count.
func (b *bank) blend() {
	all := member{w: 1}
	for n := range b.heavy.each {
		m := &b.members[n]
		all.x = add(all.x, mul(m.w, m.x))
		all.f = add(all.f, mul(m.w, m.f))
	}
	b.wander = 0
	for n := range b.heavy.each {
		m := &b.members[n]
		dx, df := sub(m.x, all.x), sub(m.f, all.f)
		all.pxx = add(all.pxx, mul(m.w, add(m.pxx, mul(dx, dx))))
		all.pxf = add(all.pxf, mul(m.w, add(m.pxf, mul(dx, df))))
		all.pff = add(all.pff, mul(m.w, add(m.pff, mul(df, df))))
		b.wander = add(b.wander, mul(m.w, wanderSquares[n/len(shapes)]))
	}
	b.all = all
}

// mean returns the phase and rate of the whole bank, dt seconds on.
func (b *bank) mean(dt float64) (x, f float64) { return add(b.all.x, mul(b.all.f, dt)), b.all.f }

// variance returns the variance of phase and rate round mean.
func (b *bank) variance(dt float64) (vx, vf float64) {
	s := newSpan(dt)
	return add(b.all.pxx, b.all.growth(&s, b.wander)), add(b.all.pff, mul(b.wander, math.Abs(dt)))
}

// shift moves every phase by d.
func (b *bank) shift(d float64) {
	b.all.x = add(b.all.x, d)
	for n := range b.awake.each {
		b.members[n].x = add(b.members[n].x, d)
	}
}

// noise returns the usual error of a sample (ns), by what the bank believes
// about the path.
func (b *bank) noise(p *path) float64 {
	var sum float64
	for n := range b.heavy.each {
		sum = add(sum, mul(b.members[n].w, shapes[n%len(shapes)].noise(p)))
	}
	return sum
}

// losing returns how probable it is that the phase's variance grows by more
// than bound in dt seconds.
func (b *bank) losing(dt, bound float64) float64 {
	var p float64
	s := newSpan(dt)
	for n := range b.heavy.each {
		m := &b.members[n]
		if less(bound, m.growth(&s, wanderSquares[n/len(shapes)])) {
			p = add(p, m.w)
		}
	}
	return p
}

// sampleError returns the mean of a sample's error (ns) and its variance, under
// the likeliest shape: a mixture would be as wide as its widest part, however
// little that weighs.
func (b *bank) sampleError(p *path, excess, floor float64) (mean, variance float64) {
	var weights [len(shapes)]float64
	best := 0
	for n := range b.awake.each {
		i := n % len(shapes)
		weights[i] = add(weights[i], b.members[n].w)
		if less(weights[best], weights[i]) {
			best = i
		}
	}
	l := newLikelihood(&shapes[best], p, excess, floor)
	return l.moments()
}

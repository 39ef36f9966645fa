package filter

import (
	"math"
	"math/bits"
)

// shapes are the hypotheses about a path. Most are alike both ways.
var shapes = [...]shape{
	{lean: 1, prior: 0.5},
	{lean: 10, side: 1, prior: 0.1},
	{lean: 10, side: -1, prior: 0.1},
	{lean: 100, side: 1, prior: 0.05},
	{lean: 100, side: -1, prior: 0.05},
	{lean: 0, prior: 0.2},
}

// wanderSquares are the hypotheses about the oscillator: the square of what its
// rate wanders in one second ((ns/s)^2), in half decades from 3e-10 to 3e-7.
var wanderSquares = [...]float64{0.09, 0.9, 9, 90, 900, 9000, 90000}

var wanderPriors = [...]float64{0.25, 0.25, 0.25, 0.15, 0.06, 0.03, 0.01}

// size is the number of hypotheses: every shape with every wander.
const size = len(shapes) * len(wanderSquares)

// bank holds one member per hypothesis; number n has the shape n%len(shapes)
// and the wander n/len(shapes). Those whose weight has become negligible rest:
// they cost nothing, and every few samples each has its turn to show that its
// time has come.
type bank struct {
	members [size]member
	up      uint64 // bit n: member n is awake
	turn    int    // of the resting
	// all is the whole bank's belief as one Gaussian, of weight 1, and wander the
	// mean of the squares of its wanders.
	all    member
	wander float64
}

// start gives every member the same belief: phase 0.
func (b *bank) start(phaseSD, rate, rateSD float64) {
	b.up = 1<<size - 1
	for n := range b.members {
		w := shapes[n%len(shapes)].prior * wanderPriors[n/len(shapes)]
		b.members[n] = member{f: rate, pxx: float64(phaseSD * phaseSD), pff: float64(rateSD * rateSD), w: w}
	}
	b.blend()
}

// awake yields the number of every member that does not rest.
func (b *bank) awake(yield func(n int) bool) {
	for up := b.up; up != 0; up &= up - 1 {
		if !yield(bits.TrailingZeros64(up)) {
			return
		}
	}
}

// rouse calls up all that rest: something has happened that those awake did not
// expect.
func (b *bank) rouse() {
	for n := range b.members {
		if b.up&(1<<n) == 0 {
			b.members[n] = b.all
			b.members[n].w = 0
		}
	}
	b.up = 1<<size - 1
}

// predict carries all beliefs dt seconds on, after a share of the weights has
// moved.
func (b *bank) predict(dt float64) {
	b.mix()
	for n := range b.awake {
		b.members[n].predict(dt, wanderSquares[n/len(shapes)])
	}
	b.all.predict(dt, b.wander)
}

// observe lets every member learn from a sample and weighs them anew. It
// reports whether the sample was one that the bank can believe.
func (b *bank) observe(z float64, p *path, excess, floor float64) bool {
	// What obeys no model may lie anywhere within a wide span: far wider than
	// what the bank foretells, or a vague forecast would make outliers of all.
	foretold, _ := b.variance(0)
	broad := outlierShare / (excess + float64(outlierQueues*p.queue) + floor + float64(outlierSDs*math.Sqrt(foretold)))
	var obeyed, total float64
	var known [len(shapes)]bool
	var likely [len(shapes)]likelihood
	for n := range b.awake {
		i := n % len(shapes)
		if !known[i] {
			likely[i], known[i] = newLikelihood(shapes[i], p, excess, floor), true
		}
		m := &b.members[n]
		before := *m
		evidence := m.observe(z, &likely[i])
		sum := evidence + broad
		trust := evidence / sum
		if trust < outlierTrust {
			m.soften(&before, trust)
		}
		m.w = float64(m.w * sum)
		total += m.w
		obeyed += float64(m.w * trust)
	}
	b.normalise(total)
	b.blend()
	return obeyed/total > 0.5
}

// normalise makes weights of the given sum add up to 1, and puts to rest those
// that hardly count.
func (b *bank) normalise(total float64) {
	kept := total
	least := float64(restShare * total)
	for n := range b.awake {
		if w := b.members[n].w; w < least {
			kept -= w
			b.members[n].w = 0
			b.up &^= 1 << n
		}
	}
	scale := 1 / kept
	for n := range b.awake {
		b.members[n].w = float64(b.members[n].w * scale)
	}
}

// mix lets a share of the weights move: the path or the oscillator may have
// changed its nature. What moves takes the bank's common belief along, so that
// a hypothesis that was wrong for long starts afresh when its time comes.
func (b *bank) mix() {
	all := b.all
	inflow := changeShare / float64(size)
	resting := size - bits.OnesCount64(b.up)
	for n := range b.awake {
		m := &b.members[n]
		stay := float64((1 - changeShare) * m.w)
		m.w = stay + inflow
		if trust := stay / m.w; trust < mixTrust {
			m.soften(&all, trust)
		}
	}
	// The share of all that rest goes to those whose turn it is.
	called := min(calls, resting)
	if called == 0 {
		return
	}
	all.w = float64(inflow * float64(resting) / float64(called))
	for called > 0 {
		b.turn = (b.turn + 1) % size
		if b.up&(1<<b.turn) == 0 {
			b.members[b.turn] = all
			b.up |= 1 << b.turn
			called--
		}
	}
}

// blend works out what the whole bank believes.
func (b *bank) blend() {
	all := member{w: 1}
	for n := range b.awake {
		m := &b.members[n]
		all.x += float64(m.w * m.x)
		all.f += float64(m.w * m.f)
	}
	b.wander = 0
	for n := range b.awake {
		m := &b.members[n]
		dx, df := m.x-all.x, m.f-all.f
		all.pxx += float64(m.w * (m.pxx + float64(dx*dx)))
		all.pxf += float64(m.w * (m.pxf + float64(dx*df)))
		all.pff += float64(m.w * (m.pff + float64(df*df)))
		b.wander += float64(m.w * wanderSquares[n/len(shapes)])
	}
	b.all = all
}

// mean returns the phase and rate of the whole bank, dt seconds on.
func (b *bank) mean(dt float64) (x, f float64) { return b.all.x + float64(b.all.f*dt), b.all.f }

// variance returns the variance of phase and rate round mean.
func (b *bank) variance(dt float64) (vx, vf float64) {
	return b.all.varianceAfter(dt, b.wander), b.all.pff + float64(b.wander*math.Abs(dt))
}

// shift moves every phase by d.
func (b *bank) shift(d float64) {
	b.all.x += d
	for n := range b.awake {
		b.members[n].x += d
	}
}

// noise returns the usual error of a sample (ns), by what the bank believes
// about the path.
func (b *bank) noise(p *path) float64 {
	var sum float64
	for n := range b.awake {
		sum += float64(b.members[n].w * shapes[n%len(shapes)].noise(p))
	}
	return sum
}

// losing returns how probable it is that the phase's variance grows by more
// than bound in dt seconds.
func (b *bank) losing(dt, bound float64) float64 {
	var p float64
	for n := range b.awake {
		m, q := &b.members[n], wanderSquares[n/len(shapes)]
		if m.varianceAfter(dt, q)-m.pxx > bound {
			p += m.w
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
	for n := range b.awake {
		i := n % len(shapes)
		weights[i] += b.members[n].w
		if weights[i] > weights[best] {
			best = i
		}
	}
	l := newLikelihood(shapes[best], p, excess, floor)
	return l.mean, l.noise
}

package filter

import "math"

// shapes are the hypotheses about a path. Most are alike both ways.
var shapes = [...]shape{
	{lean: 1},
	{lean: 10, side: 1},
	{lean: 10, side: -1},
	{lean: 100, side: 1},
	{lean: 100, side: -1},
	{lean: 0},
}

// bank holds one member per pair of shape and wander.
type bank [len(shapes)][wanders]member

// wander returns the square of the j-th hypothesis' wander.
func wander(j int) float64 {
	q := firstWander
	for range j {
		q *= wanderStep
	}
	return q
}

// start gives every member the same belief: phase 0.
func (b *bank) start(phaseSD, rate, rateSD float64) {
	for i := range b {
		for j := range b[i] {
			b[i][j] = member{f: rate, pxx: float64(phaseSD * phaseSD), pff: float64(rateSD * rateSD), w: 1 / float64(len(shapes)*wanders)}
		}
	}
}

func (b *bank) predict(dt float64) {
	for i := range b {
		for j := range b[i] {
			b[i][j].predict(dt, wander(j))
		}
	}
}

// observe lets every member learn from a sample and weighs them anew. It
// reports whether the sample was one that the bank can believe.
func (b *bank) observe(z float64, p *path, excess, floor float64) bool {
	b.mix()
	// What obeys no model may lie anywhere within a wide span: far wider than
	// what the bank foretells, or a vague forecast would make outliers of all.
	foretold, _ := b.variance(0)
	broad := outlierShare / (excess + float64(outlierQueues*p.queue) + floor + float64(outlierSDs*math.Sqrt(foretold)))
	var obeyed, total float64
	for i := range b {
		l := newLikelihood(shapes[i], p, excess, floor)
		for j := range b[i] {
			m := &b[i][j]
			before := *m
			evidence := m.observe(z, &l)
			sum := evidence + broad
			trust := evidence / sum
			if trust < outlierTrust {
				m.soften(&before, trust)
			}
			m.w = float64(m.w * sum)
			total += m.w
			obeyed += float64(m.w * trust)
		}
	}
	for i := range b {
		for j := range b[i] {
			b[i][j].w /= total
		}
	}
	return obeyed/total > 0.5
}

// mix lets a share of the weights move: the path or the oscillator may have
// changed its nature. What moves takes the bank's common belief along, so that
// a hypothesis that was wrong for long starts afresh when its time comes.
func (b *bank) mix() {
	all := b.blend()
	inflow := changeShare / float64(len(shapes)*wanders)
	for i := range b {
		for j := range b[i] {
			m := &b[i][j]
			stay := float64((1 - changeShare) * m.w)
			m.w = stay + inflow
			if trust := stay / m.w; trust < mixTrust {
				m.soften(&all, trust)
			}
		}
	}
}

// blend returns the whole bank's belief as one Gaussian of weight 1.
func (b *bank) blend() member {
	var all member
	all.x, all.f = b.mean(0)
	all.w = 1
	for i := range b {
		for j := range b[i] {
			m := &b[i][j]
			dx, df := m.x-all.x, m.f-all.f
			all.pxx += float64(m.w * (m.pxx + float64(dx*dx)))
			all.pxf += float64(m.w * (m.pxf + float64(dx*df)))
			all.pff += float64(m.w * (m.pff + float64(df*df)))
		}
	}
	return all
}

// mean returns the phase and rate of the whole bank, dt seconds on.
func (b *bank) mean(dt float64) (x, f float64) {
	for i := range b {
		for j := range b[i] {
			m := &b[i][j]
			x += float64(m.w * (m.x + float64(m.f*dt)))
			f += float64(m.w * m.f)
		}
	}
	return x, f
}

// variance returns the variance of phase and rate round mean.
func (b *bank) variance(dt float64) (vx, vf float64) {
	x, f := b.mean(dt)
	for i := range b {
		for j := range b[i] {
			m := &b[i][j]
			dx, df := m.x+float64(m.f*dt)-x, m.f-f
			vx += float64(m.w * (m.varianceAfter(dt, wander(j)) + float64(dx*dx)))
			vf += float64(m.w * (m.pff + float64(wander(j)*math.Abs(dt)) + float64(df*df)))
		}
	}
	return vx, vf
}

// shift moves every phase by d.
func (b *bank) shift(d float64) {
	for i := range b {
		for j := range b[i] {
			b[i][j].x += d
		}
	}
}

// wander returns the bank's belief about the square of the wander.
func (b *bank) wander() float64 {
	var q float64
	for i := range b {
		for j := range b[i] {
			q += float64(b[i][j].w * wander(j))
		}
	}
	return q
}

// noise returns the usual error of a sample (ns), by what the bank believes
// about the path.
func (b *bank) noise(p *path) float64 {
	var sum float64
	for i := range b {
		n := shapes[i].noise(p)
		for j := range b[i] {
			sum += float64(b[i][j].w * n)
		}
	}
	return sum
}

// losing returns how probable it is that the phase's variance grows by more
// than bound in dt seconds.
func (b *bank) losing(dt, bound float64) float64 {
	var p float64
	for i := range b {
		for j := range b[i] {
			m := &b[i][j]
			if m.varianceAfter(dt, wander(j))-m.pxx > bound {
				p += m.w
			}
		}
	}
	return p
}

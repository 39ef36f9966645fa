package filter

import "math"

// member is one filter of the bank: a Gaussian belief about the server's phase
// and rate, under one hypothesis about the wander and the shape of the errors.
// Phases are nanoseconds relative to the filter's base line, times seconds.
type member struct {
	x, f          float64 // phase (ns), rate (ns/s)
	pxx, pxf, pff float64 // their covariance
	w             float64 // weight: how well it foretold the samples
}

// span is a stretch of t seconds, with what all members need of it.
type span struct{ t, half2, third3 float64 } // t, t^2/2, t^3/3

func newSpan(t float64) span {
	square := mul(t, t)
	return span{t: t, half2: mul(0.5, square), third3: mul(mul(1.0/3, t), square)}
}

// predict carries the belief on over a span, with a rate that wanders by
// sqrt(q) ns/s in one second.
func (m *member) predict(s *span, q float64) {
	m.x = add(m.x, mul(m.f, s.t))
	pxf := add(m.pxf, mul(m.pff, s.t))
	m.pxx = add(m.pxx, add(mul(s.t, add(m.pxf, pxf)), mul(q, s.third3)))
	m.pxf = add(pxf, mul(q, s.half2))
	m.pff = add(m.pff, mul(q, s.t))
}

// growth returns what the variance of the phase gains over a span.
func (m *member) growth(s *span, q float64) float64 {
	pxf := add(m.pxf, mul(m.pff, s.t))
	return add(mul(s.t, add(m.pxf, pxf)), mul(q, s.third3))
}

// observe takes a sample at phase z into the belief and returns how likely
// the sample was. The posterior of a Gaussian prior and a blurred likelihood
// has a closed form; it is replaced by the Gaussian of its mean and variance.
func (m *member) observe(z float64, l *likelihood) float64 {
	total := add(m.pxx, l.blur)
	switch {
	case l.kind == gauss || less(l.vague, total):
		mean, noise := l.moments()
		return m.observeGauss(sub(z, mean), noise)
	case l.kind == leaning:
		return m.observeLeaning(z, l, total)
	}
	return m.observeEven(z, l, total)
}

// learn changes the belief by the first two derivatives of log Z by the
// prior's phase, where Z is how likely the sample was: its slope, and how
// sharply it bends down. The rate follows as far as it is correlated.
func (m *member) learn(slope, bend float64) {
	m.x = add(m.x, mul(m.pxx, slope))
	m.f = add(m.f, mul(m.pxf, slope))
	keep := sub(1, mul(m.pxx, bend))
	m.pff = sub(m.pff, mul(m.pxf, mul(m.pxf, bend)))
	m.pxf = mul(m.pxf, keep)
	m.pxx = mul(m.pxx, keep)
}

// observeGauss is observe for an error of normal distribution: Kalman's own.
func (m *member) observeGauss(z, noise float64) float64 {
	total := add(m.pxx, noise)
	root := rsqrt(total)
	bend := mul(root, root)
	if less(mul(wide, noise), m.pxx) {
		bend = 1 / total // all digits are needed: 1 - pxx*bend is next to nothing
	}
	miss := sub(z, m.x)
	slope := mul(miss, bend)
	evidence := mul(expNeg(mul(-0.5, mul(miss, slope))), mul(root, 1/rootTwoPi))
	m.learn(slope, bend)
	return evidence
}

// observeEven is observe for an error that is uniform between blurred bounds:
// Z is the chance that the blurred prior gives the interval.
func (m *member) observeEven(z float64, l *likelihood, total float64) float64 {
	miss := sub(z, m.x)
	root := rsqrt(total)
	side := math.Copysign(root, miss)
	miss = math.Abs(miss)
	near, far := mul(sub(miss, l.half), root), mul(add(miss, l.half), root)
	switch {
	case less(near, -priorReach): // well within the bounds: nothing to learn
		return l.density
	case less(priorReach, near):
		return 0
	}
	nearAt, chance := normal(near)
	slope, second := nearAt, mul(near, nearAt)
	if less(far, priorReach+1) {
		farAt, farAbove := normal(far)
		slope, second, chance = sub(slope, farAt), sub(second, mul(far, farAt)), sub(chance, farAbove)
	}
	scale := recip(chance)
	slope = mul(slope, scale)
	bend := bounded(sub(mul(slope, slope), mul(second, scale)))
	m.learn(mul(side, slope), mul(bend, mul(root, root)))
	return mul(chance, l.density)
}

// observeLeaning is observe for an error that falls off exponentially from one
// blurred bound to the other.
func (m *member) observeLeaning(z float64, l *likelihood, total float64) float64 {
	miss := mul(l.side, sub(z, m.x))
	root := rsqrt(total)
	// The end it leans to, and the other.
	near, far := mul(sub(miss, l.half), root), mul(add(miss, l.half), root)
	if less(priorReach, near) || less(far, -priorReach) {
		return 0
	}
	steep := mul(l.decay, mul(total, root))
	tiltedNear, tiltedFar := add(near, steep), add(far, steep)
	fall := mul(steep, add(near, mul(0.5, steep)))
	if less(tiltedNear, -priorReach) && less(priorReach, tiltedFar) {
		// Well within the bounds there is nothing but the slope.
		slope := mul(-l.side, l.decay)
		m.x = add(m.x, mul(m.pxx, slope))
		m.f = add(m.f, mul(m.pxf, slope))
		return mul(l.density, expNeg(fall))
	}
	// Each bound contributes exp(fall)*P(X > u), written with the density at the
	// bound and Mills' ratio where exp(fall) alone might overflow.
	nearAt, farAt := phi(near), mul(l.last, phi(far))
	chance := sub(tilted(tiltedNear, nearAt, fall), tilted(tiltedFar, farAt, fall))
	if !less(leastChance, chance) {
		return 0
	}
	scale := recip(chance)
	first := mul(sub(nearAt, farAt), scale)
	second := mul(sub(mul(near, nearAt), mul(far, farAt)), scale)
	bend := bounded(sub(mul(first, sub(first, steep)), second))
	m.learn(mul(mul(l.side, root), sub(first, steep)), mul(bend, mul(root, root)))
	return mul(l.density, chance)
}

// tilted returns exp(fall)*P(X > u), where at is exp(fall) times the density
// at u.
func tilted(u, at, fall float64) float64 {
	if less(u, 0) {
		return sub(expNeg(fall), mul(at, mills(-u)))
	}
	return mul(at, mills(u))
}

// bounded keeps what rounding may have pushed out of (0, 1).
func bounded(bend float64) float64 {
	switch {
	case less(bend, 0):
		return 0
	case less(sharpest, bend):
		return sharpest
	}
	return bend
}

// soften mixes the belief, with the weight trust, with another one.
func (m *member) soften(other *member, trust float64) {
	mix := func(mine, theirs, spread float64) float64 {
		return add(theirs, mul(trust, add(sub(mine, theirs), spread)))
	}
	dx, df := sub(m.x, other.x), sub(m.f, other.f)
	rest := sub(1, trust)
	restX, restF := mul(rest, dx), mul(rest, df)
	m.pxx = mix(m.pxx, other.pxx, mul(restX, dx))
	m.pxf = mix(m.pxf, other.pxf, mul(restX, df))
	m.pff = mix(m.pff, other.pff, mul(restF, df))
	m.x, m.f = add(other.x, mul(trust, dx)), add(other.f, mul(trust, df))
}

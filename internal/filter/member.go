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

// predict carries the belief dt seconds on, with a rate that wanders by
// sqrt(q) ns/s in one second.
func (m *member) predict(dt, q float64) {
	m.x += float64(m.f * dt)
	qt := float64(q * dt)
	qtt := float64(qt * dt)
	m.pxx += float64(2*m.pxf*dt) + float64(float64(m.pff*dt)*dt) + float64(qtt*dt)/3
	m.pxf += float64(m.pff*dt) + qtt/2
	m.pff += qt
}

// varianceAfter returns the variance of the phase dt seconds on.
func (m *member) varianceAfter(dt, q float64) float64 {
	return m.pxx + float64(2*m.pxf*dt) + float64(float64(m.pff*dt)*dt) + float64(q*float64(dt*float64(dt*dt)))/3
}

// learn replaces the belief about the phase by one of the given mean and
// variance and lets the rate follow, as far as it is correlated.
func (m *member) learn(mean, variance float64) {
	gain := m.pxf / m.pxx
	shrink := variance / m.pxx
	m.f += float64(gain * (mean - m.x))
	m.x = mean
	m.pff -= float64(float64(gain*m.pxf) * (1 - shrink))
	m.pxf = float64(m.pxf * shrink)
	m.pxx = variance
}

// observe takes a sample at phase z into the belief and returns how likely
// the sample was. The posterior of a Gaussian prior and a blurred likelihood
// has a closed form; it is replaced by the Gaussian of its mean and variance.
func (m *member) observe(z float64, l *likelihood) float64 {
	total := m.pxx + l.blur
	switch {
	case l.kind == gauss || total > l.vague:
		return m.observeGauss(z-l.mean, l.noise)
	case l.kind == leaning:
		return m.observeLeaning(z, l, total)
	}
	return m.observeEven(z, l, total)
}

// observeGauss is observe for an error of normal distribution: Kalman's own.
func (m *member) observeGauss(z, noise float64) float64 {
	total := m.pxx + noise
	miss := z - m.x
	evidence := expNeg(float64(-0.5*miss)*miss/total) / float64(rootTwoPi*math.Sqrt(total))
	m.learn(m.x+float64(m.pxx/total*miss), float64(m.pxx/total*noise))
	return evidence
}

// observeEven is observe for an error that is uniform between blurred bounds.
// With Z the chance that the blurred prior gives the interval, the posterior's
// mean and variance follow from the derivatives of log Z by the prior's mean.
func (m *member) observeEven(z float64, l *likelihood, total float64) float64 {
	side, miss := 1.0, z-m.x
	if miss < 0 {
		side, miss = -1, -miss
	}
	sd := math.Sqrt(total)
	near, far := (miss-l.half)/sd, (miss+l.half)/sd
	if near > priorReach {
		return 0
	}
	nearAt, nearAbove := normal(near)
	var farAt, farAbove float64
	if far < priorReach+1 {
		farAt, farAbove = normal(far)
	}
	chance := nearAbove - farAbove
	first := (nearAt - farAt) / chance
	second := (float64(near*nearAt) - float64(far*farAt)) / chance
	gain := m.pxx / sd
	m.learnBounded(m.x+float64(side*float64(gain*first)),
		m.pxx+float64(float64(gain*gain)*(second-float64(first*first))), l)
	return chance / (2 * l.half)
}

// observeLeaning is observe for an error that falls off exponentially from one
// blurred bound to the other.
func (m *member) observeLeaning(z float64, l *likelihood, total float64) float64 {
	miss := float64(l.side * (z - m.x))
	sd := math.Sqrt(total)
	near, far := (miss-l.half)/sd, (miss+l.half)/sd // the end it leans to, and the other
	if near > priorReach || far < -priorReach {
		return 0
	}
	steep := float64(l.decay * sd)
	// Each bound contributes exp(fall)*P(X > u), written with the density at the
	// bound and Mills' ratio where exp(fall) alone might overflow.
	fall := float64(steep * (near + steep/2))
	nearAt := expNeg(float64(float64(-0.5*near)*near)) / rootTwoPi
	farAt := float64(l.last*expNeg(float64(float64(-0.5*far)*far))) / rootTwoPi
	chance := tilted(near+steep, nearAt, fall) - tilted(far+steep, farAt, fall)
	if !(chance > leastChance) {
		return 0
	}
	first := (nearAt - farAt) / chance
	second := (float64(near*nearAt) - float64(far*farAt)) / chance
	gain := m.pxx / sd
	m.learnBounded(m.x+float64(l.side*float64(gain*(first-steep))),
		m.pxx+float64(float64(gain*gain)*(float64(first*(steep-first))+second)), l)
	return float64(l.decay*chance) / (1 - l.last)
}

// tilted returns exp(fall)*P(X > u), where at is exp(fall) times the density
// at u.
func tilted(u, at, fall float64) float64 {
	if u >= 0 {
		return float64(at * mills(u))
	}
	return expNeg(fall) - float64(at*mills(-u))
}

// learnBounded is learn with the variance kept between what the bounds' blur
// leaves at least and the prior's, whatever the rounding.
func (m *member) learnBounded(mean, variance float64, l *likelihood) {
	least := float64(m.pxx*l.blur) / (m.pxx + l.blur)
	m.learn(mean, min(max(variance, least/2), m.pxx))
}

// soften mixes the belief, with the weight trust, with another one.
func (m *member) soften(other *member, trust float64) {
	rest := 1 - trust
	x := float64(trust*m.x) + float64(rest*other.x)
	f := float64(trust*m.f) + float64(rest*other.f)
	dx, df := m.x-other.x, m.f-other.f
	both := float64(trust * rest)
	m.pxx = float64(trust*m.pxx) + float64(rest*other.pxx) + float64(both*float64(dx*dx))
	m.pxf = float64(trust*m.pxf) + float64(rest*other.pxf) + float64(both*float64(dx*df))
	m.pff = float64(trust*m.pff) + float64(rest*other.pff) + float64(both*float64(df*df))
	m.x, m.f = x, f
}

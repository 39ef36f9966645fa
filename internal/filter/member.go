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
// the sample was. The posterior of prior times likelihood is integrated
// numerically and replaced by the Gaussian of its mean and variance.
func (m *member) observe(z float64, l *likelihood) float64 {
	if l.gauss {
		return m.observeGauss(z, float64(l.edge*l.edge))
	}
	sd := math.Sqrt(m.pxx)
	lo := max(m.x-float64(priorReach*sd), z-l.hi)
	hi := min(m.x+float64(priorReach*sd), z-l.lo)
	if !(lo < hi) {
		return 0
	}
	h := (hi - lo) / nodes
	u := lo + h/2 - m.x // relative to the prior's mean
	// On evenly spaced nodes the prior's density and the likelihood's
	// exponential go from one to the next by multiplication.
	prior := newBell(u/sd, h/sd)
	e := z - m.x - u
	slope, fall := l.slope(e, h)
	var s0, s1, s2 float64
	for range nodes {
		p := float64(float64(prior.now*min(slope, 1)) * l.bound(e))
		pu := float64(p * u)
		s0 += p
		s1 += pu
		s2 += float64(pu * u)
		prior.next()
		slope = float64(slope * fall)
		u += h
		e -= h
	}
	if s0 <= 0 {
		return 0
	}
	mean := s1 / s0
	variance := s2/s0 - float64(mean*mean) + float64(h*h)/12
	evidence := float64(float64(s0*h)*l.norm) / float64(sd*rootTwoPi)
	m.learn(m.x+mean, min(variance, m.pxx))
	return evidence
}

// observeGauss is observe for an error of normal distribution: Kalman's own.
func (m *member) observeGauss(z, noise float64) float64 {
	total := m.pxx + noise
	miss := z - m.x
	evidence := expNeg(float64(-0.5*miss)*miss/total) / float64(rootTwoPi*math.Sqrt(total))
	m.learn(m.x+float64(m.pxx/total*miss), float64(m.pxx/total*noise))
	return evidence
}

// bell walks along exp(-t*t/2) in even steps.
type bell struct{ now, ratio, change float64 }

func newBell(t, step float64) bell {
	return bell{
		now:    expNeg(float64(float64(-0.5*t) * t)),
		ratio:  exp(float64(float64(-step) * (t + step/2))),
		change: expNeg(float64(float64(-step) * step)),
	}
}

func (b *bell) next() {
	b.now = float64(b.now * b.ratio)
	b.ratio = float64(b.ratio * b.change)
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

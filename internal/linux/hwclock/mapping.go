//go:build linux

package hwclock

import (
	"time"

	"ntsd/internal/clock"
)

// Implementation constants.
const (
	// points of the past are kept for the rate.
	points = 16
	// spread is the least time between two points that tell the rate: with 1 us
	// of error each that is 1 ppm.
	spread = time.Second
	// maxDrift is more than two oscillators differ. What is beyond it, somebody
	// has set the card's clock.
	maxDrift = clock.Rate(300e-6)
	// readError is how far one reading may be off.
	readError = 20 * time.Microsecond
)

// point is one moment on both timescales.
type point struct {
	card Time
	mono clock.Mono
}

// mapping follows a card's clock: a line through the newest point, with the
// rate between it and the oldest that is kept. The zero value knows nothing.
type mapping struct {
	ring [points]point
	n    int
}

// last returns the newest point.
func (m *mapping) last() point { return m.ring[(m.n-1)%points] }

// add takes the next point. One that does not lie where the past foretells it
// begins anew.
func (m *mapping) add(p point) {
	if m.n > 0 {
		since := p.mono.Sub(m.last().mono)
		allowed := maxDrift.Over(since.Abs()) + readError
		if miss := time.Duration(p.card-m.last().card) - since; since < 0 || miss > allowed || miss < -allowed {
			*m = mapping{}
		} else if m.n > 1 && since < spread/points {
			m.ring[(m.n-1)%points] = p // newer, and as good
			return
		}
	}
	m.ring[m.n%points] = p
	m.n++
}

// age returns how far a stamp lies from the newest point.
func (m *mapping) age(stamp Time) (age time.Duration, ok bool) {
	if m.n == 0 {
		return 0, false
	}
	return time.Duration(stamp - m.last().card).Abs(), true
}

// rate is by how much the card's clock gains on the local one.
func (m *mapping) rate() clock.Rate {
	if m.n < 2 {
		return 0
	}
	p, q := m.ring[max(0, m.n-points)%points], m.last()
	over := q.mono.Sub(p.mono)
	if over < spread {
		return 0
	}
	return clock.Rate(float64(time.Duration(q.card-p.card)-over) / float64(over))
}

// local returns the local time of a stamp.
func (m *mapping) local(stamp Time) clock.Mono {
	p := m.last()
	d := time.Duration(stamp - p.card)
	return p.mono.Add(d - m.rate().Over(d))
}

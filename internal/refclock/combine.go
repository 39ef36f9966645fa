package refclock

import (
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/order"
)

// point is a measurement as its distance from a line.
type point struct {
	m   *event.Measurement
	off time.Duration
}

// points are the measurements kept, by how far they lie from a line through the
// first that runs at rate. Without the rate a drifting oscillator's median would
// only be the middle in time.
func (c *Clock) points(rate clock.Rate) []point {
	first := clock.Line{At: clock.Reading{Mono: c.kept[0].At, Wall: c.kept[0].True}, Rate: rate}
	ps := make([]point, len(c.kept))
	for i := range c.kept {
		m := &c.kept[i]
		ps[i] = point{m, m.True.Sub(first.WallAt(m.At)).Duration()}
	}
	order.Stable(ps, func(a, b point) int { return int(max(-1, min(1, a.off-b.off))) })
	return ps
}

// combine makes one sample of the measurements round the median.
func (c *Clock) combine(rate clock.Rate) Sample {
	ps := c.points(rate)
	n := len(ps)
	cut := n * (100 - share) / 200
	ps = ps[cut : n-cut]
	n = len(ps)
	// Sums of differences: those of times would overflow.
	var at, off, worst time.Duration
	origin := c.kept[0].At
	for _, p := range ps {
		at += p.m.At.Sub(origin) / time.Duration(n)
		off += p.off / time.Duration(n)
		worst = max(worst, p.m.Error)
	}
	line := clock.Line{At: clock.Reading{Mono: origin, Wall: c.kept[0].True}, Rate: rate}
	mid := origin.Add(at)
	return Sample{
		At: mid, True: line.WallAt(mid).Add(off), Delay: c.cfg.Delay,
		Dispersion: c.cfg.Precision + worst + deviations*spread(ps, off),
		Leap:       c.kept[len(c.kept)-1].Leap, Used: n,
	}
}

// spread is the standard error of the points' mean.
func spread(ps []point, mean time.Duration) time.Duration {
	n := time.Duration(len(ps))
	if n < 2 {
		return 0
	}
	var sum uint64 // of squares in units of unit: no overflow up to 64 points
	const unit = 1 << 4
	for _, p := range ps {
		d := uint64((p.off - mean).Abs()) / unit
		d = min(d, 1<<28) // 4 s
		sum += d * d
	}
	return time.Duration(root(sum/uint64(n*(n-1)))) * unit
}

// spread is the standard error of the measurements kept.
func (c *Clock) spread() time.Duration {
	if len(c.kept) < 2 {
		return 0
	}
	ps := c.points(0)
	var mean time.Duration
	for _, p := range ps {
		mean += p.off / time.Duration(len(ps))
	}
	return spread(ps, mean)
}

// root is the square root, rounded down.
func root(x uint64) (r uint64) {
	for bit := uint64(1) << 31; bit > 0; bit >>= 1 {
		if (r+bit)*(r+bit) <= x {
			r += bit
		}
	}
	return r
}

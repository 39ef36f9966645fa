package server

import (
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/ntptime"
)

// RateLimit bounds the replies to one address, with chrony's meaning. The zero
// value limits nothing.
type RateLimit struct {
	Enabled  bool
	Interval ntptime.Exponent // between replies in the long run, -19 to 12
	Burst    uint8            // replies in a row, at least 1
	// Leak answers one in 2^Leak of the requests above the limit all the same.
	// Whoever floods us in a victim's name can therefore not silence us for
	// the victim.
	Leak uint8
	// Kiss answers one in 2^Kiss of the rest with the kiss-o'-death RATE (RFC
	// 5905 section 7.4); 0: none.
	Kiss uint8
}

// judgement is what the limit says of one request.
type judgement uint8

const (
	within judgement = iota // answer
	above                   // say nothing
	kissed                  // say RATE
)

// judge charges a request to its client's bucket: due is when the bucket of
// Burst replies would be full again. A request that is answered by leak is not
// charged.
func (c *Clients) judge(l *RateLimit, r *record, now clock.Mono) judgement {
	if !l.Enabled {
		return within
	}
	if l.charge(&r.due, now) || c.oneIn(l.Leak) {
		return r.reply(now)
	}
	r.dropped = increment(r.dropped)
	if l.Kiss > 0 && c.oneIn(l.Kiss) {
		return kissed
	}
	return above
}

// charge takes one from the bucket that is full again at due, if there is one.
func (l *RateLimit) charge(due *clock.Mono, now clock.Mono) bool {
	interval := l.Interval.Duration()
	start := max(*due, now)
	if start.Sub(now) > time.Duration(l.Burst-min(l.Burst, 1))*interval {
		return false
	}
	*due = start.Add(interval)
	return true
}

// reply notes that the client is answered.
func (r *record) reply(now clock.Mono) judgement {
	if n := r.requests - r.dropped; n > 1 {
		r.repliedIn = meanGap(r.repliedIn, now.Sub(r.replied))
	}
	r.replied = now
	return within
}

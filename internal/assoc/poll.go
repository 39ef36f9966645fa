package assoc

import (
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/ntptime"
)

// Implementation constants.
const (
	startSpread   = 200 * time.Millisecond // of the first requests of several sources
	burstInterval = 2 * time.Second        // RFC 5905 appendix A.5.7: BTIME
	iburstGood    = 4                      // samples that end the burst at the start
	iburstMax     = 8                      // requests in it at most
	// settleGap is the first interval of those requests that the burst at the
	// start did not need and settleMore further ones; each later one is half as
	// long again: 4, 6, 9, 13, 20, 30 s. Samples 2 s apart say little about the
	// oscillator's rate: without these, queues of a millisecond leave an error of
	// 100 ppm for the whole first poll interval.
	settleGap  = 4 * time.Second
	settleMore = 2
	maxBurst   = 32 // requests in a burst on command
	// replyWindow is how long a socket waits. A reply that is later tells no
	// time, but may still bring cookies.
	replyWindow = 8 * time.Second
	// lostPolls in a row mean that an address is dead: the eight bits of the
	// reach register are empty.
	lostPolls = 8
	// slowDown lengthens the interval of a dead address after every so many
	// further losses.
	slowDown = 4
	// slowStart is the same for one that has brought fewer than knownSamples:
	// whoever waits for the time, or for the oscillator's rate, asks on. Where one
	// request in five gets through, 3 in 100 need more than these, which take a
	// quarter of an hour.
	slowStart    = 16
	knownSamples = 8
	// rateMaxPoll and deniedPoll bound what an unauthenticated kiss can do:
	// 17 and 68 minutes.
	rateMaxPoll ntptime.Exponent = 10
	deniedPoll  ntptime.Exponent = 12
)

// burst is a series of quick requests: it ends when good samples came or left
// requests are used up. The zero value is no burst.
type burst struct {
	good, left int
	atStart    bool // what is left is spent on settling
}

// settling is what follows the burst at the start: left requests, each after
// half as long again as the one before. The zero value is none.
type settling struct {
	left int
	gap  time.Duration
}

// pollNow is one poll: look back at the last request, then send the next.
func (a *Assoc) pollNow(now clock.Reading, out []event.Action) []event.Action {
	out = a.lookBack(out)
	if a.cfg.NTS {
		var ready bool
		if out, ready = a.prepareKeys(now, out); !ready {
			return out
		}
	}
	out = a.send(now, out)
	switch {
	case a.burst.left > 0:
		a.burst.left--
	case a.settling.left > 0:
		a.settling.left--
		a.settling.gap += a.settling.gap / 2
	}
	a.schedule(now.Mono)
	if a.env.Bounds.On && a.cfg.NTS && len(a.keys.session.Cookies) == 0 {
		// The last cookie: a reply that is later would not count.
		a.nextPoll = min(a.nextPoll, now.Mono.Add(a.env.Bounds.MaxTrip))
	}
	return out
}

// schedule sets the next poll, counted from the request at sent.
func (a *Assoc) schedule(sent clock.Mono) {
	if a.online {
		a.nextPoll = sent.Add(a.interval())
	}
}

// interval returns the time to the next request with some jitter: RFC 8633
// wants no clients in step with each other.
func (a *Assoc) interval() time.Duration {
	d := a.Poll().Duration()
	switch {
	case a.burst.left > 0:
		d = burstInterval
	case a.settling.left > 0:
		d = min(d, a.settling.gap)
	case a.doubtful && !a.denied:
		d = a.minPoll.Duration()
	}
	if a.isPeer() {
		return a.peerInterval(d)
	}
	return d + a.randomBelow(d/32)
}

// LookAgain moves the next request to the earliest moment that the shortest
// poll interval allows: something has happened to the clock.
func (a *Assoc) LookAgain(now clock.Reading) {
	if !a.online || a.denied || a.reference || a.request.id == 0 || a.nextPoll == clock.Never {
		return
	}
	a.doubtful = true
	a.nextPoll = max(now.Mono, min(a.nextPoll, a.request.asked.Add(a.interval())))
}

// Poll is the interval in force outside bursts.
func (a *Assoc) Poll() ntptime.Exponent {
	if a.denied {
		return max(a.poll, deniedPoll)
	}
	return a.poll
}

func (a *Assoc) clampPoll() {
	a.poll = max(a.minPoll, min(a.poll, max(a.cfg.MaxPoll, a.minPoll)))
}

// lookBack counts the last request as lost if no usable reply came: at the end
// of the reply window, or at the next poll if that is sooner.
func (a *Assoc) lookBack(out []event.Action) []event.Action {
	rq := &a.request
	if rq.id == 0 || rq.reached {
		return out
	}
	if !rq.missed {
		rq.missed = true
		out = a.lengthLost(out)
		out = a.miss(rq.why(), out)
	}
	return a.closeSocket(out)
}

// miss shifts an empty bit into the reach register.
func (a *Assoc) miss(why string, out []event.Action) []event.Action {
	a.reach <<= 1
	a.missed++
	a.problem = why
	every := slowDown
	if a.counters.good < knownSamples {
		every = slowStart
	}
	if a.missed > lostPolls && a.missed%every == 0 {
		a.poll++
		a.clampPoll()
	}
	if a.missed >= lostPolls && !a.silent {
		a.silent = true
		out = append(out, a.notice(event.NoticeUnreachable, why))
	}
	return out
}

// hit shifts a full bit into the reach register.
func (a *Assoc) hit(out []event.Action) []event.Action {
	a.reach = a.reach<<1 | 1
	a.request.reached = true
	a.missed, a.problem, a.denied, a.kissed = 0, "", false, 0
	if a.silent {
		a.silent = false
		// Much may have happened to the clock meanwhile.
		a.poll = a.minPoll
		out = append(out, a.notice(event.NoticeReachable, ""))
	}
	return out
}

// sampledOnce moves the burst and the poll interval on after a sample.
func (a *Assoc) sampledOnce(accepted bool) {
	// A sample that the filter refused may be a fault or the first of a clock
	// that has jumped: ask again as soon as that is polite.
	a.doubtful = !accepted
	switch {
	case a.burst.left > 0 || a.burst.good > 0:
		if a.burst.good--; a.burst.good <= 0 || a.burst.left <= 0 {
			if a.burst.atStart {
				a.settling = settling{left: a.burst.left + settleMore, gap: settleGap}
			}
			a.burst = burst{}
		}
	case accepted && a.settling.left == 0:
		a.poll += ntptime.Exponent(a.filter.PollChange(a.poll))
		a.clampPoll()
	}
	a.schedule(a.request.asked)
}

// Misses is the number of polls in a row without a usable reply.
func (a *Assoc) Misses() int { return a.missed }

// Dead reports that the address gives nothing and another should be tried:
// eight polls without a usable reply, or access denied, or nothing long enough
// gets through.
func (a *Assoc) Dead() bool { return a.missed >= lostPolls || a.denied || a.way.Finding().Closed }

func (a *Assoc) notice(kind event.NoticeKind, text string) event.Notice {
	n := event.Notice{Kind: kind, Source: a.cfg.ID, Name: a.cfg.Name, Text: text}
	if !a.reference {
		n.Addr = a.Addr()
	}
	return n
}

package bootstrap

import (
	"slices"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/nts"
)

// Implementation constants of the reserve.
const (
	// Spare is how many cookies per server are set aside for a boot: one to
	// spend, and one for the boot after it if the power goes before the reserve
	// is filled again.
	Spare = 2
	// probeGap is the time between two looks for a route, while there is none:
	// connecting a socket costs nothing and sends nothing.
	probeGap = 500 * time.Millisecond
	// probeFast is how long that goes on; then probeSlow lies between two.
	probeFast = 10 * time.Minute
	probeSlow = 5 * time.Second
	// holdFor is how long a server whose cookies are about to be taken is left
	// alone. Then it may have another address by now.
	holdFor = 3 * time.Second
	// answerFor is when an answer that the world owes us is given up.
	answerFor = time.Minute
)

// Reserve is the cookies that lie on flash for a boot, and the way of taking
// them: off the flash first, then on the wire. It is not safe for concurrent
// use; the zero value is an empty one.
type Reserve struct {
	stored  []nts.Session // as they are on flash
	wanted  []nts.Session // about to be taken, with one cookie each
	next    clock.Mono    // of the next attempt to take them
	asked   bool
	holding bool
	started clock.Mono
	spent   bool // there is less on flash than there should be
}

// NewReserve returns the reserve that lies on flash.
func NewReserve(stored []nts.Session) Reserve { return Reserve{stored: stored} }

// Start has the first cookies of those sessions taken that want says are
// needed.
func (r *Reserve) Start(now clock.Reading, want func(*nts.Session) bool) {
	r.started, r.next, r.holding = now.Mono, now.Mono, true
	for _, s := range r.stored {
		if len(s.Cookies) > 0 && s.Strict && want(&s) {
			s.Cookies = s.Cookies[:1]
			r.wanted = append(r.wanted, s)
		}
	}
}

// Holds reports whether a server should be left alone: its cookies will be
// here in a moment.
func (r *Reserve) Holds(name string) bool {
	return r.holding && slices.ContainsFunc(r.wanted, func(s nts.Session) bool { return s.KEName == name })
}

// NextDeadline is when HandleTimer wants to be called.
func (r *Reserve) NextDeadline() clock.Mono {
	switch {
	case len(r.wanted) == 0:
		return clock.Never
	case r.holding:
		return min(r.next, r.started.Add(holdFor))
	}
	return r.next
}

// HandleTimer returns the sessions whose cookies are to be taken now, and what
// stays on flash then; nothing wanted: there is nothing to do.
func (r *Reserve) HandleTimer(now clock.Reading) (wanted, rest []nts.Session) {
	r.holding = r.holding && now.Mono < r.started.Add(holdFor)
	if len(r.wanted) == 0 || now.Mono < r.next {
		return nil, nil
	}
	r.asked = true
	r.next = now.Mono.Add(answerFor)
	return r.wanted, r.rest()
}

// rest is what stays on flash.
func (r *Reserve) rest() []nts.Session {
	var rest []nts.Session
	for _, s := range r.stored {
		if slices.ContainsFunc(r.wanted, func(w nts.Session) bool { return same(&w, &s) }) {
			s.Cookies = s.Cookies[1:]
		}
		if len(s.Cookies) > 0 {
			rest = append(rest, s)
		}
	}
	return rest
}

// same reports whether two sessions are with one server.
func same(a, b *nts.Session) bool {
	return a.KEName == b.KEName && a.KEAddr == b.KEAddr && a.KEPort == b.KEPort
}

// HandleTaken returns the sessions that may be used now, each with its cookie.
// Without a route it is tried again; after a failure the cookies stay where
// they are and are not used: another boot would send them again.
func (r *Reserve) HandleTaken(now clock.Reading, ev event.ReserveTaken) []nts.Session {
	if !r.asked {
		return nil
	}
	r.asked = false
	switch {
	case ev.Offline:
		gap := probeGap
		if now.Mono.Sub(r.started) >= probeFast {
			gap = probeSlow
		}
		r.next = now.Mono.Add(gap)
		return nil
	case !ev.OK:
		r.wanted = nil
		return nil
	}
	taken := r.wanted
	r.stored, r.wanted, r.spent = r.rest(), nil, true
	return taken
}

// Abandon gives up what was not taken: it is not needed any more.
func (r *Reserve) Abandon() { r.wanted, r.asked = nil, false }

// Hurry looks for a route at once: a link came up.
func (r *Reserve) Hurry() {
	if !r.asked {
		r.next = 0
	}
}

// Low reports whether less is on flash than at the last filling.
func (r *Reserve) Low() bool { return r.spent || len(r.stored) == 0 }

// Fill returns what the flash should hold: the fresh sessions, and of the old
// ones those of other servers that valid still wants.
func (r *Reserve) Fill(fresh []nts.Session, valid func(*nts.Session) bool) []nts.Session {
	all := slices.Clone(fresh)
	for _, s := range r.stored {
		if valid(&s) && !slices.ContainsFunc(fresh, func(f nts.Session) bool { return same(&f, &s) }) {
			all = append(all, s)
		}
	}
	r.stored, r.spent = all, false
	return all
}

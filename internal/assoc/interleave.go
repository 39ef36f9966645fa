package assoc

import (
	"net/netip"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/filter"
	"ntsd/internal/ntptime"
	"ntsd/internal/wire"
)

// Interleaved mode (RFC 9769 section 2). A server writes its transmit timestamp
// before the reply has left; only the next reply can tell when it really did.
// So an exchange is measured when the reply after its own has come:
//
//	request 1   t1          basic: origin 0
//	reply 1     t2 (t3) t4  measured at once, as in basic mode
//	request 2   origin t2: when did the reply with that receive timestamp leave?
//	reply 2     t6, and t3 as the kernel had it: t1 t2 t3 t4 make a better sample
//	request 3   origin t6
//	...
//
// All four times of a sample are of one exchange (the first set of section 2,
// "RECOMMENDED for clients that filter measurements based on the delay"), and an
// exchange makes one sample. A reply in basic mode is known by its origin and
// measured at once: nothing is waited for that may never come.

// Implementation constants.
const (
	// interleaveLost is how many requests ask about one reply (RFC 9769 §2 wants
	// a limit; chrony has the same): what the server tells gets older each time.
	interleaveLost = 4
	// interleaveTries replies in a row in basic mode mean that the server has no
	// other: the first may find a server that remembers only after it was asked.
	interleaveTries = 4
	// interleavePause requests later it is tried again: servers get updates.
	interleavePause = 256
)

// exchange is an answered request of which the server may still tell when its
// reply left. The zero value is none.
type exchange struct {
	receive ntptime.Timestamp // the server's name for it
	local   netip.Addr
	timing  timing
	sampled bool // measured in basic mode
	asked   int  // requests that asked about it
}

func (x *exchange) known() bool { return x.receive != 0 }

// timing is when the packets of one exchange left and arrived.
type timing struct {
	now            clock.Reading // when the reply was looked at
	sent, received event.Stamp
	there          ntptime.Timestamp // the server's receive timestamp
	response       time.Duration     // from then to its transmit timestamp
}

// basicMode counts what speaks against asking in interleaved mode.
type basicMode struct {
	replies int // in basic mode, in a row, to requests that asked for more
	pause   int // requests left to ask in basic mode
}

// interleave makes a request ask about the exchange before it, if there is one.
// It returns the address that the request may leave from: the origin timestamp
// tells the server that it has seen this client before, and another address
// must not be linked to it (RFC 9769 section 6).
func (a *Assoc) interleave(hdr *wire.Header) (from netip.Addr) {
	x := &a.previous
	if a.basic.pause > 0 {
		a.basic.pause--
		*x = exchange{}
	}
	if x.asked++; !a.cfg.XLeave || !x.known() || x.asked > interleaveLost {
		*x = exchange{}
		return netip.Addr{}
	}
	// RFC 9769 §2: "MUST NOT send a packet that has a transmit timestamp equal to
	// the receive timestamp"; §6: "SHOULD randomize all bits of both".
	rq := &a.request
	for rq.receive = a.randomTimestamp(); rq.receive == rq.transmit; {
		rq.receive = a.randomTimestamp()
	}
	hdr.Origin, hdr.Receive = x.receive, rq.receive
	return x.local
}

// interleaved reports whether a reply that matches the request is one of
// interleaved mode, which has "an origin timestamp equal to the receive timestamp
// from the client request" (RFC 9769 section 2).
func (rq *request) interleaved(hdr *wire.Header) bool {
	return rq.receive != 0 && hdr.Origin == rq.receive
}

// subject returns what a reply tells the times of.
func (a *Assoc) subject(now clock.Reading, ev *event.Received, hdr *wire.Header) timing {
	if a.request.interleaved(hdr) {
		t := a.previous.timing
		t.response = hdr.Transmit.Sub(t.there)
		return t
	}
	return timing{now, ev.Sent, ev.Received, hdr.Receive, hdr.Transmit.Sub(hdr.Receive)}
}

// remember keeps what the next request may ask about; sampled says that it was
// measured already.
func (a *Assoc) remember(now clock.Reading, ev *event.Received, hdr *wire.Header, sampled bool) {
	a.previous = exchange{}
	if !a.cfg.XLeave || ev.Sent.Kind == event.StampNone || ev.Received.Kind == event.StampNone {
		return
	}
	b := &a.basic
	switch {
	case a.request.receive == 0: // nobody asked
	case a.request.interleaved(hdr):
		b.replies = 0
	default:
		if b.replies++; b.replies >= interleaveTries {
			*b = basicMode{pause: interleavePause}
		}
	}
	a.previous = exchange{
		receive: hdr.Receive, local: ev.Local, sampled: sampled,
		timing: timing{now: now, sent: ev.Sent, received: ev.Received, there: hdr.Receive},
	}
}

// ahead is what is believed until the next reply tells when the last one left:
// the filter with a sample of the last exchange, in which the server is taken to
// have answered as quickly as it lately did at best. Such a sample is about as
// good as one in basic mode, and as honest: had the server been slower, the round
// trip is longer by that. Without it all that is known would be one interval old.
// The zero value is none.
type ahead struct {
	valid     bool
	filter    *filter.Filter
	responses filter.Quickest // from receipt to departure
}

// responseSDs deviations of the quickest response are put into the sample's
// dispersion: the filter takes a quarter of a dispersion for its usual error.
const responseSDs = 4

// lookAhead estimates with the exchange whose reply has just come; response is
// how long the server took for the one before.
func (a *Assoc) lookAhead(t timing, ev *event.Received, hdr wire.Header, response time.Duration) {
	h := &a.ahead
	least, gap, ok := h.responses.Note(response)
	if !ok || a.cfg.Filter > 1 { // with that option a sample alone does not count
		return
	}
	t.response = least
	x, s := a.measure(t, ev, hdr)
	if a.path(&t, &x) != VerdictAccepted {
		return
	}
	if h.filter == nil {
		h.filter = new(filter.Filter)
	}
	s.Dispersion += responseSDs * min(gap, maxDistance)
	h.valid = a.filter.Ahead(s, h.filter)
}

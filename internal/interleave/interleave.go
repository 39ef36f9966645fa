// Package interleave is interleaved mode as a client has it (RFC 9769 section 2):
// which exchange a request asks about, and which times a reply tells. It is layer 2,
// deterministic and without I/O.
//
// A server writes its transmit timestamp before the reply has left; only the next
// reply can tell when it really did. So an exchange is measured when the reply after
// its own has come:
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
//
// Non-goals: whether a reply is the server's and what its times come to (assoc),
// symmetric associations (symmetric), the server's side (server).
package interleave

import (
	"net/netip"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/ntptime"
	"ntsd/internal/wire"
)

// Implementation constants.
const (
	// lost is how many requests ask about one reply (RFC 9769 §2 wants a limit;
	// chrony has the same): what the server tells gets older each time.
	lost = 4
	// tries replies in a row in basic mode mean that the server has no other: the
	// first may find a server that remembers only after it was asked.
	tries = 4
	// pause requests later it is tried again: servers get updates.
	pause = 256
)

// Timing is when the packets of one exchange left and arrived.
type Timing struct {
	Now            clock.Reading // when the reply was looked at
	Sent, Received event.Stamp
	There          ntptime.Timestamp // the server's receive timestamp
	Response       time.Duration     // from then to its transmit timestamp
}

// exchange is an answered request of which the server may still tell when its
// reply left. The zero value is none.
type exchange struct {
	receive ntptime.Timestamp // the server's name for it
	local   netip.Addr
	timing  Timing
	sampled bool // measured in basic mode
	asked   int  // requests that asked about it
}

// State is that of one association with one server. The zero value asks in basic
// mode first.
type State struct {
	receive  ntptime.Timestamp // what the latest request carries for an interleaved reply; 0: asked in basic mode
	previous exchange          // what an interleaved request asks about
	replies  int               // in basic mode, in a row, to requests that asked for more
	pause    int               // requests left to ask in basic mode
}

// Known reports whether there is an exchange to ask about.
func (s *State) Known() bool { return s.previous.receive != 0 }

// Sampled reports whether the exchange asked about was measured in basic mode.
func (s *State) Sampled() bool { return s.previous.sampled }

// Forget drops the exchange to ask about: its times, or the way to the server, are
// not what they were.
func (s *State) Forget() { s.previous = exchange{} }

// Reset is Forget for another server.
func (s *State) Reset() {
	s.Forget()
	s.replies, s.pause = 0, 0
}

// Ask makes a request ask about the exchange before it, if there is one and on.
// random makes timestamps that nobody can guess. It returns the address that the
// request may leave from: the origin timestamp tells the server that it has seen
// this client before, and another address must not be linked to it (RFC 9769
// section 6).
func (s *State) Ask(hdr *wire.Header, on bool, random func() ntptime.Timestamp) (from netip.Addr) {
	s.receive = 0
	x := &s.previous
	if s.pause > 0 {
		s.pause--
		s.Forget()
	}
	if x.asked++; !on || !s.Known() || x.asked > lost {
		s.Forget()
		return netip.Addr{}
	}
	// RFC 9769 §2: "MUST NOT send a packet that has a transmit timestamp equal to
	// the receive timestamp"; §6: "SHOULD randomize all bits of both".
	for s.receive = random(); s.receive == hdr.Transmit; {
		s.receive = random()
	}
	hdr.Origin, hdr.Receive = x.receive, s.receive
	return x.local
}

// Is reports whether a reply to the latest request is one of interleaved mode,
// which has "an origin timestamp equal to the receive timestamp from the client
// request" (RFC 9769 section 2).
func (s *State) Is(hdr *wire.Header) bool { return s.receive != 0 && hdr.Origin == s.receive }

// Subject returns what a reply tells the times of.
func (s *State) Subject(now clock.Reading, ev *event.Received, hdr *wire.Header) Timing {
	if s.Is(hdr) {
		t := s.previous.timing
		t.Response = hdr.Transmit.Sub(t.There)
		return t
	}
	return Timing{now, ev.Sent, ev.Received, hdr.Receive, hdr.Transmit.Sub(hdr.Receive)}
}

// Remember keeps what the next request may ask about; sampled says that it was
// measured already.
func (s *State) Remember(now clock.Reading, ev *event.Received, hdr *wire.Header, on, sampled bool) {
	s.Forget()
	if !on || ev.Sent.Kind == event.StampNone || ev.Received.Kind == event.StampNone {
		return
	}
	switch {
	case s.receive == 0: // nobody asked
	case s.Is(hdr):
		s.replies = 0
	default:
		if s.replies++; s.replies >= tries {
			s.replies, s.pause = 0, pause
		}
	}
	s.previous = exchange{
		receive: hdr.Receive, local: ev.Local, sampled: sampled,
		timing: Timing{Now: now, Sent: ev.Sent, Received: ev.Received, There: hdr.Receive},
	}
}

// Package symmetric is the timestamps of a symmetric association (RFC 5905
// section 8, modes 1 and 2): two hosts that each send when they like, and whose
// packets are answers to each other. It says which packet of the other side
// ours answers, and which of its packets may be measured. It is layer 2,
// deterministic and without I/O, and knows only basic mode.
//
// Non-goals: when to send, who is on the other side and whether he proves it
// (package assoc), interleaved mode.
package symmetric

import (
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/ntptime"
	"ntsd/internal/wire"
)

// Verdict is what a packet is good for.
type Verdict uint8

// The verdicts.
const (
	Measure   Verdict = iota // the first answer to our latest packet
	Duplicate                // known, or a further answer: at most one is measured
	Bogus                    // answers another packet of ours, or none (RFC 5905 test 2)
	Missing                  // lacks a timestamp (test 3)
)

// heard is a packet of the other side. The zero value is none.
type heard struct {
	receive, transmit ntptime.Timestamp // as it says
	at                clock.Mono        // when it arrived
}

// State is one side. The zero value has neither sent nor heard anything.
//
// Replays: what was valid once does not get in again, because the origin must
// be that of our latest packet, and an older transmit timestamp displaces no
// newer one. Packets that answer nothing matter only while nothing valid
// arrives: with them the two begin, and begin again after a loss. Whoever can
// send such in the other's name can keep the two from measuring, if they are
// not authenticated; so the caller gives Receive only what is.
type State struct {
	sent    ntptime.Timestamp // of our latest packet; 0: none
	valid   heard             // the latest that was valid
	initial heard             // the latest that was not, but could be answered
	got     bool              // a valid one has come since our latest packet
	begun   bool              // likewise one that was not

	left     clock.Mono    // when our latest packet was made
	stratum  uint8         // ours, as it says
	measured clock.Mono    // when the latest that is to be measured came; 0: none yet
	latency  time.Duration // from making a packet to its leaving
}

// Answer returns what the next packet answers: its origin timestamp, and when
// that arrived; ok is false while nothing was heard. Sent must follow.
func (s *State) Answer() (origin ntptime.Timestamp, at clock.Mono, ok bool) {
	h := s.valid
	if !s.got && s.initial.transmit != 0 {
		h = s.initial
	}
	return h.transmit, h.at, h.transmit != 0
}

// Sent notes that a packet with that transmit timestamp leaves.
func (s *State) Sent(transmit ntptime.Timestamp) {
	s.sent, s.got, s.begun = transmit, false, false
}

// Receive judges a packet that is of the other side, and has arrived at at.
func (s *State) Receive(hdr *wire.Header, at clock.Mono) Verdict {
	if s.sent != 0 && hdr.Transmit == s.sent {
		return Bogus // our own packet, which somebody has sent back
	}
	h := heard{receive: hdr.Receive, transmit: hdr.Transmit, at: at}
	if h.receive == s.valid.receive && h.transmit == s.valid.transmit {
		return Duplicate
	}
	v := s.judge(hdr)
	switch {
	case v == Measure && (!s.got || newer(h.transmit, s.valid.transmit)):
		// A further answer counts too, but is not measured: the other side
		// expects its latest packet to be answered.
		s.valid, s.initial, s.begun = h, heard{}, false
	case v != Measure && h.transmit != 0 && (!s.begun || newer(h.transmit, s.initial.transmit)):
		s.initial, s.begun = h, true
	}
	if v == Measure && s.got {
		return Duplicate
	}
	if v == Measure {
		s.got, s.measured = true, at
	}
	return v
}

func (s *State) judge(hdr *wire.Header) Verdict {
	switch {
	case hdr.Transmit.IsZero():
		return Missing
	case s.sent == 0 || hdr.Origin != s.sent:
		return Bogus
	case hdr.Receive.IsZero():
		return Missing
	}
	return Measure
}

// newer compares timestamps, whatever their eras.
func newer(a, b ntptime.Timestamp) bool { return int64(a-b) > 0 }

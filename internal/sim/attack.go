package sim

import (
	"encoding/binary"
	"slices"

	"ntsd/internal/event"
)

// Attack is what somebody on the path does to a server's replies, each with a
// probability: Forges sends another one ahead of it that does not know the
// request's transmit timestamp, Replays sends the one before again ahead of it,
// Tampers alters it.
type Attack struct{ Forges, Replays, Tampers float64 }

// The places of an NTP header (RFC 5905 figure 8) and what is added there.
const (
	originAt, receiveAt, transmitAt = 24, 32, 40
	tamperSeconds                   = 1000
)

// tampered returns a reply that tells another time.
func tampered(reply []byte) []byte {
	b := slices.Clone(reply)
	for _, at := range []int{receiveAt, transmitAt} {
		binary.BigEndian.PutUint32(b[at:], binary.BigEndian.Uint32(b[at:])+tamperSeconds)
	}
	return b
}

// attack lets the attacker act on a reply that leaves for a's socket; it
// returns what arrives in its place.
func (s *station) attack(reply []byte, deliver func(data []byte)) []byte {
	hit := func(p float64) bool { return p > 0 && s.rng.Float64() < p }
	if hit(s.Attack.Forges) {
		forged := tampered(reply)
		binary.BigEndian.PutUint64(forged[originAt:], s.rng.Uint64())
		deliver(forged)
	}
	if s.last != nil && hit(s.Attack.Replays) {
		deliver(s.last)
	}
	s.last = reply
	if hit(s.Attack.Tampers) {
		return tampered(reply)
	}
	return reply
}

// intrude delivers a datagram that no server sent for this request.
func (c *client) intrude(t Instant, a event.Send, ev event.Received) {
	if _, asleep := c.asleep(t); asleep {
		return
	}
	ev.Received.At = c.mono(t)
	c.receive(t, a, nil, ev, 0)
}

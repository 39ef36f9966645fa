package assoc

import (
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/symmetric"
	"ntsd/internal/wire"
)

// Symmetric associations (RFC 5905 sections 3 and 8): both sides send when they
// like, from the port that they serve on. What a packet of the other side
// answers, whether it may be measured and when ours should leave is for package
// symmetric to say; here the other side is authenticated and measured.
//
// Interleaved mode is not offered: a side may hear several packets, or none,
// between two of its own, and then has to guess which timestamps belong together.

// isPeer reports whether the association is symmetric.
func (a *Assoc) isPeer() bool { return a.cfg.LocalPort != 0 }

// peerHeader returns the header of the next packet.
func (a *Assoc) peerHeader(now clock.Reading) wire.Header {
	hdr := a.env.Self(now)
	hdr.Poll = a.Poll()
	return a.peer.Next(now, hdr, a.env.Rate, a.randomTimestamp)
}

// receivePeer judges a packet of the other side.
func (a *Assoc) receivePeer(now clock.Reading, ev event.Received, out []event.Action) ([]event.Action, Verdict) {
	hdr, v := a.matchPeer(ev)
	if v != VerdictAccepted {
		return out, v
	}
	a.request.answered = true
	a.counters.valid++
	if ev.Sent.Kind != event.StampNone {
		a.peer.Left(ev.Sent.At)
	}
	out, v = a.judge(now, ev, hdr, out)
	a.schedule(a.request.asked)
	return out, v
}

// matchPeer tells whether a packet is one of the other side that may be
// measured. What is not authenticated has no effect on the state.
func (a *Assoc) matchPeer(ev event.Received) (hdr wire.Header, v Verdict) {
	switch {
	case a.request.id == 0 || !a.online:
		return hdr, VerdictStale
	case unmapped(ev.From) != unmapped(a.to):
		return hdr, VerdictAddress
	}
	hdr, v = parse(ev.Data, wire.ModeSymmetricActive, wire.ModeSymmetricPassive)
	if v != VerdictAccepted {
		return hdr, v
	}
	if v := a.authenticateMAC(ev.Data); v != VerdictAccepted {
		return hdr, v
	}
	switch a.peer.Receive(&hdr, ev.Received.At) {
	case symmetric.Duplicate:
		return hdr, VerdictDuplicate
	case symmetric.Bogus:
		return hdr, VerdictOrigin
	case symmetric.Missing:
		return hdr, VerdictTimestamp
	}
	return hdr, VerdictAccepted
}

// peerInterval returns the time from the last packet to the next, where d would
// be ours alone: the two send equally often, as often as the one that wants it
// more.
func (a *Assoc) peerInterval(d time.Duration) time.Duration {
	theirs := &a.last.Header
	if a.reach != 0 {
		d = min(d, max(theirs.Poll, a.minPoll).Duration())
	}
	return a.peer.Interval(d, theirs.Stratum)
}

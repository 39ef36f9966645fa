package assoc

import (
	"errors"
	"net/netip"
	"slices"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/nts"
	"ntsd/internal/wire"
)

// HandleReceived judges a datagram and counts it under one verdict.
// VerdictAccepted means that the estimate is a new one.
func (a *Assoc) HandleReceived(now clock.Reading, ev event.Received, out []event.Action) ([]event.Action, Verdict) {
	a.counters.received++
	out, v := a.receive(now, ev, out)
	a.counters.verdicts[v]++
	if ev.Request == a.request.id && !a.request.reached {
		a.request.verdict = v
	}
	return out, v
}

func (a *Assoc) receive(now clock.Reading, ev event.Received, out []event.Action) ([]event.Action, Verdict) {
	if a.isPeer() {
		return a.receivePeer(now, ev, out)
	}
	hdr, v := a.match(ev)
	if v != VerdictAccepted {
		return out, v
	}
	if a.request.bare {
		return a.shortAnswered(out)
	}
	var fresh [][]byte
	if a.cfg.NTS {
		rep, v := a.authenticate(ev.Data)
		if v == VerdictAccepted {
			a.env.NTS.Good++
		} else {
			a.env.NTS.Bad++
		}
		if v == VerdictKiss {
			return a.unauthenticatedKiss(ev.Data, out)
		} else if v != VerdictAccepted {
			return out, v
		}
		hdr, fresh = rep.Header, rep.Cookies
	} else if v := a.authenticateMAC(ev.Data); v != VerdictAccepted {
		return out, v
	}
	code, isKiss := hdr.KissCode()
	isKiss = isKiss && honoured(code)
	if !isKiss && (hdr.Receive.IsZero() || hdr.Transmit.IsZero()) {
		return out, VerdictTimestamp
	}
	// From here on it is the one reply of this request.
	a.request.answered = true
	if a.cfg.NTS {
		out = a.authenticated(fresh, out)
	}
	out = a.closeSocket(out)
	if isKiss {
		return a.kiss(code, hdr.Poll, out)
	}
	a.counters.valid++
	return a.judge(now, ev, hdr, out)
}

// match tells whether a datagram can be the reply to the last request, before
// anything in it is believed.
func (a *Assoc) match(ev event.Received) (wire.Header, Verdict) {
	rq := &a.request
	switch {
	case rq.id == 0 || ev.Request != rq.id || !a.online:
		return wire.Header{}, VerdictStale
	case unmapped(ev.From) != unmapped(rq.to):
		return wire.Header{}, VerdictAddress
	case rq.answered: // RFC 5905 §9.2, figure 22: duplicate
		return wire.Header{}, VerdictDuplicate
	}
	hdr, v := parse(ev.Data, wire.ModeServer)
	if v == VerdictAccepted && hdr.Origin != rq.transmit && !a.xleave.Is(&hdr) { // RFC 5905 §9.2, figure 22: bogus
		return hdr, VerdictOrigin
	}
	return hdr, v
}

// parse reads a header of a version that we know, in one of these modes.
func parse(data []byte, modes ...wire.Mode) (wire.Header, Verdict) {
	hdr, err := wire.ParseHeader(data)
	switch {
	case err != nil:
		return hdr, VerdictMalformed
	case hdr.Version < 1 || hdr.Version > wire.Version:
		return hdr, VerdictVersion
	case !slices.Contains(modes, hdr.Mode):
		return hdr, VerdictMode
	}
	return hdr, VerdictAccepted
}

// unmapped makes addresses of dual-stack sockets comparable. Zones are left
// out: the socket was bound to the request's.
func unmapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// authenticate verifies a reply to an NTS request. VerdictKiss: it is not
// authenticated and can only be a kiss.
func (a *Assoc) authenticate(data []byte) (nts.Reply, Verdict) {
	rep, err := nts.OpenResponse(data, &a.request.uid, a.request.s2c)
	if err == nil {
		return rep, VerdictAccepted
	}
	if code, ok := nts.UnauthenticatedKiss(data, &a.request.uid); ok && honoured(code) {
		return rep, VerdictKiss
	}
	switch {
	case errors.Is(err, nts.ErrNotNTS):
		// RFC 8915 §5.7: a plain reply is no reply. There is no way down from
		// NTS to plain NTP.
		return rep, VerdictPlain
	case errors.Is(err, nts.ErrUniqueID):
		return rep, VerdictUniqueID
	case errors.Is(err, nts.ErrAuthentic):
		return rep, VerdictForged
	}
	return rep, VerdictMalformed
}

// unauthenticatedKiss takes a kiss that anybody on the path could have made.
// The request stays open: the true reply may follow.
func (a *Assoc) unauthenticatedKiss(data []byte, out []event.Action) ([]event.Action, Verdict) {
	hdr, _ := wire.ParseHeader(data)
	code, _ := hdr.KissCode()
	if code == wire.KissNTSN {
		return a.nak(out), VerdictNAK
	}
	return a.kiss(code, 0, out)
}

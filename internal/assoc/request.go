package assoc

import (
	"encoding/binary"
	"net/netip"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/ntptime"
	"ntsd/internal/nts"
	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

// request is the last request and what came of it. One reply counts; a new
// request makes an older one's reply worthless.
type request struct {
	id       uint64 // 0: none yet
	to       netip.AddrPort
	transmit ntptime.Timestamp
	asked    clock.Mono
	answered bool // a valid reply came
	reached  bool // and it was usable
	missed   bool // counted as lost
	open     bool // its socket is
	kissed   bool // a kiss was honoured
	verdict  Verdict
	problem  string // why the network refused it

	// RFC 8915: a reply verifies under the keys of its request, also when new
	// ones were established meanwhile.
	uid    nts.UniqueID
	s2c    siv.AEAD
	gen    uint32
	cookie []byte
	trust  trust

	bare bool // a header and nothing else, though NTS is wanted: a test of the path
}

// why says in words why the request brought nothing.
func (r *request) why() string {
	switch {
	case r.verdict != 0:
		return r.verdict.String()
	case r.problem != "":
		return r.problem
	}
	return "no reply"
}

// send appends one request. With NTS there is a cookie: prepareKeys saw to it.
func (a *Assoc) send(now clock.Reading, out []event.Action) []event.Action {
	a.requests++
	missed := a.request.missed
	hdr := a.nextHeader(now)
	a.request = request{id: a.requests, to: a.to, asked: now.Mono, open: true, transmit: hdr.Transmit}
	a.counters.sent++
	send := event.Send{Source: a.cfg.ID, Request: a.request.id, To: a.to, Interface: a.cfg.Interface}
	if a.isPeer() {
		// Where nothing comes any more, our address may have changed.
		send.LocalPort, send.Fresh = a.cfg.LocalPort, missed
	} else {
		a.closeAt = now.Mono.Add(replyWindow)
		send.From = a.xleave.Ask(&hdr, a.cfg.XLeave, a.randomTimestamp)
	}
	if a.cfg.NTS {
		send.Data, out = a.appendLength(hdr, out)
	} else if send.Data = hdr.Append(make([]byte, 0, wire.HeaderLen)); a.key != nil {
		send.Data = a.key.Append(send.Data)
	}
	return append(out, send)
}

// nextHeader returns that of the next request. RFC 8915 §9.1,
// draft-ietf-ntp-data-minimization: nothing but the transmit timestamp, which is
// random and so doubles as a nonce against off-path forgers.
func (a *Assoc) nextHeader(now clock.Reading) wire.Header {
	if a.isPeer() {
		return a.peerHeader(now)
	}
	return wire.Header{Version: wire.Version, Mode: wire.ModeClient, Precision: 0x20, Transmit: a.randomTimestamp()}
}

// randomTimestamp returns a transmit timestamp that nobody can guess.
func (a *Assoc) randomTimestamp() ntptime.Timestamp {
	var b [8]byte
	for {
		a.random(b[:])
		// Zero would mean "unknown" in the origin field of the reply.
		if t := ntptime.Timestamp(binary.BigEndian.Uint64(b[:])); t != 0 {
			return t
		}
	}
}

// closeSocket ends the wait for a reply. To a peer one listens on.
func (a *Assoc) closeSocket(out []event.Action) []event.Action {
	a.closeAt = clock.Never
	if !a.request.open || a.isPeer() && a.online {
		return out
	}
	a.request.open = false
	return append(out, event.CloseSocket{Source: a.cfg.ID})
}

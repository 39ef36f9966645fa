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
	receive  ntptime.Timestamp // what an interleaved reply carries in its place; 0: asked in basic mode
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
	a.request = request{
		id: a.requests, to: a.to, asked: now.Mono, open: true, transmit: a.randomTimestamp(),
	}
	a.closeAt = now.Mono.Add(replyWindow)
	a.counters.sent++
	// RFC 8915 §9.1, draft-ietf-ntp-data-minimization: nothing but the transmit timestamp,
	// which is random and so doubles as a nonce against off-path forgers.
	hdr := wire.Header{Version: wire.Version, Mode: wire.ModeClient, Precision: 0x20, Transmit: a.request.transmit}
	from := a.interleave(&hdr)
	data := make([]byte, 0, wire.HeaderLen)
	if a.cfg.NTS {
		data, out = a.appendLength(hdr, out)
	} else if data = hdr.Append(data); a.key != nil {
		data = a.key.Append(data)
	}
	return append(out, event.Send{
		Source: a.cfg.ID, Request: a.request.id, To: a.to, From: from, Interface: a.cfg.Interface, Data: data,
	})
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

func (a *Assoc) closeSocket(out []event.Action) []event.Action {
	a.closeAt = clock.Never
	if !a.request.open {
		return out
	}
	a.request.open = false
	return append(out, event.CloseSocket{Source: a.cfg.ID})
}

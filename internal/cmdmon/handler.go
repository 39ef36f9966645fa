package cmdmon

import (
	"context"
	"encoding/binary"
	"net/netip"
	"slices"

	"ntsd/internal/control"
	"ntsd/internal/status"
)

// Daemon is whose state is shown.
type Daemon interface {
	Report(context.Context) (status.Report, error)
	// Answer carries out a command of package control.
	Answer(context.Context, control.Request) control.Response

	ServerStats() status.ServerStats
	// Clients lists those with at least so many requests, ordered by address.
	Clients(least uint32, reset bool) []status.Client
	CheckAccess(netip.Addr) status.Access
}

// Door is where a request came in.
type Door bool

// The doors.
const (
	// Loopback is open to every user of this machine.
	Loopback Door = false
	// Socket is open to those whom the file system lets in.
	Socket Door = true
)

// Commands are how many requests came, and how many of them got no reply.
type Commands struct{ Received, Dropped uint64 }

// Handler answers requests. It is not safe for use by several goroutines: Server
// is. The zero value with a Daemon is ready.
type Handler struct {
	Daemon Daemon

	counts Commands
	// clients are those that a client reads page by page, as they were when it
	// asked for the first page.
	clients []status.Client
}

// Reply appends the reply to a request to out, which is left as it is where
// there is none: the request is none, or too short for any reply. A reply is
// never longer than its request.
func (h *Handler) Reply(ctx context.Context, door Door, request, out []byte) []byte {
	h.counts.Received++
	answer := h.reply(ctx, door, request)
	if answer == nil || len(answer) > len(request) {
		h.counts.Dropped++
		return out
	}
	return append(out, answer...)
}

// question is a request that is long enough for its command.
type question struct {
	command command
	data    []byte
	length  int // of the whole request: the longest reply that may be given
}

// longest returns how many bytes of data a reply may have.
func (q *question) longest() int { return q.length - replyHeader }

// reply returns the whole reply, or nil.
func (h *Handler) reply(ctx context.Context, door Door, b []byte) []byte {
	if len(b) < replyHeader || len(b) > MaxRequest || b[1] != typeRequest || b[2] != 0 || b[3] != 0 {
		return nil
	}
	q := question{command: command(binary.BigEndian.Uint16(b[4:])), data: b[requestHeader:], length: len(b)}
	known, ok := shapes(q.command)
	switch {
	case b[0] < oldestMismatch:
		return nil
	case b[0] != protoVersion:
		return finish(b, nil, fmtNull, badPacketVersion)
	case !ok:
		return finish(b, nil, fmtNull, invalidCommand)
	case len(b) < known.length():
		return finish(b, nil, fmtNull, badPacketLength)
	}
	r := make(reply, replyHeader, max(len(b), replyHeader))
	layout, res := fmtNull, notAuthorised
	switch {
	case door == Socket:
		layout, res = h.answer(ctx, &q, &r)
	case q.command.open():
		layout, res = h.show(ctx, &q, &r)
	}
	return finish(b, r, layout, res)
}

// finish writes the header of a reply; r holds its data behind the room for it.
func finish(request []byte, r reply, f format, res result) []byte {
	if len(r) < replyHeader || f == fmtNull {
		r = make(reply, replyHeader)
	}
	r[0], r[1] = protoVersion, typeReply
	copy(r[4:6], request[4:6])
	binary.BigEndian.PutUint16(r[6:], uint16(f))
	binary.BigEndian.PutUint16(r[8:], uint16(res))
	copy(r[16:20], request[8:12])
	return r
}

// answer answers those who may ask everything.
func (h *Handler) answer(ctx context.Context, q *question, r *reply) (format, result) {
	if req, ok := simple(q); ok {
		return fmtNull, h.do(ctx, req)
	}
	switch q.command {
	case cmdOnline, cmdOffline, cmdBurst:
		return fmtNull, h.steer(ctx, q)
	case cmdAccheck:
		if a := parseAddress(q.data).ip; a.IsValid() && h.Daemon.CheckAccess(a.Unmap()).Allowed {
			return fmtNull, accessAllowed
		}
		return fmtNull, accessDenied
	case cmdSmoothTime: // simple knows what it can be asked for
		return fmtNull, invalidCommand
	case cmdCmdAccheck: // nobody may command by the network
		return fmtNull, accessDenied
	case cmdServerStats:
		return h.serverStats(q, r), success
	case cmdClientsByIndex1, cmdClientsByIndex2, cmdClientsByIndex3:
		return h.clientAccesses(q, r), success
	}
	return h.show(ctx, q, r)
}

// show answers what only shows the clock and its sources.
func (h *Handler) show(ctx context.Context, q *question, r *reply) (format, result) {
	switch q.command {
	case cmdRTCReport:
		return fmtNull, noRTC // the kernel keeps it, if there is one
	case cmdManualList:
		r.u32(0) // no time is ever given by hand
		r.zeros(manualLength - 4)
		return fmtManualList2, success
	}
	report, err := h.Daemon.Report(ctx)
	if err != nil {
		return fmtNull, failed
	}
	switch q.command {
	case cmdTracking:
		r.tracking(&report.Tracking)
		return fmtTracking, success
	case cmdActivity:
		r.activity(&report.Activity)
		return fmtActivity, success
	case cmdNSources:
		r.count(uint64(len(report.Sources)))
		return fmtNSources, success
	case cmdSmoothing:
		if !report.Smoothing.Enabled {
			return fmtNull, notEnabled
		}
		r.smoothing(&report.Smoothing)
		return fmtSmoothing, success
	}
	return showSource(q, &report, r)
}

// showSource answers what is asked about one source.
func showSource(q *question, report *status.Report, r *reply) (format, result) {
	var i int
	switch q.command {
	case cmdSourceData, cmdSourcestats, cmdSelectData:
		i = int(min(binary.BigEndian.Uint32(q.data), uint32(len(report.Sources))))
	case cmdSourceName, cmdAuthData, cmdNTPData:
		i = find(report, parseAddress(q.data))
	default:
		return fmtNull, notAuthorised
	}
	if i < 0 || i >= len(report.Sources) {
		return fmtNull, noSuchSource
	}
	s := &report.Sources[i]
	switch q.command {
	case cmdSourceData:
		r.sourceData(s, place(i, s))
		return fmtSourceData, success
	case cmdSourcestats:
		r.sourcestats(s, host(i, s))
		return fmtSourcestats, success
	case cmdSelectData:
		r.selectData(s, host(i, s))
		return fmtSelectData, success
	case cmdSourceName:
		return r.sourceName(s)
	case cmdAuthData:
		r.authData(&s.Auth)
		return fmtAuthData, success
	}
	return r.ntpData(s, q.longest()), success
}

// host is the place of a source on the network. A reference clock has none: what
// stands for its address are the letters of its reference ID.
func host(i int, s *status.Source) address {
	if s.Kind == status.KindRefClock {
		return address{}
	}
	return place(i, s)
}

// place is what stands for source i: its address, or while that is not known
// its number.
func place(i int, s *status.Source) address {
	if a := ip(s.Address); a.ip.IsValid() {
		return a
	}
	return address{id: uint32(i) + 1}
}

// find returns the index of the host that an address means, or -1.
func find(report *status.Report, a address) int {
	if a == (address{}) {
		return -1
	}
	if a.ip.IsValid() {
		a.ip = a.ip.Unmap()
	}
	for i := range report.Sources {
		if host(i, &report.Sources[i]) == a {
			return i
		}
	}
	return -1
}

// serverStats chooses the newest format for which the client has left room.
func (h *Handler) serverStats(q *question, r *reply) format {
	s := h.Daemon.ServerStats()
	counts := []uint64{ // in the order of the newest format
		s.Received, s.KEAccepted, h.counts.Received, s.Dropped, s.KEDropped, h.counts.Dropped, s.ClientsDropped,
		s.Authenticated, s.Interleaved, uint64(s.Held), uint64(s.HeldSpanS),
		s.DaemonRX, s.DaemonTX, s.KernelRX, s.KernelTX, 0, 0,
	}
	f, n := fmtServerStats1, 7
	switch room := q.longest(); {
	case room >= serverStats4:
		for _, c := range counts {
			r.u64(c)
		}
		*r = append(*r, slices.Repeat([]byte{0xff}, serverStats4-8*len(counts))...)
		return fmtServerStats4
	case room >= serverStats3:
		f, n = fmtServerStats3, 11
	case room >= serverStats2:
		f, n = fmtServerStats2, 8
	}
	for i, c := range counts[:n] {
		if f == fmtServerStats1 && (i == 1 || i == 4) {
			continue // of key establishment it knows nothing
		}
		r.count(c)
	}
	return f
}

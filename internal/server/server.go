package server

import (
	"errors"
	"io"
	"net/netip"
	"slices"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/mac"
	"ntsd/internal/ntptime"
	"ntsd/internal/nts"
	"ntsd/internal/wire"
)

// Specification constants.
const (
	maxStratum = 16  // RFC 5905 figure 11: unsynchronised from here on
	portNTP    = 123 // RFC 5905 section 7.2
	// maxDispersion is that of a clock nobody knows anything about: RFC 5905
	// section 7.2, MAXDISP.
	maxDispersion = 16 * time.Second
	minVersion    = 1
	maxVersion    = 4
	versionMode   = 2 // the first version with a mode field
)

// Config is what a Server needs for as long as it lives.
type Config struct {
	// Cookies opens and makes the cookies of NTS clients; nil: requests with
	// NTS fields are dropped.
	Cookies *nts.Keyring
	// Rand gives the nonces of NTS replies. It may be nil without Cookies.
	Rand io.Reader
	// Keys are symmetric keys; nil: requests that are authenticated by one are
	// dropped.
	Keys *mac.Ring
	// Policy says who is answered; nil: everybody.
	Policy *Policy
}

// Policy says who is answered, and how. It does not change once made, so all
// workers share it.
type Policy struct {
	Access      *Access   // nil: every address
	LinkLocal   []uint32  // interfaces whose link-local addresses are allowed too, unless a rule denies them
	Interfaces  []uint32  // the indices of those to serve on; empty: all
	RateLimit   RateLimit // needs Request.Clients
	Interleaved bool      // likewise: RFC 9769
	// Control has questions of mode 6 (RFC 9327) from this machine to itself be
	// told apart, not dropped: Verdict Control.
	Control bool
}

// Server answers requests and counts what became of them. It is for one
// goroutine at a time: workers have one each and add up their Counts.
type Server struct {
	cfg       Config
	counts    Counts
	cookies   CookieCounts
	nts       scratch
	schedules schedules
}

// New returns a Server.
func New(cfg Config) *Server {
	if cfg.Policy == nil {
		cfg.Policy = new(Policy)
	}
	return &Server{cfg: cfg}
}

// SetPolicy replaces the policy: interfaces come and go while requests come in.
func (s *Server) SetPolicy(p *Policy) { s.cfg.Policy = p }

// SetCookies replaces the cookie keys: they rotate while requests come in.
func (s *Server) SetCookies(ring *nts.Keyring) { s.cfg.Cookies = ring }

// SetKeys replaces the symmetric keys.
func (s *Server) SetKeys(ring *mac.Ring) { s.cfg.Keys = ring }

// Counts returns how often each verdict was given.
func (s *Server) Counts() Counts { return s.counts }

// Request is a datagram and what is known about its arrival.
type Request struct {
	Data     []byte // only read, and only during the call
	From     netip.AddrPort
	Local    netip.Addr // where it was sent to; the zero Addr when unknown
	Received clock.Wall // when it arrived: best taken by the kernel

	Interface uint32     // the index of the one it came in on; 0: unknown
	At        clock.Mono // when it arrived, to a millisecond or so; only for Clients
	// Clients is the memory that From belongs to; nil: none. It is locked for
	// the call where several workers share it.
	Clients *Clients
}

// System is what a reply says about the clock behind it (RFC 5905 section
// 11.1). LeapUnsynchronised or a Stratum of 0 or above 15 tell the client not
// to use it.
type System struct {
	Leap           event.Leap
	Stratum        uint8
	Precision      ntptime.Exponent
	RootDelay      time.Duration
	RootDispersion time.Duration // at the moment of the reply
	ReferenceID    wire.ReferenceID
	ReferenceTime  clock.Wall // of the last clock update
}

// synchronised reports whether a client may use the clock.
func (sys *System) synchronised() bool {
	return sys.Leap != event.LeapUnsynchronised && sys.Stratum > 0 && sys.Stratum < maxStratum
}

// Reply judges req and, when the verdict has a reply, appends it to dst.
// Otherwise dst comes back as it was. now is the wall time at which the reply
// leaves. A plain reply allocates nothing when dst has room for it: a reply
// is never longer than its request.
func (s *Server) Reply(dst []byte, req Request, now clock.Wall, sys System) ([]byte, Verdict) {
	dst, v := s.reply(dst, &req, now, &sys)
	s.counts[v]++
	return dst, v
}

func (s *Server) reply(dst []byte, req *Request, now clock.Wall, sys *System) ([]byte, Verdict) {
	if !answerable(req) {
		return dst, DropSource
	}
	a := answer{req: req}
	var err error
	a.in, err = wire.ParseHeader(req.Data)
	if err != nil {
		return dst, s.control(req, DropShort)
	}
	if a.in.Version < minVersion || a.in.Version > maxVersion {
		return dst, DropVersion
	}
	mode, ok := replyMode(&a.in, req.From.Port())
	if !ok {
		return dst, s.control(req, DropMode)
	}
	if v := s.cfg.Policy.judge(req); v != Answered {
		return dst, v
	}
	a.fill(mode, now, sys)
	var judged judgement
	a.client, judged = s.visit(req)
	switch judged {
	case above:
		return dst, DropRate
	case kissed:
		return s.kiss(dst, &a)
	}
	if len(req.Data) == wire.HeaderLen {
		v := s.complete(&a)
		return a.out.Append(dst), v
	}
	return s.replyExtended(dst, &a)
}

// answer is a reply in the making.
type answer struct {
	req     *Request
	client  *record // nil: nothing is remembered
	in, out wire.Header
}

// complete is called once it is sure that the reply goes out: it remembers the
// reply for interleaved mode, or turns it into one.
func (s *Server) complete(a *answer) Verdict {
	if a.client == nil || !s.cfg.Policy.Interleaved || a.out.Mode != wire.ModeServer {
		return Answered
	}
	return a.req.Clients.interleave(a.client, &a.in, &a.out)
}

// replyExtended answers a request that is longer than a header.
func (s *Server) replyExtended(dst []byte, a *answer) ([]byte, Verdict) {
	fields, err := nts.ParseServerRequest(a.req.Data)
	switch {
	case err == nil && a.out.Mode == wire.ModeServer:
		return s.replyNTS(dst, &fields, a)
	case err == nil: // RFC 8915 §5.4, §5.6: "MUST NOT be included" in other modes
		return dst, DropMode
	case !errors.Is(err, nts.ErrNotNTS):
		return dst, DropFormat
	}
	if m := mac.Of(a.req.Data); len(m) > 0 {
		return s.replyMAC(dst, m, a, AnsweredMAC)
	}
	v := s.complete(a)
	if a.out.Mode != wire.ModeServer { // RFC 8915 §5.3: the identifier is not defined there
		return a.out.Append(dst), v
	}
	return nts.AppendPlainResponse(dst, a.out, &fields), v
}

// judge returns Answered, or why the policy forbids it.
func (p *Policy) judge(req *Request) Verdict {
	if req.From.Addr().Unmap().IsLoopback() {
		return Answered
	}
	if len(p.Interfaces) > 0 && req.Interface != 0 && !slices.Contains(p.Interfaces, req.Interface) {
		return DropInterface
	}
	if p.Access == nil || p.Allows(req.From.Addr(), req.Interface) {
		return Answered
	}
	return DropAccess
}

// Allows reports whether a client that comes by that interface may have the
// time.
func (p *Policy) Allows(client netip.Addr, by uint32) bool {
	return p.Access.Allowed(client) || p.linkLocal(client, by)
}

// linkLocal reports whether the client is allowed by the interface alone: every
// one has the same subnet of such addresses, so no prefix can tell them apart.
func (p *Policy) linkLocal(client netip.Addr, by uint32) bool {
	if !client.IsLinkLocalUnicast() || !slices.Contains(p.LinkLocal, by) {
		return false
	}
	_, ruled := p.Access.Deciding(client)
	return !ruled
}

// visit notes the request in the memory of clients, where there is one, and
// asks the rate limit.
func (s *Server) visit(req *Request) (*record, judgement) {
	if req.Clients == nil {
		return nil, within
	}
	r := req.Clients.visit(req.From.Addr(), req.At)
	return r, req.Clients.judge(&s.cfg.Policy.RateLimit, r, req.At)
}

// kiss tells the client to poll less often (RFC 5905 section 7.4: RATE), at
// least as slowly as the limit wants it. A reply that could not be believed
// anyway is not sent.
func (s *Server) kiss(dst []byte, a *answer) ([]byte, Verdict) {
	req, data, out := a.req, a.req.Data, a.out
	if out.Mode != wire.ModeServer {
		return dst, DropRate
	}
	out.Poll = max(out.Poll, s.cfg.Policy.RateLimit.Interval)
	out.Leap, out.Stratum, out.ReferenceID = wire.LeapUnknown, 0, wire.KissRate.ReferenceID()
	if len(data) == wire.HeaderLen {
		return out.Append(dst), KissRate
	}
	fields, err := nts.ParseServerRequest(data)
	switch m := mac.Of(data); {
	case err == nil:
		return nts.AppendKiss(dst, out, &fields, wire.KissRate), KissRate
	case errors.Is(err, nts.ErrNotNTS) && len(m) > 0:
		return s.replyMAC(dst, m, &answer{req: req, out: out}, KissRate)
	case errors.Is(err, nts.ErrNotNTS):
		return nts.AppendPlainResponse(dst, out, &fields), KissRate
	}
	return dst, DropRate
}

// answerable reports whether a reply to the sender can only reach the sender.
// RFC 5905 section 9.2 leaves it to the implementation; a reply to port 0 or to
// a group cannot be wanted, and whoever asks a group should not draw replies
// from all of it.
func answerable(req *Request) bool {
	from := req.From.Addr().Unmap()
	limitedBroadcast := netip.AddrFrom4([4]byte{255, 255, 255, 255})
	switch {
	case req.From.Port() == 0, !from.IsValid(), from.IsUnspecified(),
		from.IsMulticast(), from == limitedBroadcast:
		return false
	}
	local := req.Local.Unmap()
	// From loopback to another address of ours: nobody's program does that, but
	// a packet from outside may claim it.
	if from.IsLoopback() && local.IsValid() && !local.IsLoopback() {
		return false
	}
	return !local.IsMulticast() && local != limitedBroadcast
}

// replyMode returns the mode that answers in.
func replyMode(in *wire.Header, port uint16) (wire.Mode, bool) {
	switch in.Mode {
	case wire.ModeClient:
		return wire.ModeServer, true
	case wire.ModeSymmetricActive:
		// RFC 5905 §9.2 would mobilise an association; without one the reply
		// still lets a simple peer use us as its server.
		return wire.ModeSymmetricPassive, true
	case wire.ModeReserved:
		// RFC 1059: version 1 has no mode field; a client is known by its port.
		if in.Version < versionMode && port != portNTP {
			return wire.ModeServer, true
		}
	}
	return 0, false
}

// fill makes the reply's header (RFC 5905 section 14, figure 31).
func (a *answer) fill(mode wire.Mode, now clock.Wall, sys *System) {
	out := &a.out
	out.Leap = wire.LeapUnknown
	out.Version = a.in.Version
	out.Mode = mode
	out.Poll = a.in.Poll
	out.Precision = sys.Precision
	out.RootDelay = ntptime.ShortFrom(sys.RootDelay)
	out.RootDispersion = ntptime.ShortFrom(sys.RootDispersion)
	out.Origin = a.in.Transmit
	out.Receive = ntptime.FromWall(a.req.Received)
	out.Transmit = ntptime.FromWall(now)
	// Silence would make clients look for a dead server; the leap indicator
	// and stratum 0 (RFC 5905 §7.3: unspecified) tell them why it is no use.
	// The reference ID stays zero then: at stratum 0 it would be a kiss code.
	if !sys.synchronised() {
		out.RootDelay, out.RootDispersion = 0, ntptime.ShortFrom(maxDispersion)
	} else {
		out.Leap = wire.Leap(sys.Leap)
		out.Stratum = sys.Stratum
		out.ReferenceID = sys.ReferenceID
		out.ReferenceTime = ntptime.FromWall(sys.ReferenceTime)
	}
}

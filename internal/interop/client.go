package interop

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/nts"
	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

// Implementation constants.
const (
	maxReply = 4096 // bytes of a datagram that are read
	ntpPort  = 123
)

// errNoCookie says that a session is used up.
var errNoCookie = errors.New("interop: no cookie left")

// KissError is an unauthenticated kiss-o'-death.
type KissError struct{ Code wire.KissCode }

func (e *KissError) Error() string { return "interop: kiss " + e.Code.String() }

// Establish runs one key establishment with the server at ke and returns the
// session. It is the least client that can be, to try servers with; the daemon
// has its own. Its socket is opened by the calling goroutine (see Host.Do).
func Establish(ctx context.Context, roots *x509.CertPool, ke netip.AddrPort, aeads ...siv.Algorithm) (nts.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{
		RootCAs:    roots,
		MinVersion: tls.VersionTLS13,
		NextProtos: []string{nts.ALPN},
		ServerName: ke.Addr().String(),
	}}
	c, err := dialer.DialContext(ctx, "tcp", ke.String())
	if err != nil {
		return nts.Session{}, fmt.Errorf("interop: %w", err)
	}
	defer c.Close()
	conn := c.(*tls.Conn)
	_, err = conn.Write(nts.AppendRequest(nil, nts.Request{
		Protocols: []uint16{nts.ProtocolNTPv4}, AEADs: aeads, CompliantGCMSIV: true,
	}))
	if err != nil {
		return nts.Session{}, fmt.Errorf("interop: %w", err)
	}
	msg, err := io.ReadAll(io.LimitReader(conn, nts.MaxResponseMessage))
	if err != nil {
		return nts.Session{}, fmt.Errorf("interop: %w", err)
	}
	resp, err := nts.ParseResponse(msg, aeads)
	if err != nil {
		return nts.Session{}, err
	}
	return session(conn, ke, resp)
}

// session turns a response into keys, cookies and an address.
func session(conn *tls.Conn, ke netip.AddrPort, resp nts.Response) (nts.Session, error) {
	state := conn.ConnectionState()
	id, _ := nts.ExporterIDs(resp.AEAD, resp.CompliantGCMSIV)
	s := nts.Session{AEAD: resp.AEAD, Cookies: resp.Cookies, KEAddr: ke.Addr(), KEPort: ke.Port()}
	c2s, s2c := nts.ExporterContext(id, true), nts.ExporterContext(id, false)
	var err error
	if s.C2S, err = state.ExportKeyingMaterial(nts.ExporterLabel, c2s[:], resp.AEAD.KeySize()); err != nil {
		return nts.Session{}, fmt.Errorf("interop: %w", err)
	}
	if s.S2C, err = state.ExportKeyingMaterial(nts.ExporterLabel, s2c[:], resp.AEAD.KeySize()); err != nil {
		return nts.Session{}, fmt.Errorf("interop: %w", err)
	}
	addr, port := ke.Addr(), resp.Port
	if resp.Server != "" {
		if addr, err = netip.ParseAddr(resp.Server); err != nil {
			return nts.Session{}, fmt.Errorf("interop: %w", err)
		}
	}
	if port == 0 {
		port = ntpPort
	}
	s.NTPAddr = netip.AddrPortFrom(addr, port)
	return s, nil
}

// Sample is what one exchange yields.
type Sample struct {
	Header wire.Header
	Offset clock.Offset  // by how much the server is ahead
	Delay  time.Duration // how long the reply took
}

// Exchange spends one cookie on a request and waits for the reply. It asks for
// as many cookies as are missing and keeps those that come.
func Exchange(s *nts.Session, wait time.Duration) (Sample, error) {
	cookie, ok := s.TakeCookie()
	if !ok {
		return Sample{}, errNoCookie
	}
	c2s, err := siv.New(s.AEAD, s.C2S)
	if err != nil {
		return Sample{}, err
	}
	s2c, err := siv.New(s.AEAD, s.S2C)
	if err != nil {
		return Sample{}, err
	}
	var uid nts.UniqueID
	rand.Read(uid[:])
	nonce := make([]byte, s.AEAD.NonceSize())
	rand.Read(nonce)
	hdr := newRequest()
	pkt := nts.AppendClientRequest(nil, hdr, uid, cookie,
		nts.Placeholders(len(s.Cookies), cookie, nts.MaxCookies), c2s, nonce)
	trip, err := roundTrip(s.NTPAddr, pkt, wait)
	if err != nil {
		return Sample{}, err
	}
	if code, ok := nts.UnauthenticatedKiss(trip.reply, &uid); ok {
		return Sample{}, &KissError{code}
	}
	reply, err := nts.OpenResponse(trip.reply, &uid, s2c)
	if err != nil {
		return Sample{}, err
	}
	s.AddCookies(reply.Cookies)
	return trip.sample(hdr, reply.Header)
}

// ExchangePlain sends one request without NTS and waits for the reply.
func ExchangePlain(to netip.AddrPort, wait time.Duration) (Sample, error) {
	hdr := newRequest()
	trip, err := roundTrip(to, hdr.Append(nil), wait)
	if err != nil {
		return Sample{}, err
	}
	reply, err := wire.ParseHeader(trip.reply)
	if err != nil {
		return Sample{}, err
	}
	return trip.sample(hdr, reply)
}

// newRequest returns a request that tells nothing but that it is one.
func newRequest() wire.Header {
	var transmit [8]byte
	rand.Read(transmit[:])
	h, _ := wire.ParseHeader(append(make([]byte, wire.HeaderLen-len(transmit)), transmit[:]...))
	h.Version, h.Mode = wire.Version, wire.ModeClient
	return h
}

// trip is a datagram's way there and back.
type trip struct {
	sent     time.Time
	received time.Time
	reply    []byte
}

func roundTrip(to netip.AddrPort, pkt []byte, wait time.Duration) (trip, error) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		return trip{}, fmt.Errorf("interop: %w", err)
	}
	defer conn.Close()
	t := trip{sent: time.Now(), reply: make([]byte, maxReply)}
	if err := conn.SetDeadline(t.sent.Add(wait)); err != nil {
		return trip{}, fmt.Errorf("interop: %w", err)
	}
	if _, err := conn.Write(pkt); err != nil {
		return trip{}, fmt.Errorf("interop: %w", err)
	}
	n, err := conn.Read(t.reply)
	if err != nil {
		return trip{}, fmt.Errorf("interop: %w", err)
	}
	t.received, t.reply = time.Now(), t.reply[:n]
	return t, nil
}

func (t trip) sample(request, reply wire.Header) (Sample, error) {
	if reply.Mode != wire.ModeServer || reply.Origin != request.Transmit {
		return Sample{}, fmt.Errorf("interop: not a reply to our request: %+v", reply)
	}
	delay := t.received.Sub(t.sent)
	middle := clock.WallTime(t.sent.Add(delay / 2))
	return Sample{Header: reply, Offset: reply.Transmit.Wall(middle).Sub(middle), Delay: delay}, nil
}

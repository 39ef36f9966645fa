package interop

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/linux/udp"
	"ntsd/internal/nts"
	"ntsd/internal/ntske"
	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

// errNoCookie says that a session is used up.
var errNoCookie = errors.New("interop: no cookie left")

// KissError is an unauthenticated kiss-o'-death.
type KissError struct{ Code wire.KissCode }

func (e *KissError) Error() string { return "interop: kiss " + e.Code.String() }

// Establish runs one key establishment with the server at ke and returns the
// session. Its socket is opened by the calling goroutine (see Host.Do).
func Establish(ctx context.Context, roots *x509.CertPool, ke netip.AddrPort, aeads ...siv.Algorithm) (nts.Session, error) {
	res, err := ntske.NewClient().Exchange(ctx, ntske.Request{
		Name: ke.Addr().String(), Addr: ke, AEADs: aeads, Roots: roots,
		Verify: event.Verify{At: machineWall()},
	})
	if err != nil {
		return nts.Session{}, err
	}
	return res.Session, nil
}

// Sample is what one exchange yields.
type Sample struct {
	Header wire.Header
	Offset clock.Offset  // by how much the server is ahead
	Delay  time.Duration // of the network, both ways
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

// trip is a datagram's way there and back, by this machine's clock.
type trip struct {
	sent, received clock.Wall
	reply          []byte
}

func machineWall() clock.Wall { return clock.WallTime(time.Now()) }

func roundTrip(to netip.AddrPort, pkt []byte, wait time.Duration) (trip, error) {
	conn, err := udp.Open(to, udp.Config{Now: machineWall})
	if err != nil {
		return trip{}, err
	}
	defer conn.Close()
	if err := conn.SetTimeout(wait); err != nil {
		return trip{}, fmt.Errorf("interop: %w", err)
	}
	if err := conn.Send(pkt); err != nil {
		return trip{}, err
	}
	buf := make([]byte, udp.MaxDatagram)
	n, received, err := conn.Receive(buf)
	if err != nil {
		return trip{}, err
	}
	return trip{sent: conn.Tx().Wall, received: received.Wall, reply: buf[:n]}, nil
}

// sample computes offset and delay (RFC 5905 section 8).
func (t trip) sample(request, reply wire.Header) (Sample, error) {
	if reply.Mode != wire.ModeServer || reply.Origin != request.Transmit {
		return Sample{}, fmt.Errorf("interop: not a reply to our request: %+v", reply)
	}
	receive, transmit := reply.Receive.Wall(t.sent), reply.Transmit.Wall(t.received)
	there, back := receive.Sub(t.sent), transmit.Sub(t.received)
	return Sample{Header: reply, Offset: (there + back) / 2, Delay: (there - back).Duration()}, nil
}

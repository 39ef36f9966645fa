package demo

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/ntptime"
	"ntsd/internal/nts"
	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

// deadline is how long a test waits for what must come. Nothing waits for it
// in a test that passes, but for replies that must not come (silence).
const (
	deadline = 10 * time.Second
	silence  = 50 * time.Millisecond
)

// establish runs a key establishment and returns what it yields.
func establish(ctx context.Context, ca *CA, ke netip.AddrPort, aeads ...siv.Algorithm) (nts.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{
		RootCAs:    ca.Pool(),
		MinVersion: tls.VersionTLS13,
		NextProtos: []string{nts.ALPN},
		ServerName: ke.Addr().String(),
	}}
	c, err := dialer.DialContext(ctx, "tcp", ke.String())
	if err != nil {
		return nts.Session{}, err
	}
	defer c.Close()
	conn := c.(*tls.Conn)
	_, err = conn.Write(nts.AppendRequest(nil, nts.Request{
		Protocols: []uint16{nts.ProtocolNTPv4}, AEADs: aeads, CompliantGCMSIV: true,
	}))
	if err != nil {
		return nts.Session{}, err
	}
	msg, err := io.ReadAll(io.LimitReader(conn, nts.MaxResponseMessage))
	if err != nil {
		return nts.Session{}, err
	}
	resp, err := nts.ParseResponse(msg, aeads)
	if err != nil {
		return nts.Session{}, err
	}
	return session(conn, ke, resp)
}

func session(conn *tls.Conn, ke netip.AddrPort, resp nts.Response) (nts.Session, error) {
	state := conn.ConnectionState()
	id, _ := nts.ExporterIDs(resp.AEAD, resp.CompliantGCMSIV)
	s := nts.Session{AEAD: resp.AEAD, Cookies: resp.Cookies}
	var err error
	if s.C2S, err = exportKey(&state, id, resp.AEAD, true); err != nil {
		return s, err
	}
	if s.S2C, err = exportKey(&state, id, resp.AEAD, false); err != nil {
		return s, err
	}
	addr, port := ke.Addr(), resp.Port
	if resp.Server != "" {
		if addr, err = netip.ParseAddr(resp.Server); err != nil {
			return s, err
		}
	}
	if port == 0 {
		port = ntpPort
	}
	s.NTPAddr = netip.AddrPortFrom(addr, port)
	return s, nil
}

// sample is one exchange.
type sample struct {
	header wire.Header
	offset clock.Offset // by how much the server was ahead
}

// exchange sends one NTS request and waits for its reply.
func exchange(s *nts.Session, wait time.Duration) (sample, error) {
	cookie, ok := s.TakeCookie()
	if !ok {
		return sample{}, fmt.Errorf("no cookie left")
	}
	c2s, err := siv.New(s.AEAD, s.C2S)
	if err != nil {
		return sample{}, err
	}
	s2c, err := siv.New(s.AEAD, s.S2C)
	if err != nil {
		return sample{}, err
	}
	var uid nts.UniqueID
	rand.Read(uid[:])
	nonce := make([]byte, s.AEAD.NonceSize())
	rand.Read(nonce)
	hdr := wire.Header{Version: 4, Mode: wire.ModeClient, Transmit: 0x1122334455667788}
	pkt := nts.AppendClientRequest(nil, hdr, uid, cookie,
		nts.Placeholders(len(s.Cookies), cookie, nts.MaxCookies), c2s, nonce)
	sent, raw, received, err := roundTrip(s.NTPAddr, pkt, wait)
	if err != nil {
		return sample{}, err
	}
	if code, ok := nts.UnauthenticatedKiss(raw, &uid); ok {
		return sample{}, fmt.Errorf("kiss %v", code)
	}
	reply, err := nts.OpenResponse(raw, &uid, s2c)
	if err != nil {
		return sample{}, err
	}
	s.AddCookies(reply.Cookies)
	middle := sent.Add(received.Sub(sent).Duration() / 2)
	return sample{reply.Header, reply.Header.Transmit.Wall(middle).Sub(middle)}, nil
}

func roundTrip(to netip.AddrPort, pkt []byte, wait time.Duration) (sent clock.Wall, reply []byte, received clock.Wall, err error) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		return 0, nil, 0, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(wait)); err != nil {
		return 0, nil, 0, err
	}
	sent = clock.WallTime(time.Now())
	if _, err := conn.Write(pkt); err != nil {
		return 0, nil, 0, err
	}
	buf := make([]byte, maxDatagram)
	n, err := conn.Read(buf)
	return sent, buf[:n], clock.WallTime(time.Now()), err
}

// plain sends a request without NTS.
func plain(to netip.AddrPort, wait time.Duration) (wire.Header, error) {
	hdr := wire.Header{Version: 4, Mode: wire.ModeClient, Transmit: ntptime.Timestamp(7)}
	_, raw, _, err := roundTrip(to, hdr.Append(nil), wait)
	if err != nil {
		return wire.Header{}, err
	}
	return wire.ParseHeader(raw)
}

func loopback(t *testing.T) netip.AddrPort {
	t.Helper()
	return netip.MustParseAddrPort("127.0.0.1:0")
}

func newTestCA(t *testing.T) *CA {
	t.Helper()
	ca, err := NewCA("test CA", time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// startServer starts a server on the loopback interface that ends with the test.
func startServer(t *testing.T, ca *CA, cfg ServerConfig) *Server {
	t.Helper()
	cert, err := ca.Issue(CertSpec{
		Addrs:     []netip.Addr{loopback(t).Addr()},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Cert, cfg.KEAddr, cfg.NTPAddr = cert, loopback(t), loopback(t)
	s, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

package ntske

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"ntsd/internal/event"
	"ntsd/internal/nts"
	"ntsd/internal/siv"
)

// hello runs an exchange and returns what the client offered.
func (w world) hello(t *testing.T) *tls.ClientHelloInfo {
	t.Helper()
	got := make(chan *tls.ClientHelloInfo, 1)
	cfg := serverTLS(leaf(t, w.ca, nil).tls())
	cfg.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		got <- h
		return nil, nil
	}
	if _, err := w.exchange(t, serve(t, cfg, sends(good()))); err != nil {
		t.Fatal(err)
	}
	return <-got
}

// RFC 8915 §3: TLS 1.3 and ntske/1, nothing else; and no way back into an
// earlier session, whatever the server would like. The same must hold in every
// build: fips140 on and off, and with the frozen module.
func TestClientHello(t *testing.T) {
	const preSharedKey, earlyData = 41, 42 // RFC 8446 section 4.2
	w := newWorld(t)
	for range 2 { // the second could resume the first
		h := w.hello(t)
		if !slices.Equal(h.SupportedVersions, []uint16{tls.VersionTLS13}) {
			t.Errorf("versions %x, want 1.3 alone", h.SupportedVersions)
		}
		if !slices.Equal(h.SupportedProtos, []string{"ntske/1"}) {
			t.Errorf("protocols %q, want ntske/1 alone", h.SupportedProtos)
		}
		groups := h.SupportedCurves
		if len(groups) == 0 || groups[0] != tls.X25519MLKEM768 || !slices.Contains(groups, tls.CurveP256) {
			t.Errorf("groups %v, want the hybrid X25519MLKEM768 first, and P-256", groups)
		}
		if slices.Contains(h.Extensions, preSharedKey) || slices.Contains(h.Extensions, earlyData) {
			t.Errorf("extensions %v: the client wants to resume", h.Extensions)
		}
	}
}

// The server takes the hybrid where the client has it, a classical group where
// not, and resumes nothing.
func TestServerTLS(t *testing.T) {
	h := newHouse(t, nil)
	addr := h.start(t)
	request := nts.AppendRequest(nil, nts.Request{Protocols: []uint16{0}, AEADs: preferred})
	for _, c := range []struct {
		offered []tls.CurveID
		want    tls.CurveID
	}{
		{nil, tls.X25519MLKEM768},
		{[]tls.CurveID{tls.CurveP256, tls.X25519MLKEM768}, tls.X25519MLKEM768},
		{[]tls.CurveID{tls.CurveP256}, tls.CurveP256},
	} {
		cfg := h.clientTLS()
		cfg.CurvePreferences = c.offered
		cfg.ClientSessionCache = tls.NewLRUClientSessionCache(4)
		for range 2 {
			conn, err := tls.Dial("tcp", addr.String(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			ask(t, conn, request)
			cs := conn.ConnectionState()
			if cs.CurveID != c.want || cs.Version != tls.VersionTLS13 || cs.NegotiatedProtocol != nts.ALPN {
				t.Errorf("offered %v: %v, version %x, %q", c.offered, cs.CurveID, cs.Version, cs.NegotiatedProtocol)
			}
			if cs.DidResume {
				t.Errorf("offered %v: resumed", c.offered)
			}
			conn.Close()
		}
	}
}

// RFC 8915 §4: "After sending their respective request and response, the client
// and server SHALL send TLS close_notify alerts", also when the client does not
// like the response.
func TestClientCloses(t *testing.T) {
	w := newWorld(t)
	cert := leaf(t, w.ca, nil).tls()
	for name, response := range map[string][]byte{
		"good": good(), "error": nts.AppendError(nil, nts.CodeInternal), "malformed": append(good(), 1),
	} {
		end := make(chan int, 1)
		_, _ = w.exchange(t, listen(t, func(raw net.Conn) {
			tap := &tap{Conn: raw}
			conn := tls.Server(tap, serverTLS(cert))
			if conn.Handshake() != nil {
				return
			}
			_, _ = readMessage(conn, nts.MaxRequestMessage)
			_, _ = conn.Write(response)
			_, _ = io.ReadAll(conn)
			end <- lastRecord(tap.got)
		}))
		if n := <-end; n != alertLen {
			t.Errorf("%s response: the last record has %d bytes, want an alert of %d", name, n, alertLen)
		}
	}
}

// alertLen is the length of an encrypted alert: header, alert, content type,
// tag. crypto/tls does not tell whether one came before the end.
const alertLen = 5 + 2 + 1 + 16

// tap keeps what is read.
type tap struct {
	net.Conn
	got []byte
}

func (t *tap) Read(b []byte) (int, error) {
	n, err := t.Conn.Read(b)
	t.got = append(t.got, b[:n]...)
	return n, err
}

// lastRecord returns the length of the last TLS record of b.
func lastRecord(b []byte) (n int) {
	for len(b) >= 5 {
		n = min(5+int(b[3])<<8+int(b[4]), len(b))
		b = b[n:]
	}
	return n
}

// RFC 8915 §4 again, for the server.
func TestServerCloses(t *testing.T) {
	h := newHouse(t, nil)
	addr := h.start(t)
	good := nts.AppendRequest(nil, nts.Request{Protocols: []uint16{0}, AEADs: preferred})
	for name, request := range map[string][]byte{"good": good, "bad": append(bytes.Clone(good), 1)} {
		raw, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		tap := &tap{Conn: raw}
		conn := tls.Client(tap, h.clientTLS())
		_, _ = conn.Write(request)
		_, _ = io.ReadAll(conn)
		conn.Close()
		// A record's header holds its length, so the last one is easy to tell.
		if n := lastRecord(tap.got); n != alertLen {
			t.Errorf("%s request: the last record has %d bytes, want an alert of %d", name, n, alertLen)
		}
	}
}

// filledTo returns a message of exactly n bytes with an unknown record in front.
func filledTo(n int, msg []byte) []byte {
	b := nts.Record{Type: 0x1234, Body: make([]byte, n-len(msg)-4)}.Append(nil)
	return append(b, msg...)
}

// RFC 8915 §4: "servers MUST accept requests of at least 1024 octets, and
// clients SHOULD accept responses of at least 65536 octets".
func TestLengthLimits(t *testing.T) {
	h := newHouse(t, nil)
	addr := h.start(t)
	plain := nts.AppendRequest(nil, nts.Request{Protocols: []uint16{0}, AEADs: preferred})
	if _, err := nts.ParseResponse(ask(t, h.dial(t, addr), filledTo(1024, plain)), preferred); err != nil {
		t.Errorf("request of 1024 octets: %v", err)
	}
	w := newWorld(t)
	cert := leaf(t, w.ca, nil).tls()
	if _, err := w.exchange(t, serve(t, serverTLS(cert), sends(filledTo(65536, good())))); err != nil {
		t.Errorf("response of 65536 octets: %v", err)
	}
	_, err := w.exchange(t, serve(t, serverTLS(cert), sends(filledTo(65537, good()))))
	want(t, err, StageProtocol, nts.FailureProtocol, "no end of message within the limit")
}

// A server that nobody has verified yet chooses these names: they reach logs
// and terminals.
func TestNamesFromCertificatesAreTame(t *testing.T) {
	w := newWorld(t)
	evil := "nts\n2030-01-01 all is well\x1b[2J\u202e" + strings.Repeat("x", 5000)
	cert := leaf(t, nil, func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: evil, Organization: []string{evil}} })
	tame := func(what, s string) {
		t.Helper()
		if strings.ContainsAny(s, "\n\x1b\u202e") || len(s) > 1000 {
			t.Errorf("%s is %d bytes: %.200q", what, len(s), s)
		}
	}
	addr := serve(t, serverTLS(cert.tls()), sends(good()))
	for _, edit := range []func(*Request){
		func(*Request) {},
		func(r *Request) { r.Roots, r.Verify = cert.pool(), event.Verify{At: y2031} },
		func(r *Request) { r.Roots, r.Verify = cert.pool(), event.Verify{Tentative: true, Floor: y2031} },
	} {
		w := w
		edit(&w.req)
		_, err := w.exchange(t, addr)
		if err == nil {
			t.Fatal("accepted")
		}
		tame("reason", Reason(err))
		tame("error", err.Error())
	}
	w.req.Roots = cert.pool()
	res, err := w.exchange(t, addr)
	if err != nil {
		t.Fatal(err)
	}
	tame("subject", res.Info.Subject)
	tame("issuer", res.Info.Issuer)
}

// keeper remembers the very slices that it was given.
type keeper struct{ c2s, s2c []byte }

func (k *keeper) AppendCookie(dst []byte, alg siv.Algorithm, c2s, s2c []byte) ([]byte, error) {
	k.c2s, k.s2c = c2s, s2c
	return append(dst, make([]byte, nts.CookieLen(alg))...), nil
}

// The server is stateless: once the cookies are made, it has the keys no more.
func TestServerForgetsKeys(t *testing.T) {
	k := &keeper{}
	h := newHouse(t, func(cfg *ServerConfig) { cfg.Cookies = k })
	res, err := h.exchange(t, h.start(t))
	if err != nil {
		t.Fatal(err)
	}
	h.stop(t, Counters{Accepted: 1, Good: 1})
	zero := make([]byte, len(res.Session.C2S))
	if !bytes.Equal(k.c2s, zero) || !bytes.Equal(k.s2c, zero) || bytes.Equal(res.Session.C2S, zero) {
		t.Error("the server still has a client's keys")
	}
}

// RFC 8915 §4.1.7: "If the client has sent a record of this type, the NTS-KE
// server SHOULD reply with the same record if it is valid and the server is able
// to supply cookies for it": for this host, or the one that it speaks for.
func TestServerNegotiation(t *testing.T) {
	for _, c := range []struct {
		ours     string
		ourPort  uint16
		asked    string
		port     uint16
		want     string
		wantPort uint16
	}{
		{"", 0, "", 0, "", 0},
		{"", 0, "127.0.0.1", 0, "127.0.0.1", 0},
		{"", 0, "::ffff:127.0.0.1", 0, "::ffff:127.0.0.1", 0},
		{"", 1123, "127.0.0.1", 123, "127.0.0.1", 1123},
		{"", 0, "192.0.2.1", 0, "", 0},
		{"", 0, "ntp.test", 99, "", 0},
		{"ntp.test.", 0, "", 0, "ntp.test.", 0},
		{"ntp.test.", 0, "NTP.test", 0, "NTP.test", 0},
		{"ntp.test.", 0, "127.0.0.1", 0, "ntp.test.", 0},
		{"192.0.2.7", 5, "192.0.2.7", 5, "192.0.2.7", 5},
	} {
		h := newHouse(t, func(cfg *ServerConfig) { cfg.NTPServer, cfg.NTPPort = c.ours, c.ourPort })
		addr := h.start(t)
		msg := nts.AppendRequest(nil, nts.Request{Protocols: []uint16{0}, AEADs: preferred, Server: c.asked, Port: c.port})
		resp, err := nts.ParseResponse(ask(t, h.dial(t, addr), msg), preferred)
		if err != nil || resp.Server != c.want || resp.Port != c.wantPort {
			t.Errorf("we are %q:%d, asked for %q:%d: %q:%d, %v; want %q:%d",
				c.ours, c.ourPort, c.asked, c.port, resp.Server, resp.Port, err, c.want, c.wantPort)
		}
	}
	cfg := ServerConfig{Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }, Cookies: &jar{}}
	for _, bad := range []string{"fe80::1%eth0", "[::1]", "héhé", strings.Repeat("a", 300)} {
		cfg.NTPServer = bad
		if _, err := NewServer(cfg); err == nil {
			t.Errorf("NTP server %.20q: no error", bad)
		}
	}
}

// An address in IPv6 clothes is judged and used as what it is.
func TestMappedNTPAddress(t *testing.T) {
	c, ke := NewClient(), netip.MustParseAddr("192.0.2.1")
	got, err := c.ntpAddr(t.Context(), ke, nts.Response{Server: "::ffff:192.0.2.9"})
	if want := netip.MustParseAddrPort("192.0.2.9:123"); err != nil || got != want {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	for _, bad := range []string{"::ffff:255.255.255.255", "::ffff:224.0.1.1", "::ffff:0.0.0.0"} {
		if got, err := c.ntpAddr(t.Context(), ke, nts.Response{Server: bad}); !errors.Is(err, nts.ErrResponse) {
			t.Errorf("%s: %v, %v; want an error", bad, got, err)
		}
	}
}

// Without a resolver of its own the exchange leaves a negotiated name to the
// caller: a resolver in trouble must not cost another key establishment.
func TestNegotiatedNameIsLeftToTheCaller(t *testing.T) {
	w := newWorld(t)
	answer := nts.AppendResponse(nil, nts.Response{AEAD: 15, Cookies: [][]byte{{1}}, Server: "ntp.test", Port: 1123})
	res, err := w.exchange(t, serve(t, serverTLS(leaf(t, w.ca, nil).tls()), sends(answer)))
	if err != nil {
		t.Fatal(err)
	}
	if a := res.Session.NTPAddr; res.NTPServer != "ntp.test" || a.Addr().IsValid() || a.Port() != 1123 {
		t.Errorf("%q at %v, want ntp.test, no address and port 1123", res.NTPServer, a)
	}
}

// Nobody waits for an end that does not come: the response is complete.
func TestClientDoesNotWaitForTheEnd(t *testing.T) {
	w := newWorld(t)
	release := make(chan struct{})
	addr := serve(t, serverTLS(leaf(t, w.ca, nil).tls()), func(conn *tls.Conn) {
		_, _ = conn.Write(good())
		<-release
	})
	start := time.Now()
	_, err := w.exchange(t, addr)
	close(release)
	if err != nil || time.Since(start) > Timeout/2 {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}

package ntske

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/nts"
	"ntsd/internal/siv"
)

var preferred = []siv.Algorithm{siv.AES128GCMSIV, siv.AESSIVCMAC256}

// script is what a server of these tests does with a connection after the
// handshake.
type script func(conn *tls.Conn)

// listen runs play for each connection until the test ends. It returns where.
func listen(t *testing.T, play func(net.Conn)) netip.AddrPort {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				play(conn)
			})
		}
	})
	t.Cleanup(func() { ln.Close(); wg.Wait() })
	return ln.Addr().(*net.TCPAddr).AddrPort()
}

// serve is listen with TLS: it shakes hands, reads a request, and plays.
func serve(t *testing.T, cfg *tls.Config, play script) netip.AddrPort {
	return listen(t, func(raw net.Conn) {
		conn := tls.Server(raw, cfg)
		if conn.Handshake() != nil {
			return
		}
		if _, err := readMessage(conn, nts.MaxRequestMessage); err == nil {
			play(conn)
		}
	})
}

func serverTLS(cert tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{nts.ALPN}, MinVersion: tls.VersionTLS13}
}

// good is a response that suits the request of these tests.
func good() []byte {
	return nts.AppendResponse(nil, nts.Response{AEAD: siv.AESSIVCMAC256, Cookies: [][]byte{bytes.Repeat([]byte{1}, 96)}})
}

// sends is a script that sends b and closes the connection properly.
func sends(b []byte) script {
	return func(conn *tls.Conn) {
		_, _ = conn.Write(b)
		_ = conn.Close()
	}
}

// world is a CA and the request of a client that trusts it.
type world struct {
	ca  *authority
	req Request
}

func newWorld(t testing.TB) world {
	ca := newCA(t, nil, "Test CA")
	return world{ca, Request{
		Name: "nts.test", AEADs: preferred, Roots: ca.pool(), Verify: event.Verify{At: june2030},
	}}
}

// exchange runs the request against addr.
func (w world) exchange(t *testing.T, addr netip.AddrPort) (*Result, error) {
	t.Helper()
	w.req.Addr = addr
	res, err := NewClient().Exchange(t.Context(), w.req)
	var e *Error
	if err != nil && !errors.As(err, &e) {
		t.Errorf("error of type %T, want *Error", err)
	}
	return res, err
}

// want checks how an exchange failed; no stage means that it must not.
func want(t *testing.T, err error, stage Stage, class nts.FailureClass, reason string) {
	t.Helper()
	var e *Error
	if stage == 0 {
		if err != nil {
			t.Errorf("err = %v, want none", err)
		}
		return
	}
	if !errors.As(err, &e) {
		t.Fatalf("err = %v, want one at stage %v", err, stage)
	}
	if e.Stage != stage || ClassOf(err) != class || !strings.Contains(Reason(err), reason) {
		t.Errorf("stage %v, class %v, reason %q\nwant %v, %v, %q (cause: %v)", e.Stage, ClassOf(err), Reason(err), stage, class, reason, e.Err)
	}
	if strings.Contains(Reason(err), "\n") {
		t.Errorf("reason %q has more than one line", Reason(err))
	}
}

func TestResponses(t *testing.T) {
	w := newWorld(t)
	cert := leaf(t, w.ca, nil).tls()
	many := nts.Response{AEAD: siv.AESSIVCMAC256}
	for range 30 {
		many.Cookies = append(many.Cookies, make([]byte, 100))
	}
	with := func(r nts.Record) []byte { return append(r.Append(nil), good()...) }
	cases := []struct {
		name   string
		play   script
		stage  Stage
		class  nts.FailureClass
		reason string
	}{
		{"good", sends(good()), 0, 0, ""},
		{"byte by byte", func(c *tls.Conn) {
			for _, b := range good() {
				_, _ = c.Write([]byte{b})
			}
		}, 0, 0, ""},
		{"no close_notify", func(c *tls.Conn) {
			_, _ = c.Write(good())
			_ = c.NetConn().Close()
		}, 0, 0, ""},
		{"30 cookies", sends(nts.AppendResponse(nil, many)), 0, 0, ""},
		{"unknown record", sends(with(nts.Record{Type: 0x2345, Body: []byte("x")})), 0, 0, ""},
		{"64 kB of unknown records", sends(with(nts.Record{Type: 0x2345, Body: make([]byte, 65000)})), 0, 0, ""},
		{
			"unknown critical record", sends(with(nts.Record{Type: 0x2345, Critical: true})),
			StageProtocol, nts.FailureProtocol, "unknown critical record 9029",
		},
		{
			"error record", sends(nts.AppendError(nil, nts.CodeBadRequest)),
			StageProtocol, nts.FailureServer, "server answered: bad request",
		},
		{"no NTPv4", sends(nts.AppendRefusal(nil, true)), StageProtocol, nts.FailureServer, "does not offer NTPv4"},
		{"no AEAD", sends(nts.AppendRefusal(nil, false)), StageProtocol, nts.FailureServer, "none of our AEAD"},
		{"trailing bytes", sends(append(good(), 0)), StageProtocol, nts.FailureProtocol, "end of message"},
		{"cut", sends(good()[:20]), StageProtocol, nts.FailureProtocol, "ended inside"},
		{"nothing", sends(nil), StageProtocol, nts.FailureProtocol, "ended inside"},
		{"endless", func(c *tls.Conn) {
			junk := nts.Record{Type: 0x2345, Body: make([]byte, 1000)}.Append(nil)
			for {
				if _, err := c.Write(junk); err != nil {
					return
				}
			}
		}, StageProtocol, nts.FailureProtocol, "no end of message"},
		{"reset", func(c *tls.Conn) {
			_ = c.NetConn().(*net.TCPConn).SetLinger(0)
			_ = c.NetConn().Close()
		}, StageProtocol, nts.FailureNetwork, "stopped answering"},
		{"bad NTP server", sends(nts.AppendResponse(nil, nts.Response{
			AEAD: 15, Cookies: [][]byte{{1}}, Server: "224.0.1.1",
		})), StageProtocol, nts.FailureProtocol, "NTP server 224.0.1.1"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			res, err := w.exchange(t, serve(t, serverTLS(cert), c.play))
			want(t, err, c.stage, c.class, c.reason)
			if err == nil && (len(res.Session.Cookies) == 0 || len(res.Session.Cookies) > nts.MaxCookies) {
				t.Errorf("%d cookies", len(res.Session.Cookies))
			}
		})
	}
}

func TestCertificates(t *testing.T) {
	w := newWorld(t)
	inter := newCA(t, w.ca, "Test Intermediate")
	lone := leaf(t, nil, nil)
	usual := leaf(t, w.ca, nil)
	noChain := leaf(t, inter, nil).tls()
	noChain.Certificate = noChain.Certificate[:1]
	old := newCA(t, nil, "Old CA")
	old = issue(t, nil, x509.Certificate{
		Subject: old.cert.Subject, IsCA: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: date(2025, 1, 1).Time(), NotAfter: date(2030, 3, 1).Time(),
	})
	strict := func(at clock.Wall) event.Verify { return event.Verify{At: at} }
	tentative := func(at, floor clock.Wall) event.Verify { return event.Verify{At: at, Tentative: true, Floor: floor} }
	cases := []struct {
		name   string
		cert   tls.Certificate
		edit   func(*Request)
		reason string // empty: accepted
	}{
		{"usual", usual.tls(), nil, ""},
		{"final dot", usual.tls(), func(r *Request) { r.Name = "nts.test." }, ""},
		{"address", usual.tls(), func(r *Request) { r.Name = "127.0.0.1" }, ""},
		{"intermediate", leaf(t, inter, nil).tls(), nil, ""},
		{"self-signed and trusted", lone.tls(), func(r *Request) { r.Roots = lone.pool() }, ""},
		{"noval, other name", usual.tls(), func(r *Request) { r.NoVal, r.Name = true, "other.test" }, ""},
		{"noval without CA", lone.tls(), func(r *Request) { r.NoVal, r.Roots = true, nil }, ""},
		{"noval, untrusted CA", lone.tls(), func(r *Request) { r.NoVal = true }, "add its CA with trustedcerts"},
		{"untrusted", lone.tls(), nil, "add its CA with trustedcerts"},
		{"missing intermediate", noChain, nil, "not trusted here"},
		{"other name", usual.tls(), func(r *Request) { r.Name = "other.test" }, "for nts.test, 127.0.0.1, not for other.test"},
		{"other address", usual.tls(), func(r *Request) { r.Name = "127.0.0.2" }, "not for 127.0.0.2"},
		{"name only in the subject", leaf(t, w.ca, func(c *x509.Certificate) {
			c.DNSNames, c.IPAddresses = nil, nil
		}).tls(), nil, "no subjectAltName, only the subject nts.test, which does not count"},
		{"client certificate", leaf(t, w.ca, func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		}).tls(), nil, "incompatible key usage"},
		{
			"not yet valid", usual.tls(), func(r *Request) { r.Verify = strict(y2029) },
			"not valid before 2030-01-01 00:00 UTC, and the clock says 2029-01-01 00:00 UTC: is the clock right?",
		},
		{"expired", usual.tls(), func(r *Request) { r.Verify = strict(y2031) }, "expired on 2030-12-31"},
		{"tentative, clock in 1970", usual.tls(), func(r *Request) { r.Verify = tentative(0, y2029) }, ""},
		{"tentative, clock in 2099", usual.tls(), func(r *Request) { r.Verify = tentative(date(2099, 1, 1), y2029) }, ""},
		{
			"tentative, expired before the floor", usual.tls(), func(r *Request) { r.Verify = tentative(0, y2031) },
			"expired on 2030-12-31, and it is at least 2031-01-01",
		},
		{"tentative, CA ends inside the leaf's validity", leaf(t, old, nil).tls(), func(r *Request) {
			r.Roots, r.Verify = old.pool(), tentative(date(2030, 6, 1), y2029)
		}, ""},
		{"tentative, CA expired before the floor", leaf(t, old, nil).tls(), func(r *Request) {
			r.Roots, r.Verify = old.pool(), tentative(0, june2030)
		}, "expired on 2030-03-01"},
		{"tentative, other name", usual.tls(), func(r *Request) {
			r.Name, r.Verify = "other.test", tentative(0, y2029)
		}, "not for other.test"},
		{"tentative, untrusted", lone.tls(), func(r *Request) { r.Verify = tentative(0, y2029) }, "not trusted"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := w
			if c.edit != nil {
				c.edit(&w.req)
			}
			res, err := w.exchange(t, serve(t, serverTLS(c.cert), sends(good())))
			if c.reason != "" {
				want(t, err, StageCertificate, nts.FailureCertificate, c.reason)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, want := res.Session.Strict, !w.req.NoVal && !w.req.Verify.Tentative; got != want {
				t.Errorf("strict = %v, want %v", got, want)
			}
		})
	}
}

// The shared validity is what an authenticated time must lie in.
// TestTrace: what an exchange came across is told as far as it came, with the
// judgement on the chain.
func TestTrace(t *testing.T) {
	w := newWorld(t)
	inter := newCA(t, w.ca, "Test Intermediate")
	good := serve(t, serverTLS(leaf(t, inter, nil).tls()), sends(nts.AppendError(nil, nts.CodeInternal)))
	refused := listen(t, func(net.Conn) {})
	for _, c := range []struct {
		name             string
		at               netip.AddrPort
		edit             func(*Request)
		connected, shook bool
		verified         bool
		refusal          string
	}{
		{"all but the response", good, func(*Request) {}, true, true, true, ""},
		{"refused", good, func(r *Request) { r.Name = "other.test" }, true, true, false, "the certificate is for nts.test, 127.0.0.1, not for other.test"},
		{"unchecked", good, func(r *Request) { r.NoVal = true }, true, true, false, ""},
		{"hung up on", refused, func(*Request) {}, true, false, false, ""},
	} {
		w := w
		var trace event.KETrace
		w.req.Trace = &trace
		c.edit(&w.req)
		if _, err := w.exchange(t, c.at); err == nil {
			t.Errorf("%s: got no error", c.name)
		}
		if (trace.Connect > 0) != c.connected || (trace.Handshake > 0) != c.shook || trace.Verified != c.verified || trace.Refused != c.refusal {
			t.Errorf("%s: got %+v", c.name, trace)
		}
		if !c.shook {
			continue
		}
		if len(trace.Chain) != 2 || trace.Chain[0].Subject != "CN=nts.test" || trace.Chain[0].Key != "ECDSA P-256" || trace.Chain[1].Subject != "CN=Test Intermediate" {
			t.Errorf("%s: got the chain %+v", c.name, trace.Chain)
		}
		if !slices.Equal(trace.Chain[0].Names, []string{"nts.test", "127.0.0.1"}) || trace.TLSVersion != "TLS 1.3" || trace.ALPN != nts.ALPN || trace.Group == "" {
			t.Errorf("%s: got %+v", c.name, trace)
		}
	}
}

func TestSharedValidity(t *testing.T) {
	w := newWorld(t)
	short := issue(t, w.ca, x509.Certificate{
		IsCA: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: date(2030, 5, 1).Time(), NotAfter: date(2040, 1, 1).Time(),
	})
	endless := leaf(t, short, func(c *x509.Certificate) { c.NotAfter = date(2200, 1, 1).Time().AddDate(7799, 0, 0) })
	res, err := w.exchange(t, serve(t, serverTLS(endless.tls()), sends(good())))
	if err != nil {
		t.Fatal(err)
	}
	s := res.Session
	if s.NotBefore != date(2030, 5, 1) || s.NotAfter != date(2035, 1, 1) {
		t.Errorf("validity %v to %v, want 2030-05-01 to 2035-01-01", s.NotBefore.Time(), s.NotAfter.Time())
	}
	if got := wall(endless.cert.NotAfter).Time().Year(); got != 2255 {
		t.Errorf("a date in year 9999 became year %d, want 2255", got)
	}
}

func TestHandshakeFailures(t *testing.T) {
	w := newWorld(t)
	cert := leaf(t, w.ca, nil).tls()
	old := serverTLS(cert)
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	noALPN := serverTLS(cert)
	noALPN.NextProtos = nil
	http := serverTLS(cert)
	http.NextProtos = []string{"h2"}
	cases := []struct {
		name   string
		addr   netip.AddrPort
		class  nts.FailureClass
		reason string
	}{
		{"TLS 1.2", serve(t, old, sends(good())), nts.FailureTLS, "does not speak TLS 1.3"},
		{"no ALPN", serve(t, noALPN, sends(good())), nts.FailureTLS, "does not speak ntske/1"},
		{"other ALPN", serve(t, http, sends(good())), nts.FailureTLS, "does not speak ntske/1"},
		{"not TLS", listen(t, func(c net.Conn) { _, _ = c.Write([]byte("SSH-2.0-hello\r\n")) }), nts.FailureTLS, "is not TLS"},
		{"closed", listen(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 4096)) }), nts.FailureNetwork, "closed the connection"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := w.exchange(t, c.addr)
			want(t, err, StageTLS, c.class, c.reason)
		})
	}
}

func TestConnectFailures(t *testing.T) {
	w := newWorld(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := ln.Addr().(*net.TCPAddr).AddrPort()
	ln.Close()
	_, err = w.exchange(t, closed)
	reason := "refused the connection: the server may not offer NTS"
	if syscall.ECONNREFUSED != 111 && errors.Is(err, syscall.Errno(111)) {
		reason = "cannot connect" // qemu-user passes the host's number through SO_ERROR
	}
	want(t, err, StageConnect, nts.FailureNetwork, reason)

	w.req.Addr = closed
	hang := &Client{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = hang.Exchange(ctx, w.req)
	want(t, err, StageConnect, nts.FailureNetwork, "given up")
}

// With a name SNI is sent, with an address it is not.
func TestSNI(t *testing.T) {
	w := newWorld(t)
	cert := leaf(t, w.ca, nil).tls()
	for name, sni := range map[string]string{"nts.test": "nts.test", "nts.test.": "nts.test", "127.0.0.1": ""} {
		got := make(chan string, 1)
		cfg := serverTLS(cert)
		cfg.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			got <- h.ServerName
			return nil, nil
		}
		w.req.Name = name
		if _, err := w.exchange(t, serve(t, cfg, sends(good()))); err != nil {
			t.Fatal(err)
		}
		if s := <-got; s != sni {
			t.Errorf("%s: SNI %q, want %q", name, s, sni)
		}
	}
}

func TestNTPAddress(t *testing.T) {
	ke := netip.MustParseAddr("192.0.2.1")
	linkLocal := netip.MustParseAddr("fe80::1%eth0")
	c := &Client{Resolve: func(_ context.Context, name string) ([]netip.Addr, error) {
		switch name {
		case "both.test.":
			return []netip.Addr{netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("192.0.2.2")}, nil
		case "six.test.":
			return []netip.Addr{netip.MustParseAddr("::"), netip.MustParseAddr("2001:db8::2")}, nil
		case "none.test.":
			return nil, nil
		}
		return nil, errors.New("no such name " + name)
	}}
	for _, x := range []struct {
		ke     netip.Addr
		server string
		port   uint16
		want   string // empty: an error
	}{
		{ke, "", 0, "192.0.2.1:123"},
		{ke, "", 1123, "192.0.2.1:1123"},
		{ke, "192.0.2.9", 0, "192.0.2.9:123"},
		{ke, "2001:db8::9", 5, "[2001:db8::9]:5"},
		{ke, "both.test", 0, "192.0.2.2:123"},
		{ke, "both.test.", 0, "192.0.2.2:123"},
		{ke, "six.test", 0, "[2001:db8::2]:123"},
		{linkLocal, "", 0, "[fe80::1%eth0]:123"},
		{linkLocal, "fe80::2", 0, "[fe80::2%eth0]:123"},
		{ke, "none.test", 0, ""},
		{ke, "missing.test", 0, ""},
		{ke, "0.0.0.0", 0, ""},
		{ke, "255.255.255.255", 0, ""},
		{ke, "ff02::101", 0, ""},
	} {
		got, err := c.ntpAddr(t.Context(), x.ke, nts.Response{Server: x.server, Port: x.port})
		if x.want == "" {
			if err == nil {
				t.Errorf("%q: %v, want an error", x.server, got)
			}
			continue
		}
		if err != nil || got.String() != x.want {
			t.Errorf("%q port %d: %v, %v; want %s", x.server, x.port, got, err, x.want)
		}
	}
}

package ntske

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ntsd/internal/event"
	"ntsd/internal/nts"
	"ntsd/internal/siv"
)

// jar makes recognisable cookies and remembers the keys it was given.
type jar struct {
	mu   sync.Mutex
	alg  siv.Algorithm
	c2s  []byte
	s2c  []byte
	n    int
	fail error
}

func (j *jar) AppendCookie(dst []byte, alg siv.Algorithm, c2s, s2c []byte) ([]byte, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.alg, j.c2s, j.s2c = alg, bytes.Clone(c2s), bytes.Clone(s2c)
	j.n++
	return append(dst, bytes.Repeat([]byte{byte(j.n)}, nts.CookieLen(alg))...), j.fail
}

// house is a running server and the CA to trust for it.
type house struct {
	world
	jar  *jar
	srv  *Server
	cert *authority
}

func newHouse(t testing.TB, edit func(*ServerConfig)) house {
	t.Helper()
	w := newWorld(t)
	h := house{world: w, jar: &jar{}, cert: leaf(t, w.ca, nil)}
	cert := h.cert.tls()
	cfg := ServerConfig{
		Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &cert, nil },
		Cookies:     h.jar,
		Time:        func() time.Time { return june2030.Time() },
	}
	if edit != nil {
		edit(&cfg)
	}
	var err error
	if h.srv, err = NewServer(cfg); err != nil {
		t.Fatal(err)
	}
	return h
}

// start serves on a loopback port until the test ends.
func (h house) start(t testing.TB) netip.AddrPort {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.srv.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve = %v, want nil", err)
		}
	})
	return ln.Addr().(*net.TCPAddr).AddrPort()
}

func TestClientAndServer(t *testing.T) {
	for _, c := range []struct {
		name    string
		offered []siv.Algorithm
		alg     siv.Algorithm
	}{
		{"30 and 15", preferred, siv.AES128GCMSIV},
		{"15", []siv.Algorithm{siv.AESSIVCMAC256}, siv.AESSIVCMAC256},
		{"17, 16", []siv.Algorithm{siv.AESSIVCMAC512, siv.AESSIVCMAC384}, siv.AESSIVCMAC512},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, func(cfg *ServerConfig) { cfg.NTPPort = 1123 })
			addr := h.start(t)
			h.req.AEADs = c.offered
			res, err := h.exchange(t, addr)
			if err != nil {
				t.Fatal(err)
			}
			s := res.Session
			if s.AEAD != c.alg || len(s.Cookies) != 8 || s.AltC2S != nil || !s.Strict || s.Established != june2030 {
				t.Errorf("session %+v; want AEAD %v, 8 cookies, strict", s, c.alg)
			}
			if s.KEName != "nts.test" || s.KEAddr != addr.Addr() || s.KEPort != addr.Port() {
				t.Errorf("session of %s at %v:%d, want nts.test at %v", s.KEName, s.KEAddr, s.KEPort, addr)
			}
			if want := netip.AddrPortFrom(addr.Addr(), 1123); s.NTPAddr != want {
				t.Errorf("NTP address %v, want %v", s.NTPAddr, want)
			}
			if h.jar.alg != c.alg || !bytes.Equal(h.jar.c2s, s.C2S) || !bytes.Equal(h.jar.s2c, s.S2C) || bytes.Equal(s.C2S, s.S2C) {
				t.Errorf("server's keys %x, %x; client's %x, %x", h.jar.c2s, h.jar.s2c, s.C2S, s.S2C)
			}
			i := res.Info
			if i.TLSVersion != "TLS 1.3" || i.Group != "X25519MLKEM768" || !i.PostQuantum || i.Duration <= 0 ||
				i.Subject != "CN=nts.test" || i.Issuer != "CN=Test CA" || i.NotAfter != date(2030, 12, 31) {
				t.Errorf("info = %+v", i)
			}
			h.stop(t, Counters{Accepted: 1, Good: 1})
		})
	}
}

// stop waits until the server has counted a connection's end.
func (h house) stop(t *testing.T, want Counters) {
	t.Helper()
	for range MaxConnections { // all slots free: nobody is served any more
		h.srv.slots <- struct{}{}
	}
	if got := h.srv.Counters(); got != want {
		t.Errorf("counters = %+v, want %+v", got, want)
	}
	for range MaxConnections {
		<-h.srv.slots
	}
}

// A client that knows nothing of record 1024 and has no other algorithm gets
// AEAD 30 with the keys of id 15; one that has both, gets 15.
func TestServerWithoutRecord1024(t *testing.T) {
	h := newHouse(t, nil)
	addr := h.start(t)
	for _, c := range []struct {
		offered []siv.Algorithm
		alg, id siv.Algorithm
	}{{[]siv.Algorithm{30}, 30, 15}, {preferred, 15, 15}} {
		req := nts.AppendRequest(nil, nts.Request{Protocols: []uint16{0}, AEADs: c.offered})
		conn := h.dial(t, addr)
		resp, err := nts.ParseResponse(ask(t, conn, req), c.offered)
		if err != nil || resp.AEAD != c.alg || resp.CompliantGCMSIV {
			t.Fatalf("offered %v: %+v, %v; want %v", c.offered, resp, err, c.alg)
		}
		cs := conn.ConnectionState()
		c2s, s2c, err := exportKeys(&cs, c.alg, c.id)
		if err != nil || !bytes.Equal(c2s, h.jar.c2s) || !bytes.Equal(s2c, h.jar.s2c) {
			t.Errorf("offered %v: keys are not those of id %v", c.offered, c.id)
		}
	}
}

// The client keeps both pairs of keys when the server did not echo record 1024.
func TestClientKeepsBothKeys(t *testing.T) {
	w := newWorld(t)
	var mu sync.Mutex
	var rfc, early []byte
	play := func(conn *tls.Conn) {
		cs := conn.ConnectionState()
		mu.Lock()
		rfc, _, _ = exportKeys(&cs, siv.AES128GCMSIV, siv.AES128GCMSIV)
		early, _, _ = exportKeys(&cs, siv.AES128GCMSIV, siv.AESSIVCMAC256)
		mu.Unlock()
		sends(nts.AppendResponse(nil, nts.Response{AEAD: siv.AES128GCMSIV, Cookies: [][]byte{{1, 2}}}))(conn)
	}
	res, err := w.exchange(t, serve(t, serverTLS(leaf(t, w.ca, nil).tls()), play))
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if s := res.Session; !bytes.Equal(s.C2S, early) || !bytes.Equal(s.AltC2S, rfc) {
		t.Errorf("keys %x, then %x; want %x, then %x", s.C2S, s.AltC2S, early, rfc)
	}
}

// dial shakes hands with the server as a client without any rules.
func (h house) dial(t *testing.T, addr netip.AddrPort) *tls.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", addr.String(), h.clientTLS())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func (h house) clientTLS() *tls.Config {
	return &tls.Config{
		RootCAs: h.ca.pool(), ServerName: "nts.test", NextProtos: []string{nts.ALPN},
		Time: func() time.Time { return june2030.Time() },
	}
}

// ask sends a message and returns all of the answer; the server has to end it
// with close_notify.
func ask(t *testing.T, conn *tls.Conn, msg []byte) []byte {
	t.Helper()
	if _, err := conn.Write(msg); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatalf("read answer: %v", err)
	}
	return answer
}

func TestServerAnswers(t *testing.T) {
	request := func(r nts.Request) []byte { return nts.AppendRequest(nil, r) }
	plain := request(nts.Request{Protocols: []uint16{0}, AEADs: preferred})
	critical := append(nts.Record{Type: 0x1234, Critical: true}.Append(nil), plain...)
	long := append(nts.Record{Type: 0x1234, Body: make([]byte, 900)}.Append(nil), plain...)
	tooLong := append(nts.Record{Type: 0x1234, Body: make([]byte, 1024)}.Append(nil), plain...)
	cases := []struct {
		name string
		msg  []byte
		want error // nil: cookies
	}{
		{"plain", plain, nil},
		{"900 unknown bytes", long, nil},
		{"unknown critical", critical, &nts.PeerError{Code: nts.CodeUnrecognizedCritical}},
		{"too long", tooLong, &nts.PeerError{Code: nts.CodeBadRequest}},
		{"no AEAD", request(nts.Request{Protocols: []uint16{0}}), &nts.PeerError{Code: nts.CodeBadRequest}},
		{"only the end", []byte{0x80, 0, 0, 0}, &nts.PeerError{Code: nts.CodeBadRequest}},
		{"bytes after the end", append(bytes.Clone(plain), 1), &nts.PeerError{Code: nts.CodeBadRequest}},
		{"other protocol", request(nts.Request{Protocols: []uint16{9}, AEADs: preferred}), nts.ErrNoNTPv4},
		{"other AEAD", request(nts.Request{Protocols: []uint16{0}, AEADs: []siv.Algorithm{1}}), nts.ErrNoAEAD},
	}
	h := newHouse(t, nil)
	addr := h.start(t)
	var sum Counters
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := nts.ParseResponse(ask(t, h.dial(t, addr), c.msg), preferred)
			var got, want *nts.PeerError
			switch {
			case errors.As(c.want, &want):
				if !errors.As(err, &got) || got.Code != want.Code {
					t.Errorf("%v, want %v", err, want)
				}
			case !errors.Is(err, c.want):
				t.Errorf("%v, want %v", err, c.want)
			}
		})
		sum.Accepted++
		if c.want == nil {
			sum.Good++
		} else {
			sum.Bad++
		}
	}
	h.stop(t, sum)
}

func TestServerInternalError(t *testing.T) {
	h := newHouse(t, nil)
	h.jar.fail = errors.New("no cookie key")
	_, err := h.exchange(t, h.start(t))
	want(t, err, StageProtocol, nts.FailureServer, "internal server error")
}

func TestServerRefusesWithoutALPN(t *testing.T) {
	h := newHouse(t, nil)
	addr := h.start(t)
	cfg := h.clientTLS()
	cfg.NextProtos = nil
	conn, err := tls.Dial("tcp", addr.String(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if b, err := io.ReadAll(conn); err == nil && len(b) > 0 {
		t.Errorf("a client without ALPN got %x", b)
	}
	cfg = h.clientTLS()
	cfg.MaxVersion = tls.VersionTLS12
	if c, err := tls.Dial("tcp", addr.String(), cfg); err == nil {
		c.Close()
		t.Error("a client with TLS 1.2 got in")
	}
	h.stop(t, Counters{Accepted: 2, Handshake: 2})
}

func TestServerAdmit(t *testing.T) {
	h := newHouse(t, func(cfg *ServerConfig) {
		cfg.Admit = func(a netip.AddrPort) bool { return a.Addr() != netip.MustParseAddr("127.0.0.1") }
	})
	_, err := h.exchange(t, h.start(t))
	want(t, err, StageTLS, nts.FailureNetwork, "closed the connection")
	h.stop(t, Counters{Dropped: 1, Refused: 1})
}

func TestServerConfigErrors(t *testing.T) {
	if _, err := NewServer(ServerConfig{}); err == nil {
		t.Error("a server without certificate: no error")
	}
	cfg := ServerConfig{Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }, Cookies: &jar{}}
	cfg.AEADs = []siv.Algorithm{99}
	if _, err := NewServer(cfg); err == nil {
		t.Error("unknown AEAD: no error")
	}
	cfg.AEADs = []siv.Algorithm{siv.AES128GCMSIV}
	s, err := NewServer(cfg)
	if err != nil || len(s.cfg.AEADs) != 2 || len(cfg.AEADs) != 1 {
		t.Errorf("AEADs = %v, %v; want 15 added to a copy", s.cfg.AEADs, err)
	}
}

// A client that never sends a request is told so; one that does not even
// shake hands is hung up on. Neither keeps its slot.
func TestServerTimeouts(t *testing.T) {
	h := newHouse(t, nil)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		ln := newPipes()
		done := make(chan error, 1)
		go func() { done <- h.srv.Serve(ctx, ln) }()

		start := time.Now()
		silent := ln.dial()
		if _, err := silent.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("silent client: %v, want EOF", err)
		}
		if got := time.Since(start); got != ServerTimeout {
			t.Errorf("hung up after %v, want %v", got, ServerTimeout)
		}

		conn := tls.Client(ln.dial(), h.clientTLS())
		if err := conn.Handshake(); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn)
		var pe *nts.PeerError
		if _, perr := nts.ParseResponse(answer, preferred); err != nil || !errors.As(perr, &pe) || pe.Code != nts.CodeBadRequest {
			t.Errorf("answer to nothing: %x, %v; want bad request", answer, err)
		}
		conn.Close()

		// Leave one hanging: Serve has to end it.
		ln.dial()
		synctest.Wait()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve = %v, want nil", err)
		}
		if got, want := h.srv.Counters(), (Counters{Accepted: 3, Handshake: 1, Slow: 2}); got != want {
			t.Errorf("counters = %+v, want %+v", got, want)
		}
	})
}

// The client gives up on a server that hangs at any stage.
func TestClientTimeout(t *testing.T) {
	w := newWorld(t)
	cert := leaf(t, w.ca, nil).tls()
	w.req.Addr = netip.MustParseAddrPort("192.0.2.1:4460")
	for _, c := range []struct {
		name   string
		play   func(net.Conn)
		stage  Stage
		reason string
	}{
		{"handshake", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, StageTLS, "stopped answering during the TLS handshake"},
		{"response", func(c net.Conn) {
			conn := tls.Server(c, serverTLS(cert))
			_ = conn.Handshake()
			_, _ = io.Copy(io.Discard, conn)
		}, StageProtocol, "stopped answering in the middle"},
		{"slow response", func(c net.Conn) {
			conn := tls.Server(c, serverTLS(cert))
			_ = conn.Handshake()
			go func() { _, _ = io.Copy(io.Discard, conn) }()
			for _, b := range good() {
				if _, err := conn.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}, StageProtocol, "stopped answering in the middle"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var wg sync.WaitGroup
				client := &Client{Dial: func(context.Context, string, string) (net.Conn, error) {
					near, far := net.Pipe()
					wg.Go(func() { defer far.Close(); c.play(far) })
					return near, nil
				}}
				start := time.Now()
				_, err := client.Exchange(t.Context(), w.req)
				want(t, err, c.stage, nts.FailureNetwork, c.reason)
				if got := time.Since(start); got != Timeout {
					t.Errorf("gave up after %v, want %v", got, Timeout)
				}
				wg.Wait()
			})
		})
	}
}

func BenchmarkServer(b *testing.B) {
	h := newHouse(b, nil)
	addr := h.start(b)
	h.req.Addr = addr
	h.req.Verify = event.Verify{At: june2030}
	for b.Loop() {
		if _, err := NewClient().Exchange(b.Context(), h.req); err != nil {
			b.Fatal(err)
		}
	}
}

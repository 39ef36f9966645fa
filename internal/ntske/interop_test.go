package ntske

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/ntptime"
	"ntsd/internal/nts"
	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

// These tests talk to chrony's daemon over loopback, where CHRONYD names one.
// It gets neither the right to set the clock nor the wish (-x).

func chronyd(t *testing.T, ctx context.Context, args ...string) *exec.Cmd {
	t.Helper()
	path := os.Getenv("CHRONYD")
	if path == "" {
		t.Skip("CHRONYD does not name a chronyd")
	}
	args = append([]string{"--bounding-set=-sys_time", "--inh-caps=-sys_time", path, "-x", "-u", "root"}, args...)
	return exec.CommandContext(ctx, "setpriv", args...)
}

// nowLeaf is a certificate that is valid by the machine's clock, which chronyd
// goes by.
func nowLeaf(t *testing.T) (ca, cert *authority) {
	edit := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	ca = newCA(t, nil, "Test CA")
	return ca, leaf(t, ca, edit)
}

func freePort(t *testing.T, network string) uint16 {
	t.Helper()
	if network == "udp" {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort().Port()
}

func newRequest(ca *authority, addr netip.AddrPort) Request {
	return Request{
		Name: "nts.test", Addr: addr, AEADs: preferred, Roots: ca.pool(),
		Verify: event.Verify{At: clock.WallTime(time.Now())},
	}
}

// startChronyServer runs an NTS server and waits until it answers.
func startChronyServer(t *testing.T) (*authority, *Result) {
	t.Helper()
	ca, cert := nowLeaf(t)
	dir := t.TempDir()
	key, err := x509.MarshalPKCS8PrivateKey(cert.key)
	if err != nil {
		t.Fatal(err)
	}
	keyFile := filepath.Join(dir, "key.pem")
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600); err != nil {
		t.Fatal(err)
	}
	kePort := freePort(t, "tcp")
	conf := fmt.Sprintf("local stratum 1\nallow\nbindaddress 127.0.0.1\ncmdport 0\nbindcmdaddress /\nport %d\nntsport %d\n"+
		"ntsservercert %s\nntsserverkey %s\nntsdumpdir %s\npidfile %s\n", freePort(t, "udp"), kePort,
		writePEM(t, filepath.Join(dir, "cert.pem"), cert), keyFile, dir, filepath.Join(dir, "pid"))
	confFile := filepath.Join(dir, "chrony.conf")
	if err := os.WriteFile(confFile, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := chronyd(t, ctx, "-d", "-f", confFile)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("chronyd:\n%s", log.String())
		}
	})
	req := newRequest(ca, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), kePort))
	for range 50 {
		res, err := NewClient().Exchange(t.Context(), req)
		if err == nil {
			return ca, res
		}
		var e *Error
		if !errors.As(err, &e) || e.Stage != StageConnect {
			t.Fatal(err)
		}
		pause(t.Context(), acceptPause) // until it listens
	}
	t.Fatal("chronyd does not listen")
	return nil, nil
}

// query sends one request of the session and opens the reply.
func query(t *testing.T, s *nts.Session, spoil bool) (nts.Reply, wire.KissCode) {
	t.Helper()
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(s.NTPAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	up, err1 := siv.New(s.AEAD, s.C2S)
	down, err2 := siv.New(s.AEAD, s.S2C)
	cookie, ok := s.TakeCookie()
	if err1 != nil || err2 != nil || !ok {
		t.Fatal(err1, err2, ok)
	}
	if spoil {
		cookie = bytes.Clone(cookie)
		cookie[len(cookie)-1] ^= 1
	}
	var uid nts.UniqueID
	nonce := make([]byte, s.AEAD.NonceSize())
	rand.Read(uid[:])
	rand.Read(nonce)
	hdr := wire.Header{Version: 4, Mode: wire.ModeClient, Transmit: 0x1122334455667788}
	pkt := nts.AppendClientRequest(nil, hdr, uid, cookie, nts.Placeholders(len(s.Cookies), cookie, nts.MaxCookies), up, nonce)
	if _, err := conn.Write(pkt); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 2048)
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	if code, ok := nts.UnauthenticatedKiss(buf[:n], &uid); ok {
		return nts.Reply{}, code
	}
	rep, err := nts.OpenResponse(buf[:n], &uid, down)
	if err != nil {
		t.Fatal(err)
	}
	if rep.Header.Origin != hdr.Transmit {
		t.Errorf("origin %x, want %x", rep.Header.Origin, hdr.Transmit)
	}
	return rep, 0
}

func TestWithChronyServer(t *testing.T) {
	_, res := startChronyServer(t)
	s := &res.Session
	t.Logf("%v, %d cookies of %d bytes, %+v", s.AEAD, len(s.Cookies), len(s.Cookies[0]), res.Info)
	for i := range 4 {
		rep, kiss := query(t, s, false)
		if kiss != 0 || len(rep.Cookies) == 0 {
			t.Fatalf("query %d: %v, %d cookies", i, kiss, len(rep.Cookies))
		}
		s.AddCookies(rep.Cookies)
		if i == 1 {
			s.Cookies = s.Cookies[:3] // as if replies had been lost: ask for more
		}
	}
	if len(s.Cookies) != nts.MaxCookies {
		t.Errorf("%d cookies in the end, want %d", len(s.Cookies), nts.MaxCookies)
	}
	if _, kiss := query(t, s, true); kiss != wire.KissNTSN {
		t.Errorf("spoilt cookie: %v, want NTSN", kiss)
	}
}

// ringJar makes real cookies.
type ringJar struct {
	mu   sync.Mutex
	ring *nts.Keyring
}

func (r *ringJar) AppendCookie(dst []byte, alg siv.Algorithm, c2s, s2c []byte) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var nonce [nts.CookieNonceLen]byte
	rand.Read(nonce[:])
	return r.ring.Seal(dst, alg, c2s, s2c, nonce), nil
}

// answer is a whole NTS server for one packet.
func (r *ringJar) answer(t *testing.T, pkt []byte) []byte {
	req, err := nts.ParseServerRequest(pkt)
	if err != nil {
		t.Errorf("request %x: %v", pkt, err)
		return nil
	}
	hdr, _ := wire.ParseHeader(pkt)
	var keys nts.Keys
	r.mu.Lock()
	err = r.ring.Open(req.Cookie, &keys)
	r.mu.Unlock()
	if err != nil {
		t.Errorf("cookie: %v", err)
		return nil
	}
	up, _ := siv.New(keys.Algorithm, keys.C2S())
	down, _ := siv.New(keys.Algorithm, keys.S2C())
	if err := req.Verify(up, nil); err != nil {
		t.Errorf("request: %v", err)
		return nil
	}
	var fresh []byte
	for range req.MaxNewCookies() {
		fresh, _ = r.AppendCookie(fresh, keys.Algorithm, keys.C2S(), keys.S2C())
	}
	nonce := make([]byte, keys.Algorithm.NonceSize())
	rand.Read(nonce)
	now := ntptime.FromWall(clock.WallTime(time.Now()))
	return nts.AppendServerResponse(nil, wire.Header{
		Version: 4, Mode: wire.ModeServer, Stratum: 1, Precision: -20, ReferenceID: wire.ReferenceID{'T', 'E', 'S', 'T'},
		ReferenceTime: now, Origin: hdr.Transmit, Receive: now, Transmit: now,
	}, &req, fresh, down, nonce)
}

func TestWithChronyClient(t *testing.T) {
	ca, cert := nowLeaf(t)
	pair := cert.tls()
	ring, err := nts.NewKeyring(nts.CookieKey{ID: 7})
	if err != nil {
		t.Fatal(err)
	}
	jar := &ringJar{ring: ring}
	udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { udp.Close(); wg.Wait() })
	wg.Go(func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := udp.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			_, _ = udp.WriteToUDPAddrPort(jar.answer(t, buf[:n]), from)
		}
	})
	h := house{}
	h.srv, err = NewServer(ServerConfig{
		Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil },
		Cookies:     jar, NTPPort: udp.LocalAddr().(*net.UDPAddr).AddrPort().Port(),
	})
	if err != nil {
		t.Fatal(err)
	}
	addr := h.start(t)
	dir := t.TempDir()
	cmd := chronyd(t, t.Context(), "-Q", "-t", "5",
		fmt.Sprintf("server 127.0.0.1 iburst nts ntsport %d maxsamples 2", addr.Port()),
		"ntstrustedcerts "+writePEM(t, filepath.Join(dir, "ca.pem"), ca),
		"pidfile "+filepath.Join(dir, "pid"), "cmdport 0", "bindcmdaddress /")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "System clock wrong by") {
		t.Errorf("chronyd -Q: %v\n%s", err, out)
	}
	h.stop(t, Counters{Accepted: 1, Good: 1})
}

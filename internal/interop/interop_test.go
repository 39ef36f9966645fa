package interop

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ntsd/internal/demo"
	"ntsd/internal/nts"
	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

// wait is for one reply that must come; silence for one that must not.
const (
	wait    = 5 * time.Second
	silence = 50 * time.Millisecond
)

func supported() []siv.Algorithm {
	return []siv.Algorithm{siv.AES128GCMSIV, siv.AESSIVCMAC256}
}

func newTestCA(t *testing.T) *demo.CA {
	t.Helper()
	ca, err := demo.NewCA("interop CA", time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// session establishes keys with server from client over IPv4 or IPv6.
func (h *Host) session(ca *demo.CA, to netip.Addr, aeads ...siv.Algorithm) (s nts.Session, err error) {
	err = h.Do(func() error {
		s, err = Establish(context.Background(), ca.Pool(), netip.AddrPortFrom(to, nts.DefaultPort), aeads...)
		return err
	})
	return s, err
}

func (h *Host) exchange(s *nts.Session, wait time.Duration) (got Sample, err error) {
	err = h.Do(func() error {
		got, err = Exchange(s, wait)
		return err
	})
	return got, err
}

// checkServer exchanges keys and time with an NTS server.
func checkServer(t *testing.T, client, srv *Host, ca *demo.CA, want keys, stratum uint8) {
	t.Helper()
	for _, addr := range []netip.Addr{srv.IPv4, srv.IPv6} {
		s, err := client.session(ca, addr, supported()...)
		if err != nil {
			t.Fatalf("%v: key establishment: %v", addr, err)
		}
		if s.AEAD != want.aead || len(s.Cookies) != nts.MaxCookies || len(s.Cookies[0]) != want.cookieLen {
			t.Errorf("%v: got %v, %d cookies of %d bytes; want %v, 8 of %d", addr, s.AEAD,
				len(s.Cookies), len(s.Cookies[0]), want.aead, want.cookieLen)
		}
		for i := range 2 * nts.MaxCookies {
			got, err := client.exchange(&s, wait)
			if err != nil {
				t.Fatalf("%v: exchange %d: %v", addr, i, err)
			}
			if h := got.Header; h.Leap != wire.LeapNone || h.Stratum != stratum {
				t.Errorf("%v: got leap %d, stratum %d; want 0, %d", addr, h.Leap, h.Stratum, stratum)
			}
			// Both read the same clock: what is left is half the delay at most.
			if got.Delay < 0 || got.Offset.Abs() > got.Delay {
				t.Errorf("%v: got offset %v, delay %v; want an offset below the delay", addr, got.Offset.Duration(), got.Delay)
			}
		}
		if len(s.Cookies) != nts.MaxCookies {
			t.Errorf("%v: got %d cookies left, want %d", addr, len(s.Cookies), nts.MaxCookies)
		}
		// Half of the cookies lost: placeholders bring as many as fit back.
		s.Cookies = s.Cookies[:4]
		if _, err := client.exchange(&s, wait); err != nil || len(s.Cookies) != nts.MaxCookies {
			t.Errorf("%v: with placeholders: got %d cookies (%v), want %d", addr, len(s.Cookies), err, nts.MaxCookies)
		}
	}
}

func TestChronyServer(t *testing.T) {
	t.Parallel()
	n := NewNet(t)
	peers, ca := FindPeers(t), newTestCA(t)
	client, srv := n.Host("client"), n.Host("chrony")
	proc := srv.StartChronyServer(peers, srv.Certificate(ca))
	proc.WaitLog("Disabled control of system clock")
	checkServer(t, client, srv, ca, chronyKeys(peers), 2)
}

func TestNTPsecServer(t *testing.T) {
	t.Parallel()
	n := NewNet(t)
	peers, ca := FindPeers(t), newTestCA(t)
	client, srv := n.Host("client"), n.Host("ntpsec")
	proc := srv.StartNTPsecServer(peers, srv.Certificate(ca))
	proc.WaitLog("starting NTS-KE server")
	checkServer(t, client, srv, ca, ntpsecKeys(), 3)
}

// A cookie that chronyd cannot open, having lost its keys, earns a NAK.
func TestChronyNAK(t *testing.T) {
	t.Parallel()
	n := NewNet(t)
	peers, ca := FindPeers(t), newTestCA(t)
	client, srv := n.Host("client"), n.Host("chrony")
	cert := srv.Certificate(ca)
	proc := srv.StartChronyServer(peers, cert)
	s, err := client.session(ca, srv.IPv4, siv.AESSIVCMAC256)
	if err != nil {
		t.Fatal(err)
	}
	if err := proc.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(srv.Dir, "ntskeys")); err != nil {
		t.Fatal(err)
	}
	srv.StartChronyServer(peers, cert)
	var kiss *KissError
	if _, err := client.exchange(&s, wait); !errors.As(err, &kiss) {
		t.Errorf("after the restart: got %v, want a NAK", err)
	}
}

// The hosts' sockets see each other and nothing else, and a pulled cable is one.
func TestNet(t *testing.T) {
	t.Parallel()
	n := NewNet(t)
	a, b := n.Host("a"), n.Host("b")
	if n.Host("a") != a {
		t.Error("the same name gave another host")
	}
	var s *demo.Server
	err := b.Do(func() (err error) {
		s, err = demo.Start(t.Context(), demo.ServerConfig{NTPAddr: netip.AddrPortFrom(b.IPv6, ntpPort)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ask := func(wait time.Duration) error {
		return a.Do(func() error {
			_, err := ExchangePlain(s.NTPAddr(), wait)
			return err
		})
	}
	if err := ask(wait); err != nil {
		t.Errorf("from a to b: %v", err)
	}
	b.SetLink(false)
	if err := ask(silence); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("with b's link down: got %v, want a timeout", err)
	}
	if _, err := ExchangePlain(netip.AddrPortFrom(b.IPv4, ntpPort), silence); err == nil {
		t.Error("from outside: got a reply, want none")
	}
}

// No program on a host can set the clock.
func TestCommandCannotSetClock(t *testing.T) {
	t.Parallel()
	h := NewNet(t).Host("host")
	out, err := h.Command(t.Context(), "cat", "/proc/self/status").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	checked := 0
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "CapEff:") || strings.HasPrefix(line, "CapBnd:") {
			checked++
			if canSetClock(line) {
				t.Errorf("got %s", line)
			}
		}
	}
	if checked != 2 {
		t.Errorf("got %d lines about capabilities, want 2", checked)
	}
}

//go:build linux

package udp

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestSharedPort: a Conn that sends from a Server's port gets what comes from the
// other side's address and port, and the Server all else, also after it has gone.
func TestSharedPort(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		any := netip.IPv4Unspecified()
		at := netip.MustParseAddr(host)
		if at.Is6() {
			any = netip.IPv6Unspecified()
		}
		served, err := Listen(netip.AddrPortFrom(any, 0), ListenConfig{Now: now, ReusePort: true})
		if err != nil {
			t.Skipf("%s: %v", host, err)
		}
		defer served.Close()
		port := served.Addr().Port()
		other, err := Listen(netip.AddrPortFrom(at, 0), ListenConfig{Now: now})
		if err != nil {
			t.Skipf("%s: %v", host, err)
		}
		defer other.Close()
		peer, err := Open(netip.AddrPortFrom(at, other.Addr().Port()), Config{Now: now, Port: port})
		if err != nil {
			t.Fatal(err)
		}
		defer peer.Close()
		if got, want := peer.Local(), netip.AddrPortFrom(at, port); got != want {
			t.Fatalf("sends from %v, want %v", got, want)
		}
		client, err := Open(netip.AddrPortFrom(at, port), Config{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()

		ask := func(c *Conn, s *Server, text string) Request {
			t.Helper()
			if err := c.Send([]byte(text)); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, MaxDatagram)
			n, r, err := s.ReadFrom(buf)
			if err != nil || string(buf[:n]) != text {
				t.Fatalf("got %q, %v; want %q", buf[:n], err, text)
			}
			return r
		}
		r := ask(peer, other, "from the peer")
		if r.From != peer.Local() {
			t.Errorf("it came from %v", r.From)
		}
		ask(client, served, "from a client")
		if err := other.WriteTo([]byte("to the peer"), r); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, MaxDatagram)
		if err := peer.SetTimeout(5 * time.Second); err != nil {
			t.Fatal(err)
		}
		if n, _, err := peer.Receive(buf); err != nil || string(buf[:n]) != "to the peer" {
			t.Errorf("got %q, %v", buf[:n], err)
		}
		peer.Close()
		ask(client, served, "from a client again")
	}
}

// TestSharedPortOfOthers: a port that somebody has who shares it with nobody is
// not ours to send from.
func TestSharedPortOfOthers(t *testing.T) {
	s, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"), ListenConfig{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = Open(netip.MustParseAddrPort("127.0.0.1:9"), Config{Now: now, Port: s.Addr().Port()})
	if !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("got %v, want EADDRINUSE", err)
	}
}

// TestReplyIsNotSend: Tx tells of the packet that Send has sent, however many
// replies follow it.
func TestReplyIsNotSend(t *testing.T) {
	s, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"), ListenConfig{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := Open(s.Addr(), Config{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	buf := make([]byte, MaxDatagram)
	for range 3 {
		if err := c.Send([]byte("packet")); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.ReadFrom(buf); err != nil {
			t.Fatal(err)
		}
		sent := c.Tx()
		for range 3 {
			if err := c.Reply([]byte("reply")); err != nil {
				t.Fatal(err)
			}
			if n, _, err := s.ReadFrom(buf); err != nil || string(buf[:n]) != "reply" {
				t.Fatalf("got %q, %v", buf[:n], err)
			}
		}
		if got := c.Tx(); got != sent {
			t.Errorf("after replies: sent at %v, before %v", got, sent)
		}
	}
}

//go:build linux

package udp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ntsd/internal/clock"
	"ntsd/internal/wording"
)

// patience bounds waits that should end at once.
const patience = 10 * time.Second

func now() clock.Wall { return clock.WallTime(time.Now()) }

// loopbacks are the addresses to test on; v6 may be missing.
func loopbacks(t *testing.T) []netip.Addr {
	t.Helper()
	all := []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	if s, err := Listen(netip.MustParseAddrPort("[::1]:0"), ListenConfig{Now: now}); err == nil {
		_ = s.Close()
		all = append(all, netip.IPv6Loopback())
	} else {
		t.Logf("no IPv6 here: %v", err)
	}
	return all
}

func listen(t *testing.T, a netip.Addr) *Server {
	t.Helper()
	s, err := Listen(netip.AddrPortFrom(a, 0), ListenConfig{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func open(t *testing.T, dst netip.AddrPort) *Conn {
	t.Helper()
	c, err := Open(dst, Config{Now: now, DSCP: 46})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetTimeout(patience); err != nil {
		t.Fatal(err)
	}
	return c
}

// awaitStamps waits until the kernel stamps packets: it prepares for that beside
// the system call that asks for it, and on a busy machine that takes a while.
func awaitStamps(t *testing.T) {
	t.Helper()
	s := listen(t, netip.MustParseAddr("127.0.0.1"))
	c := open(t, s.Addr())
	for range 10000 {
		if err := c.Send([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, r, err := s.ReadFrom(make([]byte, 64)); err != nil || r.Rx.Kind == Kernel {
			return
		}
	}
}

// between fails unless s lies in [from, to], with some slack for the reading
// of two clocks through different calls.
func between(t *testing.T, what string, s Stamp, from, to clock.Wall) {
	t.Helper()
	const slack = clock.Offset(time.Millisecond)
	if s.Wall.Sub(from) < -slack || to.Sub(s.Wall) < -slack {
		t.Errorf("%s stamp (%v) %v is not between %v and %v", what, s.Kind, s.Wall.Time(), from.Time(), to.Time())
	}
}

func TestExchange(t *testing.T) {
	hold, err := Hold()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hold.Close() })
	for _, a := range loopbacks(t) {
		s := listen(t, a)
		c := open(t, s.Addr())
		t0 := now()
		if err := c.Send([]byte("request")); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, MaxDatagram)
		n, r, err := s.ReadFrom(buf)
		if err != nil || string(buf[:n]) != "request" {
			t.Fatalf("%v: server got %q, %v", a, buf[:n], err)
		}
		if r.From != c.Local() || r.Local != a || r.IfIndex == 0 {
			t.Errorf("%v: from %v local %v interface %d, want %v %v and not 0", a, r.From, r.Local, r.IfIndex, c.Local(), a)
		}
		t1 := now()
		for range 2 { // the second is a duplicate, which the client may read too
			if err := s.WriteTo([]byte("reply"), r); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			n, rx, err := c.Receive(buf)
			if err != nil || string(buf[:n]) != "reply" {
				t.Fatalf("%v: client got %q, %v", a, buf[:n], err)
			}
			between(t, "receive", rx, t1, now())
			t.Logf("%v: client rx %v, tx %v, server rx %v", a, rx.Kind, c.Tx().Kind, r.Rx.Kind)
		}
		between(t, "transmit", c.Tx(), t0, t1)
		between(t, "server", r.Rx, t0, t1)
		if c.Tx().Wall > r.Rx.Wall && c.Tx().Kind == Kernel && r.Rx.Kind == Kernel {
			t.Errorf("%v: sent at %v, after it came at %v", a, c.Tx(), r.Rx)
		}
	}
}

// TestTxStampOfTheLatest sends twice: the stamp is the second packet's.
func TestTxStampOfTheLatest(t *testing.T) {
	s := listen(t, netip.MustParseAddr("127.0.0.1"))
	c := open(t, s.Addr())
	if err := c.Send([]byte("one")); err != nil {
		t.Fatal(err)
	}
	first := c.Tx()
	between1 := now()
	if err := c.Send([]byte("two")); err != nil {
		t.Fatal(err)
	}
	second := c.Tx()
	between(t, "second", second, between1, now())
	if second.Wall <= first.Wall || second.Kind != first.Kind {
		t.Errorf("stamps %v then %v", first, second)
	}
}

func TestRefused(t *testing.T) {
	for _, a := range loopbacks(t) {
		s := listen(t, a)
		dst := s.Addr()
		_ = s.Close()
		c := open(t, dst)
		if err := c.Send([]byte("x")); err != nil {
			t.Fatal(err)
		}
		_, _, err := c.Receive(make([]byte, 64))
		if !errors.Is(err, ErrRefused) || !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%v: got %v, want ErrRefused", a, err)
		}
		var op *OpError
		if !errors.As(err, &op) || op.Addr != dst {
			t.Errorf("%v: got %#v, want an OpError for %v", a, err, dst)
		}
	}
}

// TestReasons: what is wrong with a request is told to people in words, and what
// they cannot guess from words as the system says it.
func TestReasons(t *testing.T) {
	at := netip.MustParseAddrPort("192.0.2.1:123")
	for _, c := range []struct {
		op    string
		errno syscall.Errno
		want  string
	}{
		{"open", syscall.ENETUNREACH, "no route to 192.0.2.1:123: is the network up?"},
		{"send to", syscall.EHOSTUNREACH, "no route to 192.0.2.1:123: is the network up?"},
		{"receive from", syscall.ECONNREFUSED, "no time server listens at 192.0.2.1:123"},
		{"send to", syscall.EPERM, "a firewall on this device forbids sending to 192.0.2.1:123"},
		{"open", syscall.EADDRNOTAVAIL, "open 192.0.2.1:123: network unreachable (cannot assign requested address)"},
		{"send to", syscall.EMSGSIZE, "send to 192.0.2.1:123: message too long"},
		{"listen on", syscall.EADDRINUSE, "listen on 192.0.2.1:123: address already in use"},
		{"reply to", syscall.EPERM, "reply to 192.0.2.1:123: operation not permitted"},
	} {
		if got := wording.Of(fmt.Errorf("udp: %w", opError(c.op, at, c.errno))); got != c.want {
			t.Errorf("%s, %v: got %q, want %q", c.op, c.errno, got, c.want)
		}
	}
}

func TestUnreachable(t *testing.T) {
	_, err := Open(netip.MustParseAddrPort("[fe80::1%nosuchinterface0]:123"), Config{Now: now})
	if !errors.Is(err, ErrUnreachable) {
		t.Errorf("got %v, want ErrUnreachable", err)
	}
	_, err = Open(netip.MustParseAddrPort("127.0.0.1:123"), Config{Now: now, Local: netip.MustParseAddr("192.0.2.77")})
	if !errors.Is(err, ErrUnreachable) {
		t.Errorf("foreign source address: got %v, want ErrUnreachable", err)
	}
}

// TestOnlyThePeerIsHeard sends from another port than the connected one.
func TestOnlyThePeerIsHeard(t *testing.T) {
	a := netip.MustParseAddr("127.0.0.1")
	s, forger := listen(t, a), listen(t, a)
	c := open(t, s.Addr())
	r := Request{From: c.Local()}
	if err := forger.WriteTo([]byte("forged"), r); err != nil {
		t.Fatal(err)
	}
	if err := s.WriteTo([]byte("right"), r); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	if n, _, err := c.Receive(buf); err != nil || string(buf[:n]) != "right" {
		t.Errorf("got %q %v, want the peer's packet", buf[:n], err)
	}
}

func TestTooLong(t *testing.T) {
	s := listen(t, netip.MustParseAddr("127.0.0.1"))
	c := open(t, s.Addr())
	r := Request{From: c.Local()}
	for _, b := range [][]byte{make([]byte, 65), make([]byte, 64)} {
		if err := s.WriteTo(b, r); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, 64)
	if _, _, err := c.Receive(buf); !errors.Is(err, ErrTooLong) {
		t.Errorf("65 bytes into 64: got %v, want ErrTooLong", err)
	}
	if n, _, err := c.Receive(buf); err != nil || n != 64 {
		t.Errorf("64 bytes into 64: got %d %v", n, err)
	}
}

func TestCloseUnblocks(t *testing.T) {
	s := listen(t, netip.MustParseAddr("127.0.0.1"))
	c := open(t, s.Addr())
	var wg sync.WaitGroup
	var cerr, serr error
	started := make(chan struct{}, 2)
	wg.Go(func() { started <- struct{}{}; _, _, cerr = c.Receive(make([]byte, 64)) })
	wg.Go(func() { started <- struct{}{}; _, _, serr = s.ReadFrom(make([]byte, 64)) })
	<-started
	<-started
	_ = c.Close()
	_ = s.Close()
	wg.Wait()
	if !errors.Is(cerr, os.ErrClosed) || !errors.Is(serr, os.ErrClosed) {
		t.Errorf("client %v, server %v, want os.ErrClosed", cerr, serr)
	}
}

func TestDeadline(t *testing.T) {
	s := listen(t, netip.MustParseAddr("127.0.0.1"))
	c := open(t, s.Addr())
	if err := c.SetTimeout(0); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Receive(make([]byte, 64)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want os.ErrDeadlineExceeded", err)
	}
}

// TestPortInUse makes the chosen port collide once, then always.
func TestPortInUse(t *testing.T) {
	s := listen(t, netip.MustParseAddr("127.0.0.1"))
	number := func(port uint16) []byte {
		n := uint32(port) - firstPort
		return []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
	}
	taken := open(t, s.Addr())
	free := open(t, s.Addr())
	want := free.Local().Port()
	_ = free.Close()
	if taken.Local().Port() < firstPort || want < firstPort {
		t.Fatalf("ports %d %d, want at least %d", taken.Local().Port(), want, firstPort)
	}
	once := bytes.NewReader(append(number(taken.Local().Port()), number(want)...))
	c, err := Open(s.Addr(), Config{Now: now, Rand: once})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := c.Local().Port(); got != want {
		t.Errorf("after a collision: port %d, want the next one, %d", got, want)
	}
	always := bytes.NewReader(bytes.Repeat(number(taken.Local().Port()), portTries))
	d, err := Open(s.Addr(), Config{Now: now, Rand: always})
	if err != nil || d.Local().Port() == 0 {
		t.Fatalf("collisions only: %v, want the kernel's choice", err)
	}
	_ = d.Close()
	if _, err := Open(s.Addr(), Config{Now: now, Rand: bytes.NewReader(nil)}); !errors.Is(err, io.EOF) {
		t.Errorf("no randomness: got %v, want an error, never a guess", err)
	}
}

// TestReplyFromTheAskedAddress asks 127.0.0.2 on a wildcard socket: without
// packet info the answer would come from 127.0.0.1, and a connected client
// would not hear it.
func TestReplyFromTheAskedAddress(t *testing.T) {
	s := listen(t, netip.IPv4Unspecified())
	asked := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), s.Addr().Port())
	c := open(t, asked)
	if err := c.Send([]byte("x")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	_, r, err := s.ReadFrom(buf)
	if err != nil || r.Local != asked.Addr() {
		t.Fatalf("local %v %v, want %v", r.Local, err, asked.Addr())
	}
	if err := s.WriteTo([]byte("y"), r); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Receive(buf); err != nil {
		t.Error(err)
	}
}

func TestListenAll(t *testing.T) {
	all, err := ListenAll(0, ListenConfig{Now: now, ReusePort: true, ReceiveBuffer: 1 << 16})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		again, err := Listen(s.Addr(), ListenConfig{Now: now, ReusePort: true})
		if err != nil {
			t.Errorf("a second socket on %v: %v", s.Addr(), err)
			continue
		}
		_ = again.Close()
		if _, err := Listen(s.Addr(), ListenConfig{Now: now}); !errors.Is(err, unix.EADDRINUSE) {
			t.Errorf("a stranger on %v: got %v, want EADDRINUSE", s.Addr(), err)
		}
		_ = s.Close()
	}
}

func TestServerDoesNotAllocate(t *testing.T) {
	s := listen(t, netip.MustParseAddr("127.0.0.1"))
	self := Request{From: s.Addr(), Local: s.Addr().Addr()}
	buf, packet := make([]byte, MaxDatagram), make([]byte, 48)
	n := testing.AllocsPerRun(200, func() {
		if err := s.WriteTo(packet, self); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.ReadFrom(buf); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations per packet, want 0", n)
	}
}

func BenchmarkExchange(b *testing.B) {
	hold, err := Hold()
	if err != nil {
		b.Fatal(err)
	}
	defer hold.Close()
	s, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"), ListenConfig{Now: now})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	buf := make([]byte, MaxDatagram)
	for b.Loop() {
		c, err := Open(s.Addr(), Config{Now: now})
		if err != nil {
			b.Fatal(err)
		}
		_ = c.Send(buf[:48])
		_, r, _ := s.ReadFrom(buf)
		_ = s.WriteTo(buf[:48], r)
		if _, _, err := c.Receive(buf); err != nil {
			b.Fatal(err)
		}
		c.Tx()
		_ = c.Close()
	}
}

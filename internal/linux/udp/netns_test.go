//go:build linux

package udp

import (
	"errors"
	"math/bits"
	"net/netip"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// inNamespace moves the test to a network namespace of its own, with a veth
// pair: "near" and "far" with the addresses fe80::a and fe80::b, and 10.9.0.1
// on near. It skips where that takes more rights than there are.
func inNamespace(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("no network namespace: %v", err)
	}
	for _, args := range []string{
		"link set lo up",
		"link add near type veth peer name far",
		"link set near addrgenmode none",
		"link set far addrgenmode none",
		"link set near up",
		"link set far up",
		"addr add 10.9.0.1/24 dev near",
		"addr add fe80::a/64 dev near nodad",
		"addr add fe80::b/64 dev far nodad",
	} {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Skipf("ip %s: %v %s", args, err, out)
		}
	}
}

// indexOf returns the index of an interface of the namespace that s is in.
func indexOf(t *testing.T, s *Server, name string) uint32 {
	t.Helper()
	index, err := scopeOf(s.fd, name)
	if err != nil || index == 0 {
		t.Fatalf("index of %s: %d %v", name, index, err)
	}
	return index
}

// TestLinkLocal crosses a link between two addresses that mean nothing without
// their interface, by its name and by its number.
func TestLinkLocal(t *testing.T) {
	inNamespace(t)
	s, err := Listen(netip.MustParseAddrPort("[::]:0"), ListenConfig{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	near, far := indexOf(t, s, "near"), indexOf(t, s, "far")
	b := netip.MustParseAddr("fe80::b")
	for _, zone := range []string{"near", strconv.Itoa(int(near))} {
		c, err := Open(netip.AddrPortFrom(b.WithZone(zone), s.Addr().Port()), Config{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetTimeout(patience)
		if err := c.Send([]byte("over the link")); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 64)
		n, r, err := s.ReadFrom(buf)
		if bits.ReverseBytes32(r.IfIndex) == far {
			t.Skip("this emulator leaves the index in the byte order of its host")
		}
		if err != nil || r.Local != b || r.IfIndex != far || r.From.Addr() != netip.MustParseAddr("fe80::a") {
			t.Fatalf("zone %s: got %+v %v, want a request from fe80::a on far", zone, r, err)
		}
		if err := s.WriteTo(buf[:n], r); err != nil {
			t.Fatal(err)
		}
		_, rx, err := c.Receive(buf)
		if err != nil {
			t.Fatalf("zone %s: %v", zone, err)
		}
		tx := c.Tx()
		if r.Rx.Kind == Kernel && (tx.Kind != Kernel || rx.Kind != Kernel || tx.Wall > r.Rx.Wall || r.Rx.Wall > rx.Wall) {
			t.Errorf("zone %s: sent %v, came %v, answer came %v", zone, tx, r.Rx, rx)
		}
	}
}

// TestNoRoute finds out at once that an address cannot be reached.
func TestNoRoute(t *testing.T) {
	inNamespace(t)
	for _, dst := range []string{"192.0.2.1:123", "[2001:db8::1]:123"} {
		if _, err := Open(netip.MustParseAddrPort(dst), Config{Now: now}); !errors.Is(err, ErrUnreachable) {
			t.Errorf("%s: got %v, want ErrUnreachable", dst, err)
		}
	}
}

// TestLinkTakesNothing: to send into a link that takes no packets any more does not
// wait for it. Here they wait for the address of a neighbour who is not there.
func TestLinkTakesNothing(t *testing.T) {
	inNamespace(t)
	c, err := Open(netip.MustParseAddrPort("10.9.0.2:123"), Config{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.file.raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF, 1) }); err != nil {
		t.Fatal(err)
	}
	for _, send := range []func([]byte) error{c.Send, c.Reply} {
		err = nil
		for range 100 { // there is room for some 6
			if err = send(make([]byte, 48)); err != nil {
				break
			}
		}
		if !errors.Is(err, ErrFull) {
			t.Errorf("got %v, want ErrFull", err)
		}
	}
}

// TestBroadcastIsAnsweredFromOurAddress asks the subnet's broadcast address:
// the answer leaves from the interface's own.
func TestBroadcastIsAnsweredFromOurAddress(t *testing.T) {
	inNamespace(t)
	s, err := Listen(netip.MustParseAddrPort("0.0.0.0:0"), ListenConfig{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BROADCAST, 1)
	to := netip.MustParseAddrPort("10.9.0.255:0")
	err = unix.Sendto(fd, []byte("x"), 0, sockaddr(netip.AddrPortFrom(to.Addr(), s.Addr().Port()), 0))
	if err != nil {
		t.Fatal(err)
	}
	_, r, err := s.ReadFrom(make([]byte, 64))
	if err != nil || r.Local != netip.MustParseAddr("10.9.0.1") {
		t.Errorf("got %+v %v, want the local address 10.9.0.1", r, err)
	}
}

//go:build linux

package udp

import (
	"errors"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestInterface: what the routes send through one device leaves through another
// where that is asked for, with that one's address.
func TestInterface(t *testing.T) {
	inNamespace(t)
	for _, args := range []string{
		"link add br-lan type veth peer name other",
		"link set br-lan up",
		"link set other up",
		"addr add 10.8.0.1/24 dev br-lan",
		"addr add 2001:db8:9::1/64 dev near nodad",
		"addr add 2001:db8:8::1/64 dev br-lan nodad",
		"route add 192.0.2.0/24 dev near",
		"route add 2001:db8::/64 dev near",
		"route add 2001:db8::/64 dev br-lan metric 2000",
	} {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Skipf("ip %s: %v %s", args, err, out)
		}
	}
	for _, c := range []struct{ to, device, want string }{
		{"192.0.2.1:123", "", "10.9.0.1"},
		{"192.0.2.1:123", "near", "10.9.0.1"},
		{"192.0.2.1:123", "br-lan", "10.8.0.1"},
		{"192.0.2.1:123", "lan", "10.8.0.1"},
		{"[2001:db8::1]:123", "", "2001:db8:9::1"},
		{"[2001:db8::1]:123", "lan", "2001:db8:8::1"},
	} {
		conn, err := Open(netip.MustParseAddrPort(c.to), Config{Now: now, Interface: c.device})
		if err != nil {
			t.Fatalf("%s through %q: %v", c.to, c.device, err)
		}
		if got := conn.Local().Addr().String(); got != c.want {
			t.Errorf("%s through %q: from %s, want %s", c.to, c.device, got, c.want)
		}
		_ = conn.Close()
	}
	if _, err := Open(netip.MustParseAddrPort("192.0.2.1:123"), Config{Now: now, Interface: "gone"}); !errors.Is(err, ErrUnreachable) {
		t.Errorf("through a device that is not there: %v, want %v", err, ErrUnreachable)
	}
}

// TestSendFrom is the way for users that may not bind to a device.
func TestSendFrom(t *testing.T) {
	inNamespace(t)
	for _, args := range []string{"addr add 10.8.0.1/24 dev far", "route add 192.0.2.0/24 dev near"} {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Skipf("ip %s: %v %s", args, err, out)
		}
	}
	for device, want := range map[string]string{"near": "10.9.0.1", "far": "10.8.0.1"} {
		to := netip.MustParseAddrPort("192.0.2.1:123")
		fd, err := newSocket(to.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		index, err := scopeOf(fd, device)
		if err != nil {
			t.Fatal(err)
		}
		if err := sendFrom(fd, to.Addr(), index); errors.Is(err, unix.ENOPROTOOPT) {
			t.Skip("this emulator does not know the option")
		} else if err != nil {
			t.Fatalf("through %s: %v", device, err)
		}
		if err := unix.Connect(fd, sockaddr(to, 0)); err != nil {
			t.Fatal(err)
		}
		if got := localAddr(fd).Addr().String(); got != want {
			t.Errorf("through %s: from %s, want %s", device, got, want)
		}
	}
	fd, err := newSocket(netip.IPv6Loopback())
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := sendFrom(fd, netip.IPv6Loopback(), 1); err != nil {
		t.Errorf("IPv6: %v", err)
	}
}

// TestCardsInVain: where no card stamps, the kernel does as before.
func TestCardsInVain(t *testing.T) {
	hold, err := Hold()
	if err != nil {
		t.Fatal(err)
	}
	defer hold.Close()
	awaitStamps(t)
	for _, a := range loopbacks(t) {
		s := listen(t, a)
		c, err := Open(s.Addr(), Config{Now: now, Cards: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetTimeout(patience)
		if err := c.Send([]byte("x")); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 64)
		n, r, err := s.ReadFrom(buf)
		if err == nil {
			err = s.WriteTo(buf[:n], r)
		}
		if err != nil {
			t.Fatal(err)
		}
		_, rx, err := c.Receive(buf)
		if tx := c.Tx(); err != nil || tx.Kind != r.Rx.Kind || rx.Kind != r.Rx.Kind {
			t.Errorf("%v: sent by %v, received by %v, the server by %v (%v)", a, tx.Kind, rx.Kind, r.Rx.Kind, err)
		}
		if got := c.Cards(); got != (CardStamps{}) {
			t.Errorf("%v: a card has stamped: %+v", a, got)
		}
	}
}

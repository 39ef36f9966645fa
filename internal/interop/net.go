package interop

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// maxHosts bounds a segment: the addresses of 192.0.2.0/24 (RFC 5737).
const maxHosts = 254

// Net is one Ethernet segment of a test. It is for one goroutine.
type Net struct {
	t      testing.TB
	v4, v6 netip.Prefix
	wire   *namespace // the bridge's
	hosts  map[string]*Host
	ports  int
}

// NewNet makes an empty segment that ends with the test. It skips the test
// where that cannot be.
func NewNet(t testing.TB) *Net {
	t.Helper()
	return NewNetAt(t, netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/64"))
}

// NewNetAt makes a segment with other addresses: a /24 and a /64.
func NewNetAt(t testing.TB, v4, v6 netip.Prefix) *Net {
	t.Helper()
	require(t)
	n := &Net{t: t, v4: v4, v6: v6, wire: newNamespace(t), hosts: map[string]*Host{}}
	n.wire.ip(t, "link", "add", "bridge", "type", "bridge")
	n.wire.ip(t, "link", "set", "bridge", "up")
	return n
}

// Host is one computer on the segment.
type Host struct {
	Name       string
	IPv4, IPv6 netip.Addr
	Dir        string // an empty folder for its files

	t  testing.TB
	ns *namespace
}

// Host returns the host of that name, made when it is first asked for. Hosts
// get ascending addresses.
func (n *Net) Host(name string) *Host {
	n.t.Helper()
	if h := n.hosts[name]; h != nil {
		return h
	}
	h := &Host{Name: name, Dir: n.t.TempDir(), t: n.t, ns: newNamespace(n.t)}
	h.ns.ip(n.t, "link", "set", "lo", "up")
	h.IPv4, h.IPv6 = n.Plug(h, "eth0")
	n.hosts[name] = h
	return h
}

// Plug gives a host of this or of another segment a port at this one, with the
// next addresses here.
func (n *Net) Plug(h *Host, device string) (v4, v6 netip.Addr) {
	n.t.Helper()
	n.ports++
	if n.ports > maxHosts {
		n.t.Fatalf("interop: more than %d hosts", maxHosts)
	}
	a4, a6 := n.v4.Addr().As4(), n.v6.Addr().As16()
	a4[3], a6[15] = byte(n.ports), byte(n.ports)
	v4, v6 = netip.AddrFrom4(a4), netip.AddrFrom16(a6)
	port := fmt.Sprintf("port%d", n.ports)
	n.wire.ip(n.t, "link", "add", port, "type", "veth", "peer", "name", device, "netns", fmt.Sprint(h.ns.pid))
	n.wire.ip(n.t, "link", "set", port, "master", "bridge", "up")
	// Else the link-local address is good for nothing in its first second.
	err := h.Do(func() error {
		return os.WriteFile("/proc/sys/net/ipv6/conf/"+device+"/accept_dad", []byte("0"), 0)
	})
	if err != nil {
		n.t.Fatal(err)
	}
	h.ns.ip(n.t, "link", "set", device, "up")
	h.ns.ip(n.t, "addr", "add", v4.String()+"/24", "dev", device)
	h.ns.ip(n.t, "addr", "add", v6.String()+"/64", "dev", device, "nodad")
	return v4, v6
}

// Via sends what leaves the host's segment to these addresses of a router.
func (h *Host) Via(v4, v6 netip.Addr) {
	h.t.Helper()
	h.ns.ip(h.t, "route", "add", "default", "via", v4.String())
	h.ns.ip(h.t, "-6", "route", "add", "default", "via", v6.String())
}

// Forward makes the host a router between its segments.
func (h *Host) Forward() {
	h.t.Helper()
	err := h.Do(func() error {
		return errors.Join(os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0),
			os.WriteFile("/proc/sys/net/ipv6/conf/all/forwarding", []byte("1"), 0))
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// SetLink plugs the host's cable in or out.
func (h *Host) SetLink(up bool) {
	h.t.Helper()
	state := "down"
	if up {
		state = "up"
	}
	h.ns.ip(h.t, "link", "set", "eth0", state)
}

// namespace is a network namespace that a process keeps alive.
type namespace struct{ pid int }

// newNamespace makes a namespace that ends with the test. Its keeper reads from
// a pipe that nobody writes to: it ends when we do, however that happens.
func newNamespace(t testing.TB) *namespace {
	t.Helper()
	cmd := exec.Command("cat")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = io.Discard
	if err := cmd.Start(); err != nil {
		Unavailable(t, "interop: make a network namespace: %v", err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	return &namespace{pid: cmd.Process.Pid}
}

func (ns *namespace) path() string { return fmt.Sprintf("/proc/%d/ns/net", ns.pid) }

// enter returns the beginning of a command line that runs in the namespace.
func (ns *namespace) enter() []string { return []string{"nsenter", "--net=" + ns.path(), "--"} }

// ip runs ip(8) in the namespace.
func (ns *namespace) ip(t testing.TB, args ...string) {
	t.Helper()
	line := append(append(ns.enter(), "ip"), args...)
	if out, err := exec.Command(line[0], line[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("interop: ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

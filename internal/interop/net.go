package interop

import (
	"fmt"
	"io"
	"net/netip"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// maxHosts bounds a segment: the addresses of 192.0.2.0/24 (RFC 5737).
const maxHosts = 254

// Net is one Ethernet segment of a test. It is for one goroutine.
type Net struct {
	t     testing.TB
	wire  *namespace // the bridge's
	hosts map[string]*Host
}

// NewNet makes an empty segment that ends with the test. It skips the test
// where that cannot be.
func NewNet(t testing.TB) *Net {
	t.Helper()
	require(t)
	n := &Net{t: t, wire: newNamespace(t), hosts: map[string]*Host{}}
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
	id := len(n.hosts) + 1
	if id > maxHosts {
		n.t.Fatalf("interop: more than %d hosts", maxHosts)
	}
	h := &Host{
		Name: name,
		IPv4: netip.AddrFrom4([4]byte{192, 0, 2, byte(id)}),
		IPv6: netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 2: 0x0d, 3: 0xb8, 15: byte(id)}),
		Dir:  n.t.TempDir(),
		t:    n.t,
		ns:   newNamespace(n.t),
	}
	port := fmt.Sprintf("port%d", id)
	n.wire.ip(n.t, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", fmt.Sprint(h.ns.pid))
	n.wire.ip(n.t, "link", "set", port, "master", "bridge", "up")
	h.ns.ip(n.t, "link", "set", "lo", "up")
	h.ns.ip(n.t, "link", "set", "eth0", "up")
	h.ns.ip(n.t, "addr", "add", h.IPv4.String()+"/24", "dev", "eth0")
	h.ns.ip(n.t, "addr", "add", h.IPv6.String()+"/64", "dev", "eth0", "nodad")
	n.hosts[name] = h
	return h
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

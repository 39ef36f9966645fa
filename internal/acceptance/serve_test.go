package acceptance

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/demo"
	"ntsd/internal/interop"
	"ntsd/internal/wire"
)

// ports are handed out in turn, so that no two tests get the same, and below
// those that the kernel takes for connections of its own.
const (
	firstPort = 20000
	manyPorts = 12000
)

var portsGiven atomic.Uint32 //nolint:gochecknoglobals // all tests share the machine's ports

// freePort returns a port that nobody has, neither UDP's nor TCP's.
func freePort(t *testing.T) uint16 {
	t.Helper()
	for range manyPorts {
		port := firstPort + int(uint32(os.Getpid())+portsGiven.Add(1))%manyPorts
		conn, err := net.ListenUDP("udp", &net.UDPAddr{Port: port})
		if err != nil {
			continue
		}
		_ = conn.Close()
		ln, err := net.ListenTCP("tcp", &net.TCPAddr{Port: port})
		if err != nil {
			continue
		}
		_ = ln.Close()
		return uint16(port)
	}
	t.Fatal("no port is free")
	return 0
}

// serving returns the sections for a server on a port, for these clients.
func serving(port uint16, subnets ...string) string {
	text := section("serve", "enabled", "yes", "port", fmt.Sprint(port)) + "\nconfig allow\n"
	for _, s := range subnets {
		text += "\tlist subnet '" + s + "'\n"
	}
	return text
}

// Replies that must not come are waited for that long.
const silence = 300 * time.Millisecond

func onLoopback(port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)
}

// TestCheck51ClientAndServerTogether: NTS upstream and plain time for the LAN:
// what is served is the upstream's time at one stratum more, and a second
// daemon follows the first. Until it is synchronised, the server says so.
func TestCheck51ClientAndServerTogether(t *testing.T) {
	w := newWorld(t)
	const ahead = 2.5
	s := w.nts(func(c *demo.ServerConfig) { c.Offset = clock.OffsetSeconds(ahead) })
	s.NoReply(true)
	port := freePort(t)
	d := w.start(w.config(source(s), section("makestep", "threshold", "1", "limit", "3"), serving(port, "127.0.0.0/8", "::1")))
	var got interop.Sample
	ask := func() bool {
		var err error
		got, err = interop.ExchangePlain(onLoopback(port), silence)
		return err == nil
	}
	eventually(t, "a reply", ask)
	if h := got.Header; h.Leap != wire.LeapUnknown || h.Stratum != 0 {
		t.Errorf("unsynchronised: got leap %d, stratum %d; want %d, 0", h.Leap, h.Stratum, wire.LeapUnknown)
	}
	s.NoReply(false)
	d.synchronised()
	eventually(t, "a synchronised reply", func() bool { return ask() && got.Header.Stratum != 0 })
	if h, off := got.Header, got.Offset.Seconds(); h.Stratum != 2 || h.Leap != 0 || math.Abs(off-ahead) > 0.2 {
		t.Errorf("got stratum %d, leap %d, offset %v; want 2, 0, %v", h.Stratum, h.Leap, off, ahead)
	}
	if got, err := interop.ExchangePlain(netip.AddrPortFrom(netip.IPv6Loopback(), port), silence); err != nil || got.Header.Stratum != 2 {
		t.Errorf("over IPv6: %+v, %v", got.Header, err)
	}
	// The chain: a second daemon behind the first.
	w2 := &world{t: t, dir: w.dir, run: w.run + "2", ca: w.ca}
	second := w2.start(w2.config(section("server", quick("hostname", "127.0.0.1", "port", fmt.Sprint(port))...)))
	r := second.until("a step", func(r *report) bool { return r.Tracking.Synchronised && r.Tracking.Steps == 1 })
	if off := time.Until(clock.Wall(r.Time).Time()).Seconds(); r.Tracking.Stratum != 3 || math.Abs(off-ahead) > 0.3 {
		t.Errorf("the second daemon: got stratum %d, %v s ahead; want 3, %v", r.Tracking.Stratum, off, ahead)
	}
}

// TestCheck13LANHostsGetTime: "allow lan" answers the hosts of the LAN's bridge
// and nobody else.
func TestCheck13LANHostsGetTime(t *testing.T) {
	w := newWorld(t)
	if os.Getenv(moved) == "" {
		interop.Unavailable(t, "acceptance: a bridge needs a network of its own")
	}
	ownInterfaces(t)
	const router, guests = "192.168.77.1", "192.168.78.1"
	bridge(t, "br-lan", router)
	bridge(t, "br-guest", guests)
	s := w.nts(nil)
	port := freePort(t)
	d := w.start(w.config(source(s), section("allow", "interface", "lan"), section("serve", "port", fmt.Sprint(port))))
	d.synchronised()
	// From the bridge's own address, which is one of its subnet.
	ask := func(bridge string) (interop.Sample, error) {
		return interop.ExchangePlain(netip.AddrPortFrom(netip.MustParseAddr(bridge), port), silence)
	}
	eventually(t, "a reply to the LAN", func() bool {
		got, err := ask(router)
		return err == nil && got.Header.Stratum == 2
	})
	if got, err := ask(guests); err == nil {
		t.Errorf("a host that is not of the LAN got a reply: %+v", got.Header)
	}
	if out := d.ask("accheck", "192.168.77.200"); !strings.Contains(out, "Access allowed") {
		t.Errorf("accheck of a LAN host: %q", out)
	}
	if out := d.ask("accheck", "198.51.100.7"); !strings.Contains(out, "Access denied") {
		t.Errorf("accheck of a stranger: %q", out)
	}
}

// bridge makes a bridge with an address, as OpenWrt does for each network.
func bridge(t *testing.T, name, addr string) {
	t.Helper()
	for _, line := range []string{"link add " + name + " type bridge", "addr add " + addr + "/24 dev " + name, "link set " + name + " up"} {
		if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			interop.Unavailable(t, "acceptance: ip %s: %v: %s", line, err, out)
		}
	}
	t.Cleanup(func() { _ = exec.Command("ip", "link", "del", name).Run() })
}

// TestServerIsOffWithoutAllow: nobody is answered unless a section allows it,
// and a reload changes that both ways.
func TestServerIsOffWithoutAllow(t *testing.T) {
	w := newWorld(t)
	s := w.nts(nil)
	port := freePort(t)
	closed := w.config(source(s), section("serve", "port", fmt.Sprint(port)))
	answers := func() bool {
		_, err := interop.ExchangePlain(onLoopback(port), silence)
		return err == nil
	}
	d := w.start(closed)
	d.synchronised()
	if answers() {
		t.Error("answers without a section allow")
	}
	d.change(w.config(source(s), serving(port, "127.0.0.1")))
	d.ask("reload")
	eventually(t, "a reply once it is allowed", answers)
	d.change(closed)
	d.ask("reload")
	eventually(t, "silence once it is closed", func() bool { return !answers() })
}

// TestServerNeverAmplifies: whatever a request is like, no reply is longer, and
// the daemon lives through it.
func TestServerNeverAmplifies(t *testing.T) {
	w := newWorld(t)
	s := w.nts(nil)
	port := freePort(t)
	d := w.start(w.config(source(s), serving(port, "127.0.0.1")))
	d.synchronised()
	eventually(t, "a reply", func() bool {
		_, err := interop.ExchangePlain(onLoopback(port), silence)
		return err == nil
	})
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(onLoopback(port)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	replies := 0
	buf := make([]byte, 4096)
	for i := range 1500 {
		pkt := make([]byte, random.IntN(200))
		if i%7 == 0 {
			pkt = make([]byte, 48+4*random.IntN(300))
		}
		for j := range pkt {
			pkt[j] = byte(random.Uint32())
		}
		switch {
		case len(pkt) > 0 && i%3 > 0:
			pkt[0] = byte(random.IntN(8))<<3 | byte(random.IntN(8)) // any version and mode
		case i%6 == 0: // a client's request, with a field that is not known
			pkt = wire.AppendExtension(pkt[:min(48, len(pkt))], 0x2005, pkt[min(48, len(pkt)):])
			fallthrough
		case len(pkt) > 0:
			pkt[0] = 4<<3 | 3
		}
		if _, err := conn.Write(pkt); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(2 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		// A late reply to an earlier request is told by its origin timestamp.
		n, err := conn.Read(buf)
		if err != nil || len(pkt) < 48 || n < 48 || string(buf[24:32]) != string(pkt[40:48]) {
			continue
		}
		if replies++; n > len(pkt) {
			t.Errorf("%d bytes in reply to %d: %x", n, len(pkt), pkt)
		}
		if mode := buf[0] & 7; mode == 6 || mode == 7 {
			t.Errorf("a reply of mode %d", mode)
		}
	}
	t.Logf("%d replies to 1500 requests", replies)
	if replies == 0 {
		t.Error("no reply at all")
	}
	if _, err := interop.ExchangePlain(onLoopback(port), time.Second); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	var stats struct{ Received, Dropped uint64 }
	if err := json.Unmarshal([]byte(d.ask("serverstats", "--json")), &stats); err != nil || stats.Received < 1000 || stats.Dropped == 0 {
		t.Errorf("serverstats: %+v, %v", stats, err)
	}
}

// TestServerTables: serverstats and clients tell who asked how often.
func TestServerTables(t *testing.T) {
	w := newWorld(t)
	s := w.nts(nil)
	port := freePort(t)
	d := w.start(w.config(source(s), serving(port, "127.0.0.1")))
	d.synchronised()
	good := 0
	eventually(t, "five replies", func() bool {
		if _, err := interop.ExchangePlain(onLoopback(port), silence); err == nil {
			good++
		}
		return good == 5
	})
	if out := d.ask("serverstats"); !inOrder(out, "NTP packets received       : 5", "NTP packets dropped        : 0",
		"Command packets received", "Command packets dropped", "Client log records dropped", "NTS-KE connections accepted",
		"NTS-KE connections dropped", "Authenticated NTP packets  : 0") {
		t.Errorf("serverstats:\n%s", out)
	}
	if got := row(t, d.ask("-n", "clients"), "127.0.0.1"); got[1] != "5" || got[2] != "0" {
		t.Errorf("clients: got %v", got)
	}
	var v any
	for _, args := range [][]string{{"serverstats", "--json"}, {"clients", "--json"}, {"accheck", "127.0.0.1", "--json"}} {
		if err := json.Unmarshal([]byte(d.ask(args...)), &v); err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
}

// TestCheck60LocalClockServes: without a source the machine's own clock is
// served at stratum 10 where section local says so, and only there; when the
// source answers its time is served.
func TestCheck60LocalClockServes(t *testing.T) {
	w := newWorld(t)
	s := w.nts(nil)
	s.NoReply(true)
	port := freePort(t)
	plain := w.config(source(s), serving(port, "127.0.0.1"))
	d := w.start(plain)
	stratum := func(want uint8) (h wire.Header) {
		t.Helper()
		eventually(t, fmt.Sprint("reply of stratum ", want), func() bool {
			got, err := interop.ExchangePlain(onLoopback(port), silence)
			h = got.Header
			return err == nil && h.Stratum == want
		})
		return h
	}
	if h := stratum(0); h.Leap != wire.LeapUnknown {
		t.Errorf("without section local: got %+v, want an unsynchronised server", h)
	}
	d.change(plain + section("local", "enabled", "yes"))
	d.ask("reload")
	if h := stratum(10); h.Leap != wire.LeapNone || h.ReferenceID != (wire.ReferenceID{127, 127, 1, 1}) {
		t.Errorf("got %+v, want the reference ID 127.127.1.1", h)
	}
	// Another daemon takes it as any source.
	w2 := &world{t: t, dir: w.dir, run: w.run + "2", ca: w.ca}
	path := w2.write("second.uci", w2.config(section("server", quick("hostname", "127.0.0.1", "port", fmt.Sprint(port))...)))
	second := w2.launch([]string{tool("ntsd"), "-x", "-t", lifetime, "-f", path}, path, filepath.Join(w2.run, "ntsd.sock"))
	if got := second.synchronised().Tracking.Stratum; got != 11 {
		t.Errorf("the second daemon: got stratum %d, want 11", got)
	}
	second.stop()
	s.NoReply(false)
	d.synchronised()
	stratum(2)
}

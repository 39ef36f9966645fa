package acceptance

import (
	"encoding/json"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ntsd/internal/nts"
	"ntsd/internal/siv"
	"ntsd/internal/status"
	"ntsd/internal/wire"
)

// TestCheck28ServerKeepsNoClientState: all that the server knows of an NTS client
// is in the client's cookie. It is killed, and one that has never heard of these
// clients answers each of them at once.
func TestCheck28ServerKeepsNoClientState(t *testing.T) {
	s := newWorld(t).serveNTS()
	var sessions []*nts.Session
	for range 50 {
		sessions = append(sessions, s.establish(siv.AESSIVCMAC256))
	}
	s.kill()
	s.daemon = s.w.start(s.text)
	s.ready()
	for _, session := range sessions {
		s.exchange(session, "after the server was killed")
	}
	if got := s.stats(); got.Authenticated != uint64(len(sessions)) || got.Verdicts["nak"] != 0 || got.KEAccepted != 0 {
		t.Errorf("got %+v, want %d authenticated requests and no key establishment", got, len(sessions))
	}
}

// crowd is a server's clients, each with an address of its own.
type crowd struct {
	t  *testing.T
	to *net.UDPAddr
	n  uint32
}

// ask has so many more clients ask for the time, and wants each answered.
func (c *crowd) ask(clients int) {
	c.t.Helper()
	request := wire.Header{Version: 4, Mode: wire.ModeClient, Transmit: 1}.Append(nil)
	buf := make([]byte, 2*len(request))
	for range clients {
		c.n++
		from := netip.AddrFrom4([4]byte{127, byte(200 + c.n>>16), byte(c.n >> 8), byte(c.n)})
		conn, err := net.DialUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0)), c.to)
		if err != nil {
			c.t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(limit))
		_, err = conn.Write(request)
		n := 0
		if err == nil {
			n, err = conn.Read(buf)
		}
		conn.Close()
		if err != nil || n != len(request) {
			c.t.Fatalf("client %d at %v: got %d bytes, %v", c.n, from, n, err)
		}
	}
}

// TestCheck44SmallBoxServesMany: what the server needs does not grow with the
// number of its clients, once the table of those that it shows is full.
func TestCheck44SmallBoxServesMany(t *testing.T) {
	const (
		table = 4096 // the default of max_clients
		first = table + 1000
		more  = 30000
		slack = 3000 // kB: a hundred bytes for each; half a megabyte is the collector's rhythm
	)
	w := newWorld(t)
	port := freePort(t)
	d := w.start(w.config(source(w.nts(nil)), serving(port, "127.0.0.0/8")))
	d.synchronised()
	c := &crowd{t: t, to: net.UDPAddrFromAddrPort(onLoopback(port))}
	c.ask(first)
	before := d.memory("RssAnon")
	c.ask(more)
	after := d.memory("RssAnon")
	t.Logf("%d kB of its own after %d clients, %d kB after %d", before, first, after, c.n)
	if after > before+slack {
		t.Errorf("%d more clients cost %d kB", more, after-before)
	}
	var got []status.Client
	if err := json.NewDecoder(strings.NewReader(d.ask("clients", "--json"))).Decode(&got); err != nil || len(got) == 0 || len(got) > table {
		t.Errorf("clients in the table: %d, %v; want at most %d", len(got), err, table)
	}
	var stats status.ServerStats
	if err := json.Unmarshal([]byte(d.ask("serverstats", "--json")), &stats); err != nil || stats.Received < uint64(c.n) || stats.Dropped != 0 {
		t.Errorf("got %+v, %v; want %d packets and none dropped", stats, err, c.n)
	}
}

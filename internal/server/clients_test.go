package server

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/ntptime"
	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

func seed() Seed { return Seed{0x0123456789abcdef, 0xfedcba9876543210} }

// visitor asks a server with a table of clients.
type visitor struct {
	s       *Server
	clients *Clients
	now     clock.Mono
}

func newVisitor(p Policy, size int) *visitor {
	return &visitor{s: New(Config{Policy: &p}), clients: NewClients(size, seed())}
}

// ask sends one request from an address, with the header h where it is given.
func (v *visitor) ask(t testing.TB, source string, h ...wire.Header) (wire.Header, Verdict) {
	t.Helper()
	req := from(source)
	hdr := request(4, wire.ModeClient)
	if len(h) > 0 {
		hdr = h[0]
	}
	req.Data, req.At, req.Clients = hdr.Append(nil), v.now, v.clients
	req.Received = arrival().Add(time.Duration(v.now))
	pkt, verdict := v.s.Reply(nil, req, req.Received.Add(time.Microsecond), goodSystem())
	if !verdict.Replies() {
		return wire.Header{}, verdict
	}
	reply, err := wire.ParseHeader(pkt)
	if err != nil {
		t.Fatal(err)
	}
	return reply, verdict
}

func TestPolicy(t *testing.T) {
	rules := []Rule{allow("198.51.100.0/24"), deny("fe80:0:0:1::/64")}
	s := New(Config{Policy: &Policy{Access: NewAccess(rules), Interfaces: []uint32{2, 5}, LinkLocal: []uint32{5}}})
	for _, c := range []struct {
		name  string
		from  string
		local string
		index uint32
		want  Verdict
	}{
		{"allowed", "198.51.100.7:4000", "192.0.2.1", 5, Answered},
		{"unknown interface", "198.51.100.7:4000", "192.0.2.1", 0, Answered},
		{"refused", "198.51.101.7:4000", "192.0.2.1", 5, DropAccess},
		{"other interface", "198.51.100.7:4000", "192.0.2.1", 3, DropInterface},
		{"loopback", "127.0.0.1:4000", "127.0.0.1", 1, Answered},
		{"loopback from outside", "127.0.0.1:4000", "192.0.2.1", 2, DropSource},
		{"link-local", "[fe80::7]:4000", "fe80::1", 5, Answered},
		{"link-local on another interface", "[fe80::7]:4000", "fe80::1", 2, DropAccess},
		{"link-local, but denied", "[fe80:0:0:1::7]:4000", "fe80::1", 5, DropAccess},
		{"loopback 6 from outside", "[::1]:4000", "2001:db8::1", 2, DropSource},
	} {
		req := from(c.from)
		req.Local, req.Interface = netip.MustParseAddr(c.local), c.index
		req.Data = request(4, wire.ModeClient).Append(nil)
		if _, got := s.Reply(nil, req, arrival(), goodSystem()); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestRateLimit(t *testing.T) {
	limit := RateLimit{Enabled: true, Interval: 3, Burst: 8, Leak: 2, Kiss: 3}
	v := newVisitor(Policy{RateLimit: limit}, 64)
	const client = "198.51.100.7:4000"
	for i := range 8 {
		if _, got := v.ask(t, client); got != Answered {
			t.Fatalf("request %d of the burst: got %v, want %v", i+1, got, Answered)
		}
	}
	// 16384 more at once: one in four leaks, one in eight of the rest is kissed.
	var counts Counts
	for range 16384 {
		h, got := v.ask(t, client)
		counts[got]++
		if got == KissRate && (h.Stratum != 0 || h.ReferenceID != wire.KissRate.ReferenceID() || h.Leap != wire.LeapUnknown ||
			h.Origin != request(4, wire.ModeClient).Transmit || h.Poll != 6) {
			t.Fatalf("kiss: got %+v", h)
		}
	}
	if n := counts[Answered]; n < 3900 || n > 4300 {
		t.Errorf("leaked: got %d of 16384, want some 4096", n)
	}
	if n := counts[KissRate]; n < 1400 || n > 1670 {
		t.Errorf("kissed: got %d, want some 1536", n)
	}
	if n := counts[DropRate] + counts[KissRate] + counts[Answered]; n != 16384 {
		t.Errorf("got %v, want only %v, %v and %v", counts, Answered, KissRate, DropRate)
	}
	if _, got := v.ask(t, "198.51.100.8:4000"); got != Answered {
		t.Errorf("another client: got %v, want %v", got, Answered)
	}
	// The flood charged nothing: a bucket of 8 less the 8 of the burst fills
	// at one per 8 s.
	v.now = v.now.Add(8 * time.Second)
	if _, got := v.ask(t, client); got != Answered {
		t.Errorf("after the interval: got %v, want %v", got, Answered)
	}
	list := v.clients.AppendList(nil, v.now)
	if len(list) != 2 || list[0].Addr != netip.MustParseAddr("198.51.100.7") || list[0].Requests != 8+16384+1 ||
		list[0].Dropped != uint32(counts[KissRate]+counts[DropRate]) {
		t.Errorf("list: got %+v", list)
	}
}

// In the long run a client that asks faster than the interval gets one reply
// per interval, and what leaks.
func TestRateLimitInTheLongRun(t *testing.T) {
	v := newVisitor(Policy{RateLimit: RateLimit{Enabled: true, Interval: 4, Burst: 4, Leak: 4}}, 64)
	answered := 0
	const hours = 10
	for range hours * 3600 {
		if _, got := v.ask(t, "198.51.100.7:4000"); got == Answered {
			answered++
		}
		v.now = v.now.Add(time.Second)
	}
	const seconds, interval = hours * 3600, 16
	want := seconds/interval + (seconds-seconds/interval)/16
	if answered < want*9/10 || answered > want*11/10 {
		t.Errorf("answered %d in %d s, want some %d", answered, seconds, want)
	}
}

func interleavedRequest(reply wire.Header, received ntptime.Timestamp) wire.Header {
	h := request(4, wire.ModeClient)
	h.Origin, h.Receive, h.Transmit = reply.Receive, received, h.Transmit+1
	return h
}

// TestEstablishmentsYield: key establishments take no more room than clients
// have, and one that made room is not remembered for its successor.
func TestEstablishmentsYield(t *testing.T) {
	c, now := NewClients(clientWays, seed()), clock.Mono(0)
	limit := RateLimit{Enabled: true, Interval: 6, Burst: 2, Leak: 63}
	for i := range 1000 {
		now = now.Add(time.Millisecond)
		a := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		first, second, third := c.Admit(&limit, a, now), c.Admit(&limit, a, now), c.Admit(&limit, a, now)
		if !first || !second || third {
			t.Fatalf("client %d: want two establishments admitted, the third not", i)
		}
	}
	all := c.AppendList(nil, now)
	if len(all) != clientWays || c.Displaced() != 1000-clientWays {
		t.Errorf("got %d clients, %d displaced, want %d and the rest", len(all), c.Displaced(), clientWays)
	}
	for _, k := range all {
		if k.KE != 3 || k.KEDropped != 1 || k.Requests != 0 || k.Last >= 0 {
			t.Errorf("got %+v, want 3 establishments of which 1 dropped, and no request", k)
		}
	}
}

func TestInterleaved(t *testing.T) {
	v := newVisitor(Policy{Interleaved: true}, 64)
	const client, behindNAT = "198.51.100.7:4000", "198.51.100.7:4001"
	first, got := v.ask(t, client)
	if got != Answered || first.Origin != request(4, wire.ModeClient).Transmit {
		t.Fatalf("first: got %v, %+v", got, first)
	}
	other, _ := v.ask(t, behindNAT) // the same instant, the same address
	if other.Receive == first.Receive {
		t.Errorf("two replies to one address with the receive timestamp %x", first.Receive)
	}
	left := first.Transmit + 12345
	v.clients.Sent(netip.MustParseAddr("198.51.100.7"), first.Receive, left)
	v.now = v.now.Add(time.Second)
	h := interleavedRequest(first, 777)
	second, got := v.ask(t, "198.51.100.7:5000", h) // from another port
	if got != AnsweredInterleaved || second.Origin != 777 || second.Transmit != left {
		t.Errorf("second: got %v, %+v; want interleaved, origin 777, transmit %x", got, second, left)
	}
	if n := ntptime.FromWall(arrival().Add(time.Second)); second.Receive != n {
		t.Errorf("second: got receive %x, want %x", second.Receive, n)
	}
	// The reply was lost, so the client names the first again.
	if again, got := v.ask(t, client, interleavedRequest(first, 777)); got != AnsweredInterleaved || again.Transmit != left {
		t.Errorf("again: got %v, transmit %x; want interleaved, %x", got, again.Transmit, left)
	}
	for name, h := range map[string]wire.Header{
		"basic":            {Version: 4, Mode: wire.ModeClient, Origin: second.Receive, Receive: 5, Transmit: 5},
		"unknown reply":    {Version: 4, Mode: wire.ModeClient, Origin: second.Receive + 9, Receive: 5, Transmit: 6},
		"transmit instead": {Version: 4, Mode: wire.ModeClient, Origin: second.Transmit, Receive: 5, Transmit: 6},
	} {
		if reply, got := v.ask(t, client, h); got != Answered || reply.Origin != h.Transmit {
			t.Errorf("%s: got %v, origin %x; want basic", name, got, reply.Origin)
		}
	}
	// Another address learns nothing.
	if _, got := v.ask(t, "198.51.100.8:4000", interleavedRequest(second, 5)); got != Answered {
		t.Errorf("stranger: got %v, want %v", got, Answered)
	}
	if list := v.clients.AppendList(nil, v.now); len(list) != 2 || !list[0].Interleaved || list[1].Interleaved {
		t.Errorf("list: got %+v, want only the first interleaved", list)
	}
	if n, span := v.clients.Held(); n != 8 || span.Round(time.Microsecond) != time.Second {
		t.Errorf("held: got %d over %v, want 8 over 1s", n, span)
	}
}

// Only who opens its cookie is told when the reply before left.
func TestInterleavedNTS(t *testing.T) {
	ring, c := newRing(t, 1), newClient(t, siv.AESSIVCMAC256)
	clients := NewClients(64, seed())
	s := New(Config{Cookies: ring, Rand: c.rand, Policy: &Policy{Interleaved: true}})
	ask := func(data []byte) (wire.Header, Verdict) {
		req := from("198.51.100.7:4000")
		req.Data, req.Clients = data, clients
		pkt, v := s.Reply(nil, req, arrival(), goodSystem())
		h, err := wire.ParseHeader(pkt)
		if err != nil {
			t.Fatal(err)
		}
		return h, v
	}
	first, v := ask(c.request(t, c.cookie(ring), 0))
	if v != AnsweredNTS {
		t.Fatalf("first: got %v, want %v", v, AnsweredNTS)
	}
	h := interleavedRequest(first, 777)
	aead, err := siv.New(c.alg, c.c2s)
	if err != nil {
		t.Fatal(err)
	}
	data := appendRequest(h, c, c.cookie(ring), aead)
	forged := append([]byte(nil), data...)
	forged[len(forged)-1] ^= 1
	if got, v := ask(forged); v != NAK || got.Origin != h.Transmit {
		t.Errorf("forged: got %v, origin %x; want %v in basic mode", v, got.Origin, NAK)
	}
	if got, v := ask(data); v != AnsweredNTSInterleaved || got.Origin != 777 || got.Transmit != first.Transmit {
		t.Errorf("second: got %v, %+v", v, got)
	}
}

// A flood from invented addresses takes no proven client's place.
func TestFloodDisplacesNoProvenClient(t *testing.T) {
	const flood = 200_000
	v := newVisitor(Policy{Interleaved: true}, 1024)
	random := rand.New(rand.NewPCG(3, 0))
	t.Log("seed 3")
	var replies []wire.Header
	clients := make([]string, 64)
	for i := range clients {
		clients[i] = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 123).String()
		first, _ := v.ask(t, clients[i])
		v.now = v.now.Add(time.Millisecond)
		second, _ := v.ask(t, clients[i], interleavedRequest(first, 5))
		replies = append(replies, second)
	}
	spoofed := from("203.0.113.1:123")
	spoofed.Data, spoofed.Clients = request(4, wire.ModeClient).Append(nil), v.clients
	buf := make([]byte, 0, wire.HeaderLen)
	for range flood {
		v.now = v.now.Add(10 * time.Microsecond)
		spoofed.From = netip.AddrPortFrom(netip.AddrFrom4([4]byte{byte(random.IntN(100)) + 1, byte(random.Uint32()), byte(random.Uint32()), 9}), 123)
		spoofed.At, spoofed.Received = v.now, arrival().Add(time.Duration(v.now))
		if _, got := v.s.Reply(buf, spoofed, spoofed.Received, goodSystem()); got != Answered {
			t.Fatalf("spoofed: got %v", got)
		}
	}
	lost := 0
	for i, c := range clients {
		if _, got := v.ask(t, c, interleavedRequest(replies[i], 6)); got != AnsweredInterleaved {
			lost++
		}
	}
	if lost > 2 { // four proven pairs may meet in one set
		t.Errorf("after the flood %d of %d clients lost interleaved mode", lost, len(clients))
	}
	if n := len(v.clients.AppendList(nil, v.now)); n > 1024 {
		t.Errorf("table has %d clients, more than 1024", n)
	}
	if v.clients.Displaced() < flood/2 {
		t.Errorf("displaced %d, want nearly %d", v.clients.Displaced(), flood)
	}
}

func TestSchedulesAreBounded(t *testing.T) {
	ring := newRing(t, 1)
	var s *Server
	for i := range 4 * maxSchedules {
		c := newClient(t, siv.AES128GCMSIV)
		for range i % 7 { // clients differ in their keys
			c.bytes(8)
		}
		c.c2s, c.s2c = c.bytes(16), c.bytes(16)
		c.c2s[0], c.c2s[1] = byte(i), byte(i>>8)
		if s == nil {
			s = New(Config{Cookies: ring, Rand: c.rand})
		}
		for range 2 {
			req := from("198.51.100.7:40000")
			req.Data = c.request(t, c.cookie(ring), 0)
			pkt, v := s.Reply(nil, req, arrival(), goodSystem())
			if _, err := c.open(pkt); err != nil || v != AnsweredNTS {
				t.Fatalf("client %d: got %v, %v", i, v, err)
			}
		}
	}
	if n := len(s.schedules.sets) * scheduleWays; n != maxSchedules {
		t.Errorf("got room for %d schedules, want %d", n, maxSchedules)
	}
}

func BenchmarkInterleaved(b *testing.B) {
	v := newVisitor(Policy{Interleaved: true, Access: NewAccess([]Rule{allow("198.51.100.0/24")})}, 4096)
	req := from("198.51.100.7:40000")
	req.Clients = v.clients
	buf, data := make([]byte, 0, wire.HeaderLen), make([]byte, 0, wire.HeaderLen)
	h := request(4, wire.ModeClient)
	h.Receive = 9
	b.ReportAllocs()
	for b.Loop() {
		req.Data = h.Append(data)
		req.Received++
		pkt, _ := v.s.Reply(buf, req, req.Received.Add(time.Microsecond), goodSystem())
		reply, _ := wire.ParseHeader(pkt)
		h.Origin = reply.Receive
	}
	if n := v.s.counts[AnsweredInterleaved]; n+1 < uint64(b.N) {
		b.Errorf("%d of %d replies are interleaved", n, b.N)
	}
}

// Every address is new: the worst case for the table.
func BenchmarkFlood(b *testing.B) {
	v := newVisitor(Policy{Interleaved: true, RateLimit: RateLimit{Enabled: true, Interval: 3, Burst: 8, Leak: 2}}, 4096)
	req := from("198.51.100.7:40000")
	req.Data, req.Clients = request(4, wire.ModeClient).Append(nil), v.clients
	buf := make([]byte, 0, wire.HeaderLen)
	i := uint32(1 << 24)
	b.ReportAllocs()
	for b.Loop() {
		i++
		req.From = netip.AddrPortFrom(netip.AddrFrom4([4]byte{byte(i>>24) & 127, byte(i >> 16), byte(i >> 8), byte(i)}), 123)
		req.At++
		v.s.Reply(buf, req, arrival(), goodSystem())
	}
}

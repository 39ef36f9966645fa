package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"testing"
	"testing/iotest"
	"time"

	"ntsd/internal/ntptime"
	"ntsd/internal/nts"
	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

// path is one way through the server, and what it may allocate.
type path struct {
	name    string
	verdict Verdict
	allocs  float64
	policy  Policy
	random  io.Reader // nil: one that does not fail
	noNTS   bool
	from    string // default: a client that is allowed
	local   string // default: an address of ours
	// request returns the datagram; the server has answered first already.
	request func(t testing.TB, b *pathBed) []byte
}

// pathBed is what a path runs on.
type pathBed struct {
	s       *Server
	clients *Clients
	ring    *nts.Keyring
	req     Request
	buf     []byte
}

// paths lists every verdict, those of NTS for both families of AEADs.
func paths() []path {
	lan := NewAccess([]Rule{allow("198.51.100.0/24")})
	open := Policy{Access: lan, Interleaved: true}
	limited := Policy{Access: lan, RateLimit: RateLimit{Enabled: true, Interval: 12, Burst: 1, Leak: 62}}
	kissing := limited
	kissing.RateLimit.Kiss = 1
	plain := func(testing.TB, *pathBed) []byte { return request(4, wire.ModeClient).Append(nil) }
	header := func(edit func(*wire.Header)) func(testing.TB, *pathBed) []byte {
		return func(testing.TB, *pathBed) []byte {
			h := request(4, wire.ModeClient)
			edit(&h)
			return h.Append(nil)
		}
	}
	with := func(tail ...byte) func(testing.TB, *pathBed) []byte {
		return func(t testing.TB, b *pathBed) []byte { return append(plain(t, b), tail...) }
	}
	secure := func(alg siv.Algorithm, placeholders int, spoil func([]byte)) func(testing.TB, *pathBed) []byte {
		return func(t testing.TB, b *pathBed) []byte {
			c := newClient(t, alg)
			cookie := c.cookie(b.ring)
			spoil(cookie)
			return c.request(t, cookie, placeholders)
		}
	}
	whole := func([]byte) {}
	all := []path{
		{name: "plain", verdict: Answered, policy: open, request: plain},
		{name: "identifier", verdict: Answered, policy: open, request: func(t testing.TB, b *pathBed) []byte {
			return wire.AppendExtension(plain(t, b), 0x0104, make([]byte, 32))
		}},
		{name: "interleaved", verdict: AnsweredInterleaved, policy: open, request: func(t testing.TB, b *pathBed) []byte {
			return header(func(h *wire.Header) { h.Origin, h.Receive = b.first(t), 9 })(t, b)
		}},
		{name: "nts interleaved", verdict: AnsweredNTSInterleaved, policy: open, request: func(t testing.TB, b *pathBed) []byte {
			c := newClient(t, siv.AESSIVCMAC256)
			aead, err := siv.New(c.alg, c.c2s)
			if err != nil {
				t.Fatal(err)
			}
			h := request(4, wire.ModeClient)
			h.Origin, h.Receive = b.first(t), 9
			return appendRequest(h, c, c.cookie(b.ring), aead)
		}},
		{name: "foreign cookie", verdict: NAK, policy: open, request: secure(siv.AESSIVCMAC256, 0, func(c []byte) { c[20] ^= 1 })},
		{name: "old cookie", verdict: NAK, policy: open, request: secure(siv.AES128GCMSIV, 7, func(c []byte) { c[0] ^= 1 })},
		{name: "kiss", verdict: KissRate, policy: kissing, request: plain},
		{name: "kiss nts", verdict: KissRate, policy: kissing, request: secure(siv.AESSIVCMAC256, 0, whole)},
		{name: "control", verdict: Control, policy: Policy{Control: true}, local: "127.0.0.1", from: "127.0.0.1:40000", request: func(testing.TB, *pathBed) []byte {
			return []byte{2<<3 | 6, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}
		}},
		{name: "short", verdict: DropShort, policy: open, request: func(testing.TB, *pathBed) []byte { return make([]byte, 47) }},
		{name: "version", verdict: DropVersion, policy: open, request: header(func(h *wire.Header) { h.Version = 5 })},
		{name: "mode", verdict: DropMode, policy: open, request: header(func(h *wire.Header) { h.Mode = wire.ModeServer })},
		{name: "source", verdict: DropSource, policy: open, request: plain, from: "198.51.100.7:0"},
		{name: "interface", verdict: DropInterface, policy: Policy{Access: lan, Interfaces: []uint32{9}}, request: plain},
		{name: "access", verdict: DropAccess, policy: open, request: plain, from: "203.0.113.1:123"},
		{name: "rate", verdict: DropRate, policy: limited, request: plain},
		{name: "format", verdict: DropFormat, policy: open, request: with(2, 4, 0, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 4, 4, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)},
		{name: "unknown key", verdict: DropKey, policy: open, request: with(make([]byte, 20)...)},
		{name: "mac", verdict: DropMAC, policy: open, request: with(append([]byte{0, 0, 0, 1}, make([]byte, 16)...)...)},
		{name: "symmetric key", verdict: AnsweredMAC, policy: open, request: signed(plain)},
		{name: "symmetric key interleaved", verdict: AnsweredMACInterleaved, policy: open, request: signed(func(t testing.TB, b *pathBed) []byte {
			return header(func(h *wire.Header) { h.Origin, h.Receive = b.first(t), 9 })(t, b)
		})},
		{name: "kiss symmetric key", verdict: KissRate, policy: kissing, request: signed(plain)},
		{name: "nts off", verdict: DropNTS, policy: open, request: secure(siv.AESSIVCMAC256, 0, whole), noNTS: true},
		{name: "random", verdict: DropRandom, policy: open, request: secure(siv.AESSIVCMAC256, 0, whole), random: iotest.ErrReader(errors.New("none"))},
	}
	for _, alg := range []siv.Algorithm{siv.AESSIVCMAC256, siv.AESSIVCMAC384, siv.AESSIVCMAC512, siv.AES128GCMSIV} {
		for _, placeholders := range []int{0, 7} {
			p := path{
				name: fmt.Sprintf("%v %d placeholders", alg, placeholders), verdict: AnsweredNTS, policy: open,
				request: secure(alg, placeholders, whole),
			}
			if alg == siv.AES128GCMSIV {
				p.allocs = 2 // a key schedule for the request, one for the reply
			}
			all = append(all, p)
		}
	}
	return all
}

// first asks once and returns the receive timestamp of the reply.
func (b *pathBed) first(t testing.TB) ntptime.Timestamp {
	t.Helper()
	b.req.Data = request(4, wire.ModeClient).Append(nil)
	pkt, _ := b.s.Reply(nil, b.req, arrival(), goodSystem())
	h, err := wire.ParseHeader(pkt)
	if err != nil {
		t.Fatal(err)
	}
	return h.Receive
}

func (p *path) bed(t testing.TB) *pathBed {
	b := &pathBed{ring: newRing(t, 1), clients: NewClients(1<<14, seed())}
	b.s = New(Config{Policy: &p.policy, Cookies: b.ring, Rand: p.random, Keys: symmetricKeys()})
	if p.random == nil {
		b.s.cfg.Rand = newRand(t)
	}
	if p.noNTS {
		b.s.cfg.Cookies = nil
	}
	source := "198.51.100.7:40000"
	if p.from != "" {
		source = p.from
	}
	b.req = from(source)
	b.req.From = netip.MustParseAddrPort(source)
	b.req.Interface, b.req.Clients = 3, b.clients
	if p.local != "" {
		b.req.Local = netip.MustParseAddr(p.local)
	}
	b.req.Data = bytes.Clone(p.request(t, b))
	b.buf = make([]byte, 0, 2048)
	return b
}

// ask sends the request once more, a little later.
func (b *pathBed) ask() {
	b.req.Received = b.req.Received.Add(time.Microsecond)
	b.s.Reply(b.buf, b.req, b.req.Received.Add(time.Microsecond), goodSystem())
}

func TestAllocations(t *testing.T) {
	seen := map[Verdict]bool{}
	for _, p := range paths() {
		b := p.bed(t)
		b.s.counts = Counts{}
		if n := testing.AllocsPerRun(100, b.ask); n != p.allocs {
			t.Errorf("%s: got %v allocations, want %v", p.name, n, p.allocs)
		}
		if b.s.counts[p.verdict] < 20 {
			t.Errorf("%s: got %v, want %v", p.name, b.s.counts, p.verdict)
		}
		seen[p.verdict] = true
	}
	for v := range verdicts {
		if !seen[v] {
			t.Errorf("no path ends in %v", v)
		}
	}
}

// BenchmarkVerdicts is what each path costs beside the kernel.
func BenchmarkVerdicts(b *testing.B) {
	for _, p := range paths() {
		b.Run(p.verdict.String()+"/"+p.name, func(b *testing.B) {
			bed := p.bed(b)
			b.ReportAllocs()
			for b.Loop() {
				bed.ask()
			}
		})
	}
}

// TestFloodIsBounded: a hundred thousand addresses leave no more behind than the table
// was made for.
func TestFloodIsBounded(t *testing.T) {
	const size = 1024
	p := path{policy: Policy{Interleaved: true}, request: func(testing.TB, *pathBed) []byte { return request(4, wire.ModeClient).Append(nil) }}
	b := p.bed(t)
	b.clients = NewClients(size, seed())
	b.req.Clients = b.clients
	addr := netip.MustParseAddr("10.0.0.1")
	flood := func() {
		for range 100_000 {
			b.req.From = netip.AddrPortFrom(addr, 123)
			addr = addr.Next()
			b.ask()
		}
	}
	if n := testing.AllocsPerRun(1, flood); n != 0 { // twice, to warm up
		t.Errorf("%v allocations, want 0", n)
	}
	if n := len(b.clients.AppendList(nil, 0)); n != size {
		t.Errorf("%d clients, want %d", n, size)
	}
	if held, _ := b.clients.Held(); held > size {
		t.Errorf("%d timestamps, want at most %d", held, size)
	}
	if got := b.clients.Displaced(); got != 200_000-size {
		t.Errorf("%d displaced, want %d", got, 200_000-size)
	}
}

package server

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"ntsd/internal/nts"
	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

var update = flag.Bool("update", false, "write the table of attacks anew")

// Types of extension fields (RFC 8915 section 7.5).
const (
	typeUniqueID      = 0x0104
	typeCookie        = 0x0204
	typePlaceholder   = 0x0304
	typeAuthenticator = 0x0404
)

// attack is what somebody sends. Its requests come slowly enough for the rate
// limit, unless it is a flood: then 10 ms apart.
type attack struct {
	name     string
	flood    bool
	from, to string // default: a client that is allowed, our address
	requests [][]byte
}

// forge builds requests out of parts, right or wrong, with a client's keys.
type forge struct {
	t    *testing.T
	c    *ntsClient
	ring *nts.Keyring
	aead siv.AEAD
}

// request puts fields behind a header and an authenticator with that nonce and
// so much additional padding behind them.
func (f *forge) request(nonceLen, padding int, fields ...[]byte) []byte {
	pkt := request(4, wire.ModeClient).Append(nil)
	for _, x := range fields {
		pkt = append(pkt, x...)
	}
	nonce := f.c.bytes(nonceLen)
	body := binary.BigEndian.AppendUint16(nil, uint16(nonceLen))
	body = binary.BigEndian.AppendUint16(body, 16)
	body = append(body, nonce...)
	body = append(body, make([]byte, -nonceLen&3)...)
	body = f.aead.Seal(body, nonce, pkt, nil)
	return wire.AppendExtension(pkt, typeAuthenticator, append(body, make([]byte, padding)...))
}

func (f *forge) uid() []byte { return wire.AppendExtension(nil, typeUniqueID, f.c.uid[:]) }
func (f *forge) cookie() []byte {
	return wire.AppendExtension(nil, typeCookie, f.c.cookie(f.ring))
}

func placeholder(n int) []byte { return wire.AppendExtension(nil, typePlaceholder, make([]byte, n)) }

// truncations returns every beginning of b.
func truncations(b []byte) (all [][]byte) {
	for n := range b {
		all = append(all, b[:n])
	}
	return all
}

// lengths returns b with every length of one of its fields, whose two bytes
// stand at at, up to some more than the packet has.
func lengths(b []byte, at int) (all [][]byte) {
	for n := range len(b) + 64 {
		x := bytes.Clone(b)
		binary.BigEndian.PutUint16(x[at:], uint16(n))
		if !bytes.Equal(x, b) {
			all = append(all, x)
		}
	}
	return all
}

func times(n int, b []byte) (all [][]byte) {
	for range n {
		all = append(all, b)
	}
	return all
}

// headers returns a bare header for each version and mode that no client uses.
func headers() (all [][]byte) {
	for version := range uint8(8) {
		for mode := range wire.Mode(8) {
			client := mode == wire.ModeClient || mode == wire.ModeSymmetricActive || mode == 0 && version == 1
			if client && version >= 1 && version <= 4 {
				continue
			}
			all = append(all, request(version, mode).Append(nil))
		}
	}
	return all
}

// plainAttacks are those without NTS.
func plainAttacks() []attack {
	ask := request(4, wire.ModeClient).Append(nil)
	padded := func(n int) []byte { return wire.AppendExtension(bytes.Clone(ask), 0xF123, make([]byte, n)) }
	control := []byte{0x16, 0x01, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}         // ntpq's "as"
	monlist := append([]byte{0x17, 0, 3, 0x2a, 0}, make([]byte, 43)...) // ntpdc's, CVE-2013-5211
	return []attack{
		{name: "mode 6, mode 7 (monlist)", requests: [][]byte{control, append(control, make([]byte, 36)...), monlist}},
		{name: "replies to replies, unknown versions and modes", requests: headers()},
		{name: "from our own port in another's name", from: "198.51.100.6:123", requests: times(3, request(4, wire.ModeServer).Append(nil))},
		{name: "port zero", from: "198.51.100.6:0", requests: times(3, ask)},
		{name: "from a broadcast address", from: "255.255.255.255:123", requests: times(3, ask)},
		{name: "from a multicast address", from: "[ff02::101]:123", requests: times(3, ask)},
		{name: "from no address", from: "[::]:123", requests: times(3, ask)},
		{name: "loopback from outside", from: "127.0.0.1:123", requests: times(3, ask)},
		{name: "loopback from outside, IPv6", from: "[::1]:123", to: "2001:db8::1", requests: times(3, ask)},
		{name: "to a multicast address", to: "224.0.1.1", requests: times(3, ask)},
		{name: "not allowed", from: "203.0.113.6:4000", requests: times(3, ask)},
		{name: "amplification: long requests", requests: [][]byte{padded(28), padded(400), padded(1180)}},
		{name: "truncated", requests: truncations(padded(28))},
		{name: "oversized field lengths", requests: lengths(padded(28), wire.HeaderLen+2)},
		{name: "a MAC of a key that we do not have", requests: [][]byte{append(bytes.Clone(ask), make([]byte, 20)...), append(bytes.Clone(ask), make([]byte, 24)...)}},
		{name: "flood from one address", flood: true, requests: times(1000, ask)},
	}
}

// ntsAttacks are those with NTS fields.
func ntsAttacks(f *forge) []attack {
	good := f.c.request(f.t, f.c.cookie(f.ring), 1)
	uid, cookie := f.uid(), f.cookie()
	length := nts.CookieLen(f.c.alg)
	foreign := wire.AppendExtension(nil, typeCookie, f.c.cookie(newRing(f.t, 99)))
	flip := func(at int) []byte {
		b := bytes.Clone(good)
		b[at] ^= 1
		return b
	}
	var nonces [][]byte
	for _, n := range []int{0, 1, 8, 12, 15} {
		nonces = append(nonces, f.request(n, 0, uid, cookie))
	}
	const uidLen, authLen = 36, 4 + 4 + 16 + 16
	auth := len(good) - authLen
	many := [][]byte{uid, cookie}
	for range 8 {
		many = append(many, placeholder(length))
	}
	return []attack{
		{name: "NTS: replayed request", requests: times(8, good)},
		{name: "NTS: flood of replays", flood: true, requests: times(1000, good)},
		{name: "NTS: cookie of another key", requests: times(8, f.request(16, 0, uid, foreign))},
		{name: "NTS: flood of false cookies", flood: true, requests: times(1000, f.request(16, 0, uid, foreign))},
		{name: "NTS: a bit of header, cookie, tag changed", requests: [][]byte{flip(4), flip(wire.HeaderLen + uidLen + 40), flip(len(good) - 1)}},
		{name: "NTS: duplicate cookies", requests: [][]byte{f.request(16, 0, uid, cookie, cookie), f.request(16, 0, cookie, uid, f.cookie())}},
		{name: "NTS: no cookie, no identifier, two, a short one", requests: [][]byte{
			f.request(16, 0, uid), f.request(16, 0, cookie), f.request(16, 0, uid, uid, cookie),
			f.request(16, 0, wire.AppendExtension(nil, typeUniqueID, make([]byte, 28)), cookie),
		}},
		{name: "NTS: nonces of 0, 1, 8, 12, 15 bytes", requests: nonces},
		{name: "NTS: nonce of 20, of 12 with room for ours", requests: [][]byte{f.request(20, 0, uid, cookie), f.request(12, 4, uid, cookie)}},
		{name: "NTS: inconsistent lengths of nonce", requests: lengths(good, auth+4)},
		{name: "NTS: inconsistent lengths of ciphertext", requests: lengths(good, auth+6)},
		{name: "NTS: inconsistent lengths of cookie", requests: lengths(good, wire.HeaderLen+uidLen+2)},
		{name: "NTS: truncated", requests: truncations(good)},
		{name: "NTS: eight placeholders, wrong ones", requests: [][]byte{
			f.request(16, 0, many...), f.request(16, 0, uid, cookie, placeholder(length+4)), f.request(16, 0, uid, cookie, placeholder(12)),
		}},
		{name: "NTS: fields behind the authenticator", requests: [][]byte{append(bytes.Clone(good), placeholder(length)...), append(bytes.Clone(good), cookie...)}},
		{name: "NTS: in a peer's mode", requests: [][]byte{append([]byte{good[0]&^7 | byte(wire.ModeSymmetricActive)}, good[1:]...)}},
	}
}

// honest are the clients that are served while all that goes on: one with plain
// requests, one with NTS, one in interleaved mode.
type honest struct {
	f    *forge
	last wire.Header
}

// ask returns what is wrong with how they are served.
func (h *honest) ask(v *visitor, ring *nts.Keyring) error {
	reply, got := v.ask(h.f.t, "198.51.100.101:4000")
	if got != Answered || reply.Stratum != 2 {
		return fmt.Errorf("plain client: %v", got)
	}
	req := from("198.51.100.102:4000")
	req.Data, req.At, req.Clients = h.f.c.request(h.f.t, h.f.c.cookie(ring), 3), v.now, v.clients
	pkt, got := v.s.Reply(nil, req, arrival(), goodSystem())
	if r, err := h.f.c.open(pkt); got != AnsweredNTS || err != nil || len(r.Cookies) != 4 {
		return fmt.Errorf("NTS client: %v, %v, %d cookies", got, err, len(r.Cookies))
	}
	want := AnsweredInterleaved
	if h.last == (wire.Header{}) {
		want = Answered
	}
	reply, got = v.ask(h.f.t, "198.51.100.103:4000", interleavedRequest(h.last, 5))
	if got != want {
		return fmt.Errorf("interleaved client: %v, want %v", got, want)
	}
	h.last = reply
	return nil
}

// TestAttackTable runs every attack, and prints as a table (testdata/attacks.txt)
// what became of it: how much was sent, the longest reply beside its request,
// and the counters. No reply is ever longer than its request, the counters add
// up, the memory of clients stays as large as it is, and honest clients are
// served all the while.
func TestAttackTable(t *testing.T) {
	f := &forge{t: t, c: newClient(t, siv.AESSIVCMAC256), ring: newRing(t, 1)}
	var err error
	if f.aead, err = siv.New(f.c.alg, f.c.c2s); err != nil {
		t.Fatal(err)
	}
	access := NewAccess([]Rule{{Prefix: netip.MustParsePrefix("198.51.100.0/24"), Allow: true}})
	v := newVisitor(Policy{
		Access: access, Interleaved: true, RateLimit: RateLimit{Enabled: true, Interval: -4, Burst: 16, Leak: 2, Kiss: 3},
	}, 64)
	v.s = New(Config{Cookies: f.ring, Rand: f.c.rand, Policy: v.s.cfg.Policy})
	good := &honest{f: f}
	var table strings.Builder
	fmt.Fprintf(&table, "%-50s %5s %9s  %s\n", "attack", "sent", "in>out", "what became of it")
	for _, a := range append(plainAttacks(), ntsAttacks(f)...) {
		if err := good.ask(v, f.ring); err != nil {
			t.Errorf("before %q: %v", a.name, err)
		}
		row, err := a.run(v)
		if err != nil {
			t.Errorf("%s: %v", a.name, err)
		}
		table.WriteString(row)
		if err := good.ask(v, f.ring); err != nil {
			t.Errorf("after %q: %v", a.name, err)
		}
		v.now = v.now.Add(time.Minute)
	}
	if n := len(v.clients.AppendList(nil, v.now)); n > 64 {
		t.Errorf("%d clients are remembered, want at most 64", n)
	}
	t.Logf("\n%s", table.String())
	checkGolden(t, "testdata/attacks.txt", table.String())
}

func checkGolden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; with -update it is written anew", path)
	}
}

// run sends the requests and returns the row of the table.
func (a attack) run(v *visitor) (row string, err error) {
	req := from("198.51.100.6:4000")
	if a.from != "" {
		req.From = netip.MustParseAddrPort(a.from)
	}
	if a.to != "" {
		req.Local = netip.MustParseAddr(a.to)
	}
	req.Clients = v.clients
	before, longestIn, longestOut := v.s.Counts(), 0, 0
	gap := 100 * time.Millisecond
	if a.flood {
		gap = 10 * time.Millisecond
	}
	for _, data := range a.requests {
		v.now = v.now.Add(gap)
		req.Data, req.At, req.Received = bytes.Clone(data), v.now, arrival().Add(time.Duration(v.now))
		pkt, verdict := v.s.Reply(nil, req, req.Received, goodSystem())
		switch {
		case len(pkt) > len(data):
			err = fmt.Errorf("a reply of %d bytes for %d", len(pkt), len(data))
		case (len(pkt) > 0) != verdict.Replies():
			err = fmt.Errorf("%v, and %d bytes", verdict, len(pkt))
		case !bytes.Equal(req.Data, data):
			err = fmt.Errorf("the request was written to")
		}
		if len(pkt) > longestOut {
			longestIn, longestOut = len(data), len(pkt)
		}
	}
	size := "-"
	if longestOut > 0 {
		size = fmt.Sprintf("%d>%d", longestIn, longestOut)
	}
	after, sum := v.s.Counts(), uint64(0)
	var counters []string
	for verdict, n := range after {
		if n -= before[verdict]; n > 0 {
			counters = append(counters, fmt.Sprintf("%v %d", Verdict(verdict), n))
			sum += n
		}
	}
	if sum != uint64(len(a.requests)) {
		err = fmt.Errorf("%d requests, %d counted", len(a.requests), sum)
	}
	return fmt.Sprintf("%-50s %5d %9s  %s\n", a.name, len(a.requests), size, strings.Join(counters, ", ")), err
}

// TestSpoofedFloodDoesNotSilenceTheVictim: somebody asks once a second
// in the name of a client that asks once a minute. A share of its requests is
// answered all the same, and it is never left alone for long; others notice
// nothing, and nothing of the limit is left when the flood ends.
func TestSpoofedFloodDoesNotSilenceTheVictim(t *testing.T) {
	v := newVisitor(Policy{RateLimit: RateLimit{Enabled: true, Interval: 3, Burst: 8, Leak: 2, Kiss: 3}}, 64)
	const victim, other, polls = "198.51.100.7:123", "198.51.100.8:123", 600
	answered, silent, longest, kisses := 0, 0, 0, 0
	for range polls {
		for range 64 {
			v.now = v.now.Add(time.Second)
			if _, got := v.ask(t, victim); got == KissRate {
				kisses++
			}
		}
		silent++
		if h, got := v.ask(t, victim); got == Answered && h.Stratum == 2 {
			answered++
			silent = 0
		}
		longest = max(longest, silent)
		if _, got := v.ask(t, other); got != Answered {
			t.Fatalf("another client: %v", got)
		}
	}
	if answered < polls/5 || answered > polls/3 || longest > 30 {
		t.Errorf("the victim was answered %d of %d times, the longest silence was %d polls; want one in four", answered, polls, longest)
	}
	// What the victim gets that it did not ask for: less than a tenth as kisses.
	if n := polls * 64; kisses > n/10 {
		t.Errorf("%d kisses for %d requests in its name", kisses, n)
	}
	v.now = v.now.Add(8 * time.Second)
	if _, got := v.ask(t, victim); got != Answered {
		t.Errorf("8 s after the flood: %v, want %v", got, Answered)
	}
}

// TestFloodOfAddresses: each request comes from another address. The memory
// stays as it is and a client that has proved to get its replies keeps its
// place among them; nobody is limited for what others do.
func TestFloodOfAddresses(t *testing.T) {
	v := newVisitor(Policy{Interleaved: true, RateLimit: RateLimit{Enabled: true, Interval: 3, Burst: 8, Leak: 2, Kiss: 3}}, 64)
	f := &forge{t: t, c: newClient(t, siv.AES128GCMSIV), ring: newRing(t, 1)}
	v.s = New(Config{Cookies: f.ring, Rand: f.c.rand, Policy: v.s.cfg.Policy})
	good, sets := &honest{f: f}, len(v.clients.sets)
	for range 2 { // the second in interleaved mode proves that the first came
		if err := good.ask(v, f.ring); err != nil {
			t.Fatal(err)
		}
		v.now = v.now.Add(10 * time.Second)
	}
	for i := range 5000 {
		if i%1000 == 0 {
			if err := good.ask(v, f.ring); err != nil {
				t.Errorf("after %d: %v", i, err)
			}
			v.now = v.now.Add(10 * time.Second)
		}
		v.now = v.now.Add(10 * time.Microsecond)
		v.ask(t, fmt.Sprintf("[2001:db8::%x:%x]:4000", i>>8, i&0xff))
	}
	if n := len(v.clients.AppendList(nil, v.now)); n > 64 || len(v.clients.sets) != sets {
		t.Errorf("%d clients in %d sets, want at most 64 in %d", n, len(v.clients.sets), sets)
	}
	i := slices.IndexFunc(v.clients.AppendList(nil, v.now), func(c Client) bool { return c.Interleaved })
	if i < 0 {
		t.Error("the client in interleaved mode lost its place")
	}
}

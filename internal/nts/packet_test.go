package nts

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

var algorithms = []siv.Algorithm{siv.AESSIVCMAC256, siv.AESSIVCMAC384, siv.AESSIVCMAC512, siv.AES128GCMSIV}

// pair is a client and a server that share keys, with fixed "random" bytes.
type pair struct {
	alg      siv.Algorithm
	up, down siv.AEAD
	uid      UniqueID
	cookie   []byte
	nonce    []byte
}

func newPair(t testing.TB, alg siv.Algorithm) pair {
	key := func(c byte) []byte { return bytes.Repeat([]byte{c}, alg.KeySize()) }
	return pair{
		alg: alg, up: newAEAD(t, alg, key(1)), down: newAEAD(t, alg, key(2)),
		uid:    UniqueID(bytes.Repeat([]byte{7}, UniqueIDLen)),
		cookie: bytes.Repeat([]byte{8}, CookieLen(alg)),
		nonce:  bytes.Repeat([]byte{9}, alg.NonceSize()),
	}
}

func (p pair) request(placeholders int) []byte {
	hdr := wire.Header{Version: 4, Mode: wire.ModeClient, Transmit: 0x1234567890}
	return AppendClientRequest(nil, hdr, p.uid, p.cookie, placeholders, p.up, p.nonce)
}

func (p pair) reply(t testing.TB, request []byte, cookies int) []byte {
	t.Helper()
	req, err := ParseServerRequest(request)
	if err != nil {
		t.Fatal(err)
	}
	hdr := wire.Header{Version: 4, Mode: wire.ModeServer, Stratum: 1, Origin: 0x1234567890}
	fresh := bytes.Repeat([]byte{0xcc}, cookies*CookieLen(p.alg))
	return AppendServerResponse(nil, hdr, &req, fresh, p.down, p.nonce)
}

// targets: payloads of chrony with the same cookie lengths, 188/664 for AEAD 30
// and 224/924 for 15.
func TestPacketLengths(t *testing.T) {
	for _, c := range []struct {
		alg           siv.Algorithm
		one, complete int
	}{{siv.AES128GCMSIV, 188, 664}, {siv.AESSIVCMAC256, 224, 924}} {
		p := newPair(t, c.alg)
		if got := len(p.request(0)); got != c.one {
			t.Errorf("%v: 1 cookie makes %d bytes, want %d", c.alg, got, c.one)
		}
		if got := len(p.request(7)); got != c.complete {
			t.Errorf("%v: 7 placeholders make %d bytes, want %d", c.alg, got, c.complete)
		}
	}
}

func TestExchange(t *testing.T) {
	for _, alg := range algorithms {
		for placeholders := range 8 {
			t.Run(fmt.Sprintf("%v/%d", alg, placeholders), func(t *testing.T) {
				p := newPair(t, alg)
				pkt := p.request(placeholders)
				req, err := ParseServerRequest(pkt)
				if err != nil {
					t.Fatal(err)
				}
				if err := req.Verify(p.up, nil); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(req.Cookie, p.cookie) || req.Placeholders != placeholders {
					t.Errorf("cookie %x, %d placeholders; want %x, %d", req.Cookie, req.Placeholders, p.cookie, placeholders)
				}
				ans := p.reply(t, pkt, 8)
				if len(ans) != len(pkt) {
					t.Errorf("reply of %d bytes, want %d", len(ans), len(pkt))
				}
				rep, err := OpenResponse(ans, &p.uid, p.down)
				if err != nil || len(rep.Cookies) != 1+placeholders || rep.Header.Origin != 0x1234567890 {
					t.Errorf("reply %+v, %v; want %d cookies", rep, err, 1+placeholders)
				}
			})
		}
	}
}

// No single changed bit may pass, in either direction.
func TestEveryBitCounts(t *testing.T) {
	for _, alg := range []siv.Algorithm{siv.AESSIVCMAC256, siv.AES128GCMSIV} {
		p := newPair(t, alg)
		pkt := p.request(1)
		ans := p.reply(t, pkt, 2)
		for i := range 8 * len(pkt) {
			bad := bytes.Clone(pkt)
			bad[i/8] ^= 1 << (i % 8)
			if req, err := ParseServerRequest(bad); err == nil && req.Verify(p.up, nil) == nil {
				t.Errorf("%v: request with bit %d changed verifies", alg, i)
			}
			bad = bytes.Clone(ans)
			bad[i/8] ^= 1 << (i % 8)
			if _, err := OpenResponse(bad, &p.uid, p.down); err == nil {
				t.Errorf("%v: reply with bit %d changed opens", alg, i)
			}
		}
	}
}

// A reply that goes back to its sender, or that was made with the other key,
// must not open.
func TestReflection(t *testing.T) {
	p := newPair(t, siv.AESSIVCMAC256)
	if _, err := OpenResponse(p.request(0), &p.uid, p.down); !errors.Is(err, ErrAuthentic) {
		t.Errorf("own request as reply: %v, want ErrAuthentic", err)
	}
}

func TestPlaceholderCount(t *testing.T) {
	for _, c := range []struct{ held, cookie, limit, want int }{
		{7, 96, 8, 0},
		{6, 96, 8, 1},
		{0, 96, 8, 7},
		{0, 104, 8, 7},
		{0, 64, 8, 7},
		{0, 64, 2, 2},
		{0, 64, 0, 0},
		{0, 200, 8, 4},
		{0, 500, 8, 1},
		{0, MaxCookieLen, 8, 0},
		{8, 96, 8, 0},
	} {
		cookie := make([]byte, c.cookie)
		if got := Placeholders(c.held, cookie, c.limit); got != c.want {
			t.Errorf("held %d, cookie of %d, limit %d: %d, want %d", c.held, c.cookie, c.limit, got, c.want)
		}
	}
	p := newPair(t, siv.AESSIVCMAC256)
	for n := 1; n <= MaxCookieLen; n++ {
		p.cookie = make([]byte, n)
		for held := range 8 {
			if got := len(p.request(Placeholders(held, p.cookie, 8))); got > MaxRequestLen {
				t.Fatalf("cookie of %d, held %d: %d bytes, want at most %d", n, held, got, MaxRequestLen)
			}
		}
	}
}

// Cookies that are no multiple of four are padded (RFC 7822), and their
// placeholders with them.
func TestOddCookie(t *testing.T) {
	p := newPair(t, siv.AESSIVCMAC256)
	p.cookie = []byte("odd length of 23 bytes.")
	req, err := ParseServerRequest(p.request(2))
	if err != nil || req.Verify(p.up, nil) != nil || req.Placeholders != 2 {
		t.Fatalf("%+v, %v; want 2 placeholders", req, err)
	}
	if want := append(bytes.Clone(p.cookie), 0); !bytes.Equal(req.Cookie, want) {
		t.Errorf("cookie = %x, want %x", req.Cookie, want)
	}
}

// build seals a packet of hand-picked fields, then appends tail.
func (p pair) build(tail []byte, padding int, fields ...[]byte) []byte {
	pkt := wire.Header{Version: 4, Mode: wire.ModeClient}.Append(nil)
	for _, f := range fields {
		pkt = append(pkt, f...)
	}
	return append(appendAuthenticator(pkt, 0, p.up, p.nonce, nil, padding), tail...)
}

func ext(typ uint16, body []byte) []byte { return wire.AppendExtension(nil, typ, body) }

func TestServerRequestShapes(t *testing.T) {
	p := newPair(t, siv.AESSIVCMAC256)
	uid, ck, ph := ext(extUniqueID, p.uid[:]), ext(extCookie, p.cookie), ext(extPlaceholder, p.cookie)
	long := ext(extUniqueID, bytes.Repeat([]byte{1}, 100))
	cases := []struct {
		name         string
		pkt          []byte
		want         error
		placeholders int
	}{
		{"usual", p.build(nil, 0, uid, ck, ph), nil, 1},
		{"cookie first", p.build(nil, 0, ck, ph, uid), nil, 1},
		{"placeholder first", p.build(nil, 0, ph, ck, uid), nil, 1},
		{"long identifier", p.build(nil, 0, long, ck), nil, 0},
		{"unknown field", p.build(nil, 0, ext(0x2222, nil), uid, ck), nil, 0},
		{"extra padding", p.build(nil, 64, uid, ck), nil, 0},
		{"field behind", p.build(ext(0x2222, make([]byte, 28)), 0, uid, ck), nil, 0},
		{"cookie behind counts for nothing", p.build(ck, 0, uid, ck), nil, 0},
		{"MAC behind", p.build(make([]byte, 20), 0, uid, ck), nil, 0},
		{"short placeholder earns nothing", p.build(nil, 0, uid, ck, ext(extPlaceholder, p.cookie[:40])), nil, 0},
		{"nine placeholders", p.build(nil, 0, slices.Concat([][]byte{uid, ck}, slices.Repeat([][]byte{ph}, 9))...), nil, 7},
		{"two cookies", p.build(nil, 0, uid, ck, ck), ErrPacket, 0},
		{"two identifiers", p.build(nil, 0, uid, uid, ck), ErrPacket, 0},
		{"short identifier", p.build(nil, 0, ext(extUniqueID, make([]byte, 28)), ck), ErrPacket, 0},
		{"no identifier", p.build(nil, 0, ck), ErrPacket, 0},
		{"no cookie", p.build(nil, 0, uid), ErrPacket, 0},
		{"no authenticator", append(wire.Header{Version: 4}.Append(nil), append(uid, ck...)...), ErrPacket, 0},
		{"identifier only", append(wire.Header{Version: 4}.Append(nil), uid...), ErrNotNTS, 0},
		{"two identifiers only", append(wire.Header{Version: 4}.Append(nil), append(uid, uid...)...), ErrPacket, 0},
		{"plain", wire.Header{Version: 4}.Append(nil), ErrNotNTS, 0},
		{"empty", nil, ErrPacket, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			req, err := ParseServerRequest(c.pkt)
			if !errors.Is(err, c.want) {
				t.Fatalf("err = %v, want %v", err, c.want)
			}
			if err != nil {
				return
			}
			if err := req.Verify(p.up, nil); err != nil {
				t.Errorf("verify: %v", err)
			}
			if req.Placeholders != c.placeholders {
				t.Errorf("%d placeholders, want %d", req.Placeholders, c.placeholders)
			}
			if n := len(p.reply(t, c.pkt, 8)); n > len(c.pkt) {
				t.Errorf("reply of %d bytes to a request of %d", n, len(c.pkt))
			}
		})
	}
}

// RFC 8915 §5.3: all replies to packets with an identifier "MUST also contain
// this field with the same content", NTS or not.
func TestStandaloneIdentifier(t *testing.T) {
	id := bytes.Repeat([]byte{3}, 40)
	hdr := wire.Header{Version: 4, Mode: wire.ModeClient}
	for _, fields := range [][]byte{ext(extUniqueID, id), append(ext(0x2222, id), ext(extUniqueID, id)...)} {
		req, err := ParseServerRequest(append(hdr.Append(nil), fields...))
		if !errors.Is(err, ErrNotNTS) || !bytes.Equal(req.UniqueID, id) {
			t.Errorf("%x, %v; want %x and ErrNotNTS", req.UniqueID, err, id)
		}
	}
}

// RFC 8915 §5.7: placeholders "MUST be authenticated and MAY be encrypted".
func TestEncryptedPlaceholders(t *testing.T) {
	p := newPair(t, siv.AESSIVCMAC256)
	uid, ck, ph := ext(extUniqueID, p.uid[:]), ext(extCookie, p.cookie), ext(extPlaceholder, p.cookie)
	seal := func(inner ...[]byte) []byte {
		pkt := slices.Concat(wire.Header{Version: 4, Mode: wire.ModeClient}.Append(nil), uid, ck, ph)
		return appendAuthenticator(pkt, 0, p.up, p.nonce, slices.Concat(inner...), 0)
	}
	short := ext(extPlaceholder, p.cookie[:40])
	for name, c := range map[string]struct {
		pkt  []byte
		want int
		err  error
	}{
		"two inside":   {seal(ph, ext(0x2222, nil), ph), 3, nil},
		"wrong length": {seal(short, ph), 2, nil},
		"many":         {seal(slices.Repeat([][]byte{ph}, 20)...), 7, nil},
		"broken":       {seal([]byte{1, 2, 3}), 1, ErrPacket},
	} {
		req, err := ParseServerRequest(c.pkt)
		if err != nil || req.Placeholders != 1 {
			t.Fatalf("%s: %d placeholders, %v; want 1 in clear", name, req.Placeholders, err)
		}
		if err := req.Verify(p.up, nil); !errors.Is(err, c.err) || req.Placeholders != c.want {
			t.Errorf("%s: %d placeholders, %v; want %d, %v", name, req.Placeholders, err, c.want, c.err)
		}
		if c.err != nil {
			continue
		}
		fresh := bytes.Repeat([]byte{0xcc}, 8*CookieLen(p.alg))
		ans := AppendServerResponse(nil, wire.Header{Version: 4, Mode: wire.ModeServer}, &req, fresh, p.down, p.nonce)
		rep, err := OpenResponse(ans, &p.uid, p.down)
		if err != nil || len(rep.Cookies) != 1+c.want || len(ans) > len(c.pkt) {
			t.Errorf("%s: %d cookies in %d bytes for %d, %v; want %d", name, len(rep.Cookies), len(ans), len(c.pkt), err, 1+c.want)
		}
	}
	req, _ := ParseServerRequest(seal(ph))
	if err := req.Verify(p.down, nil); !errors.Is(err, ErrAuthentic) || req.Placeholders != 1 {
		t.Errorf("not authentic: %d placeholders, %v; want 1, ErrAuthentic", req.Placeholders, err)
	}
}

// RFC 8915 §5.6: a client with a short nonce makes room for the server's.
func TestNonceSpace(t *testing.T) {
	p := newPair(t, siv.AESSIVCMAC256)
	p.nonce = p.nonce[:8]
	uid, ck := ext(extUniqueID, p.uid[:]), ext(extCookie, p.cookie)
	for padding, want := range map[int]error{0: ErrPacket, 4: ErrPacket, 8: nil, 12: nil} {
		req, err := ParseServerRequest(p.build(nil, padding, uid, ck))
		if err != nil {
			t.Fatal(err)
		}
		if err := req.Verify(p.up, nil); !errors.Is(err, want) {
			t.Errorf("8 bytes of nonce, %d of padding: %v, want %v", padding, err, want)
		}
	}
	if req, err := ParseServerRequest(p.request(0)); err != nil || req.Verify(p.up, nil) != nil {
		t.Errorf("our own request with a short nonce is refused: %v", err)
	}
}

// A server whose cookies grew longer still never sends more than it got.
func TestReplyNeverLonger(t *testing.T) {
	for _, alg := range algorithms {
		p := newPair(t, alg)
		for n := 1; n < 200; n++ {
			p.cookie = make([]byte, n)
			pkt := p.request(3)
			if got := len(p.reply(t, pkt, 8)); got > len(pkt) {
				t.Fatalf("%v, cookie of %d: reply of %d to a request of %d", alg, n, got, len(pkt))
			}
		}
	}
}

func TestOpenResponseErrors(t *testing.T) {
	p := newPair(t, siv.AESSIVCMAC256)
	ans := p.reply(t, p.request(0), 1)
	uidField := ext(extUniqueID, p.uid[:])
	plain := wire.Header{Version: 4, Mode: wire.ModeServer}.Append(nil)
	auth := ans[wire.HeaderLen+36:]
	other := p.uid
	other[0]++
	for _, c := range []struct {
		name string
		pkt  []byte
		uid  UniqueID
		want error
	}{
		{"good", ans, p.uid, nil},
		{"field behind", append(bytes.Clone(ans), ext(extCookie, p.cookie)...), p.uid, nil},
		{"other identifier", ans, other, ErrUniqueID},
		{"plain", plain, p.uid, ErrNotNTS},
		{"only the identifier", append(bytes.Clone(plain), uidField...), p.uid, ErrAuthentic},
		{"no identifier", append(bytes.Clone(plain), auth...), p.uid, ErrUniqueID},
		{"short", ans[:40], p.uid, ErrPacket},
		{"cut", ans[:len(ans)-4], p.uid, ErrPacket},
	} {
		rep, err := OpenResponse(c.pkt, &c.uid, p.down)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if err == nil && len(rep.Cookies) != 1 {
			t.Errorf("%s: %d cookies, want 1: those in clear do not count", c.name, len(rep.Cookies))
		}
	}
}

func TestKiss(t *testing.T) {
	p := newPair(t, siv.AESSIVCMAC256)
	pkt := p.request(0)
	req, err := ParseServerRequest(pkt)
	if err != nil {
		t.Fatal(err)
	}
	nak := AppendKiss(nil, wire.Header{Version: 4, Mode: wire.ModeServer, Stratum: 2}, &req, wire.KissNTSN)
	if len(nak) > len(pkt) {
		t.Errorf("NAK of %d bytes to a request of %d", len(nak), len(pkt))
	}
	if code, ok := UnauthenticatedKiss(nak, &p.uid); !ok || code != wire.KissNTSN {
		t.Errorf("NAK read as %v, %v; want NTSN", code, ok)
	}
	other := p.uid
	other[31] ^= 1
	if _, ok := UnauthenticatedKiss(nak, &other); ok {
		t.Error("NAK for another identifier accepted")
	}
	if _, ok := UnauthenticatedKiss(nak[:48], &p.uid); ok {
		t.Error("NAK without identifier accepted")
	}
	if _, ok := UnauthenticatedKiss(p.reply(t, pkt, 1), &p.uid); ok {
		t.Error("a time taken for a kiss")
	}
	// A kiss with an authenticator is OpenResponse's business.
	sealed := AppendServerResponse(nil, wire.Header{
		Version: 4, Mode: wire.ModeServer,
		ReferenceID: wire.KissRate.ReferenceID(),
	}, &req, nil, p.down, p.nonce)
	if _, ok := UnauthenticatedKiss(sealed, &p.uid); ok {
		t.Error("sealed kiss taken for an unauthenticated one")
	}
	rep, err := OpenResponse(sealed, &p.uid, p.down)
	if code, ok := rep.Header.KissCode(); err != nil || !ok || code != wire.KissRate {
		t.Errorf("sealed kiss = %v, %v, %v; want RATE", code, ok, err)
	}
}

// The decrypted fields may be shorter than 16 bytes, and cookies are bounded.
func TestManyEncryptedCookies(t *testing.T) {
	p := newPair(t, siv.AESSIVCMAC256)
	pkt := wire.Header{Version: 4, Mode: wire.ModeServer}.Append(nil)
	pkt = wire.AppendExtension(pkt, extUniqueID, p.uid[:])
	var inner []byte
	for range 20 {
		inner = append(binary.BigEndian.AppendUint32(inner, extCookie<<16|8), 1, 2, 3, 4)
	}
	sealed := appendAuthenticator(bytes.Clone(pkt), 0, p.down, p.nonce, inner, 0)
	if rep, err := OpenResponse(sealed, &p.uid, p.down); err != nil || len(rep.Cookies) != MaxCookies {
		t.Errorf("%d cookies, %v; want %d", len(rep.Cookies), err, MaxCookies)
	}
	sealed = appendAuthenticator(bytes.Clone(pkt), 0, p.down, p.nonce, []byte{1, 2, 3}, 0)
	if _, err := OpenResponse(sealed, &p.uid, p.down); !errors.Is(err, ErrPacket) {
		t.Errorf("broken encrypted fields: %v, want ErrPacket", err)
	}
}

func TestServerPathAllocatesNothing(t *testing.T) {
	for _, alg := range algorithms {
		p := newPair(t, alg)
		pkt := p.request(7)
		fresh := make([]byte, 8*CookieLen(alg))
		out, scratch := make([]byte, 0, len(pkt)), make([]byte, 64)
		n := testing.AllocsPerRun(50, func() {
			req, err := ParseServerRequest(pkt)
			if err != nil || req.Verify(p.up, scratch) != nil {
				t.Fatal("request refused")
			}
			out = AppendServerResponse(out[:0], wire.Header{Version: 4}, &req, fresh, p.down, p.nonce)
		})
		// GCM-SIV derives a key per message, and its schedule is an allocation.
		want := 0.0
		if alg == siv.AES128GCMSIV {
			want = 2
		}
		if n > want {
			t.Errorf("%v: %v allocations, want %v", alg, n, want)
		}
	}
}

func FuzzServerRequest(f *testing.F) {
	p := newPair(f, siv.AESSIVCMAC256)
	f.Add(p.request(0))
	f.Add(p.request(2))
	f.Fuzz(func(t *testing.T, pkt []byte) {
		req, err := ParseServerRequest(pkt)
		if err != nil {
			return
		}
		_ = req.Verify(p.up, nil)
		if n := len(p.reply(t, pkt, 8)); n > len(pkt) {
			t.Errorf("reply of %d bytes to a request of %d", n, len(pkt))
		}
		if n := len(AppendKiss(nil, wire.Header{}, &req, wire.KissNTSN)); n > len(pkt) {
			t.Errorf("NAK of %d bytes to a request of %d", n, len(pkt))
		}
	})
}

func FuzzReply(f *testing.F) {
	p := newPair(f, siv.AES128GCMSIV)
	f.Add(p.reply(f, p.request(1), 2), []byte{2, 4, 0, 8, 1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, pkt, inner []byte) {
		_, _ = OpenResponse(pkt, &p.uid, p.down)
		_, _ = UnauthenticatedKiss(pkt, &p.uid)
		// And what an authentic server might put inside.
		sealed := wire.Header{Version: 4, Mode: wire.ModeServer}.Append(nil)
		sealed = wire.AppendExtension(sealed, extUniqueID, p.uid[:])
		if len(inner) > 4096 {
			return
		}
		sealed = appendAuthenticator(sealed, 0, p.down, p.nonce, inner, 0)
		rep, err := OpenResponse(sealed, &p.uid, p.down)
		if err != nil && !errors.Is(err, ErrPacket) {
			t.Errorf("sealed reply: %v", err)
		}
		if len(rep.Cookies) > MaxCookies {
			t.Errorf("%d cookies", len(rep.Cookies))
		}
	})
}

func BenchmarkServer(b *testing.B) {
	for _, alg := range []siv.Algorithm{siv.AESSIVCMAC256, siv.AES128GCMSIV} {
		for _, placeholders := range []int{0, 7} {
			b.Run(fmt.Sprintf("%v/%d", alg, placeholders), func(b *testing.B) {
				p := newPair(b, alg)
				pkt := p.request(placeholders)
				fresh := make([]byte, 8*CookieLen(alg))
				out, scratch := make([]byte, 0, len(pkt)), make([]byte, 64)
				b.ReportAllocs()
				for b.Loop() {
					req, _ := ParseServerRequest(pkt)
					_ = req.Verify(p.up, scratch)
					out = AppendServerResponse(out[:0], wire.Header{Version: 4}, &req, fresh, p.down, p.nonce)
				}
			})
		}
	}
}

func testRand(t testing.TB) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"ntsd/internal/nts"
	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

const testSeed = 20361

// ntsClient is one client's view: keys that a key establishment would yield.
type ntsClient struct {
	alg      siv.Algorithm
	c2s, s2c []byte
	uid      nts.UniqueID
	rand     *rand.ChaCha8
}

func newRand(t testing.TB) *rand.ChaCha8 {
	t.Logf("seed %d", testSeed)
	var seed [32]byte
	seed[0], seed[1] = testSeed&0xff, testSeed>>8
	return rand.NewChaCha8(seed)
}

func newClient(t testing.TB, alg siv.Algorithm) *ntsClient {
	c := &ntsClient{alg: alg, rand: newRand(t)}
	c.c2s, c.s2c = c.bytes(alg.KeySize()), c.bytes(alg.KeySize())
	copy(c.uid[:], c.bytes(nts.UniqueIDLen))
	return c
}

func (c *ntsClient) bytes(n int) []byte {
	b := make([]byte, n)
	c.rand.Read(b)
	return b
}

func (c *ntsClient) cookie(ring *nts.Keyring) []byte {
	return ring.Seal(nil, c.alg, c.c2s, c.s2c, [nts.CookieNonceLen]byte(c.bytes(nts.CookieNonceLen)))
}

func (c *ntsClient) request(t testing.TB, cookie []byte, placeholders int) []byte {
	t.Helper()
	aead, err := siv.New(c.alg, c.c2s)
	if err != nil {
		t.Fatal(err)
	}
	return nts.AppendClientRequest(nil, request(4, wire.ModeClient), c.uid, cookie, placeholders,
		aead, c.bytes(c.alg.NonceSize()))
}

// appendRequest is request for a header of its own.
func appendRequest(h wire.Header, c *ntsClient, cookie []byte, aead siv.AEAD) []byte {
	return nts.AppendClientRequest(nil, h, c.uid, cookie, 0, aead, c.bytes(c.alg.NonceSize()))
}

func (c *ntsClient) open(pkt []byte) (nts.Reply, error) {
	aead, err := siv.New(c.alg, c.s2c)
	if err != nil {
		return nts.Reply{}, err
	}
	return nts.OpenResponse(pkt, &c.uid, aead)
}

func newRing(t testing.TB, id uint32) *nts.Keyring {
	t.Helper()
	key := nts.CookieKey{ID: id}
	key.Key[0] = byte(id)
	ring, err := nts.NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func TestNTSReply(t *testing.T) {
	for _, alg := range []siv.Algorithm{siv.AESSIVCMAC256, siv.AESSIVCMAC384, siv.AESSIVCMAC512, siv.AES128GCMSIV} {
		for placeholders := range nts.MaxCookies {
			t.Run(fmt.Sprintf("%v/%d", alg, placeholders), func(t *testing.T) {
				ring, c := newRing(t, 1), newClient(t, alg)
				s := New(Config{Cookies: ring, Rand: c.rand})
				req := from("198.51.100.7:40000")
				spent := c.cookie(ring)
				req.Data = c.request(t, spent, placeholders)
				pkt, v := s.Reply(nil, req, arrival(), goodSystem())
				if v != AnsweredNTS || len(pkt) != len(req.Data) {
					t.Fatalf("got %v, %d bytes; want %v, %d", v, len(pkt), AnsweredNTS, len(req.Data))
				}
				reply, err := c.open(pkt)
				if err != nil {
					t.Fatal(err)
				}
				if h := reply.Header; h.Mode != wire.ModeServer || h.Origin != 0x0123456789abcdef || h.Stratum != 2 {
					t.Errorf("header: got %+v", h)
				}
				if len(reply.Cookies) != 1+placeholders {
					t.Fatalf("got %d cookies, want %d", len(reply.Cookies), 1+placeholders)
				}
				c.checkCookies(t, ring, append(reply.Cookies, spent))
			})
		}
	}
}

// checkCookies checks that every cookie opens to the client's keys and that no
// two are alike.
func (c *ntsClient) checkCookies(t *testing.T, ring *nts.Keyring, cookies [][]byte) {
	t.Helper()
	seen := map[string]bool{}
	for i, cookie := range cookies {
		var keys nts.Keys
		if err := ring.Open(cookie, &keys); err != nil {
			t.Fatalf("cookie %d: %v", i, err)
		}
		if keys.Algorithm != c.alg || !bytes.Equal(keys.C2S(), c.c2s) || !bytes.Equal(keys.S2C(), c.s2c) {
			t.Errorf("cookie %d holds other keys", i)
		}
		if seen[string(cookie)] {
			t.Errorf("cookie %d repeats", i)
		}
		seen[string(cookie)] = true
	}
}

func TestNAK(t *testing.T) {
	old, ring, c := newRing(t, 1), newRing(t, 2), newClient(t, siv.AESSIVCMAC256)
	good := c.request(t, c.cookie(ring), 0)
	flipped := func(at int) []byte {
		b := bytes.Clone(good)
		b[at] ^= 1
		return b
	}
	for name, pkt := range map[string][]byte{
		"cookie of an erased key": c.request(t, c.cookie(old), 3),
		"foreign cookie":          c.request(t, c.bytes(64), 0),
		"damaged cookie":          flipped(wire.HeaderLen + 36 + 4 + 30),
		"damaged header":          flipped(2),
		"damaged tag":             flipped(len(good) - 1),
	} {
		s := New(Config{Cookies: ring, Rand: c.rand})
		req := from("198.51.100.7:40000")
		req.Data = pkt
		got, v := s.Reply(nil, req, arrival(), goodSystem())
		if v != NAK || len(got) > len(pkt) {
			t.Errorf("%s: got %v, %d bytes for %d; want %v", name, v, len(got), len(pkt), NAK)
		}
		// RFC 8915 §5.7: "It MUST NOT include any NTS Cookie or NTS Authenticator
		// and Encrypted Extension Fields extension fields": the identifier is all.
		if want := wire.AppendExtension(nil, 0x0104, c.uid[:]); !bytes.Equal(got[wire.HeaderLen:], want) {
			t.Errorf("%s: fields %x, want %x", name, got[wire.HeaderLen:], want)
		}
		if code, ok := nts.UnauthenticatedKiss(got, &c.uid); !ok || code != wire.KissNTSN {
			t.Errorf("%s: kiss code: got %v, %v; want %v", name, code, ok, wire.KissNTSN)
		}
	}
}

func TestSetCookies(t *testing.T) {
	first, second, c := newRing(t, 1), newRing(t, 2), newClient(t, siv.AES128GCMSIV)
	s := New(Config{Cookies: first, Rand: c.rand})
	req := from("198.51.100.7:40000")
	req.Data = c.request(t, c.cookie(first), 0)
	if _, v := s.Reply(nil, req, arrival(), goodSystem()); v != AnsweredNTS {
		t.Fatalf("before: got %v, want %v", v, AnsweredNTS)
	}
	s.SetCookies(second)
	if _, v := s.Reply(nil, req, arrival(), goodSystem()); v != NAK {
		t.Errorf("after: got %v, want %v", v, NAK)
	}
}

func TestNTSDrops(t *testing.T) {
	ring, c := newRing(t, 1), newClient(t, siv.AESSIVCMAC256)
	good := c.request(t, c.cookie(ring), 0)
	cookieField := wire.AppendExtension(nil, 0x0204, c.cookie(ring)) // RFC 8915 section 7.5
	twoCookies := append(bytes.Clone(good[:wire.HeaderLen]), cookieField...)
	twoCookies = append(twoCookies, good[wire.HeaderLen:]...)
	peer := bytes.Clone(good)
	peer[0] = peer[0]&^7 | byte(wire.ModeSymmetricActive)
	broken := errors.New("no entropy")
	for name, x := range map[string]struct {
		cfg  Config
		pkt  []byte
		want Verdict
	}{
		"two cookies":      {Config{Cookies: ring, Rand: c.rand}, twoCookies, DropFormat},
		"no authenticator": {Config{Cookies: ring, Rand: c.rand}, good[:wire.HeaderLen+36+100], DropFormat},
		"symmetric mode":   {Config{Cookies: ring, Rand: c.rand}, peer, DropMode},
		"NTS off":          {Config{}, good, DropNTS},
		"no randomness":    {Config{Cookies: ring, Rand: iotest.ErrReader(broken)}, good, DropRandom},
	} {
		req := from("198.51.100.7:40000")
		req.Data = x.pkt
		if pkt, v := New(x.cfg).Reply(nil, req, arrival(), goodSystem()); v != x.want || pkt != nil {
			t.Errorf("%s: got %v and %d bytes, want %v and none", name, v, len(pkt), x.want)
		}
	}
}

// RFC 8915 §5.3: a reply carries the identifier of the request also when that
// is no NTS request, and whether or not there are keys.
func TestStandaloneIdentifier(t *testing.T) {
	id := wire.AppendExtension(nil, 0x0104, bytes.Repeat([]byte{7}, 40))
	short := wire.AppendExtension(nil, 0x0104, make([]byte, 28))
	for _, c := range []struct {
		name string
		mode wire.Mode
		tail []byte
		want Verdict
		echo []byte
	}{
		{"identifier", wire.ModeClient, id, Answered, id},
		{"with an unknown field", wire.ModeClient, append(wire.AppendExtension(nil, 0xF123, nil), id...), Answered, id},
		{"less than 32 octets", wire.ModeClient, short, DropFormat, nil},
		{"two", wire.ModeClient, append(bytes.Clone(id), id...), DropFormat, nil},
		{"from a peer", wire.ModeSymmetricActive, id, Answered, nil},
	} {
		for _, ring := range []*nts.Keyring{nil, newRing(t, 1)} {
			req := from("198.51.100.7:40000")
			req.Data = append(request(4, c.mode).Append(nil), c.tail...)
			pkt, v := New(Config{Cookies: ring}).Reply(nil, req, arrival(), goodSystem())
			if v != c.want || (v.Replies() && !bytes.Equal(pkt[wire.HeaderLen:], c.echo)) {
				t.Errorf("%s: %v, %x; want %v with %x behind the header", c.name, v, pkt, c.want, c.echo)
			}
		}
	}
}

// A placeholder of another length than the cookie earns no cookie.
func TestWrongPlaceholder(t *testing.T) {
	ring, c := newRing(t, 1), newClient(t, siv.AESSIVCMAC256)
	aead, err := siv.New(c.alg, c.c2s)
	if err != nil {
		t.Fatal(err)
	}
	// RFC 8915 section 7.5: 0x0304 is the cookie placeholder. The unknown field
	// behind the header becomes part of what is authenticated.
	hdr := request(4, wire.ModeClient).Append(nil)
	hdr = wire.AppendExtension(hdr, 0x0304, make([]byte, 64))
	whole := nts.AppendClientRequest(nil, request(4, wire.ModeClient), c.uid, c.cookie(ring), 0, aead, c.bytes(16))
	auth := len(whole) - (4 + 4 + 16 + 16)
	pkt := append(hdr, whole[wire.HeaderLen:auth]...)
	nonce := c.bytes(16)
	tag := aead.Seal(nil, nonce, pkt, nil)
	pkt = wire.AppendExtension(pkt, 0x0404, append(append([]byte{0, 16, 0, 16}, nonce...), tag...))

	req := from("198.51.100.7:40000")
	req.Data = pkt
	got, v := New(Config{Cookies: ring, Rand: c.rand}).Reply(nil, req, arrival(), goodSystem())
	if v != AnsweredNTS || len(got) != len(pkt) {
		t.Fatalf("got %v, %d bytes; want %v, %d", v, len(got), AnsweredNTS, len(pkt))
	}
	if reply, err := c.open(got); err != nil || len(reply.Cookies) != 1 {
		t.Errorf("got %d cookies (%v), want 1", len(reply.Cookies), err)
	}
}

func FuzzReply(f *testing.F) {
	ring, c := newRing(f, 1), newClient(f, siv.AESSIVCMAC256)
	f.Add(request(4, wire.ModeClient).Append(nil))
	f.Add(c.request(f, c.cookie(ring), 0))
	f.Add(c.request(f, c.cookie(ring), 7))
	f.Add(c.request(f, c.bytes(100), 2))
	f.Add(append(request(3, wire.ModeClient).Append(nil), make([]byte, 20)...))
	s := New(Config{Cookies: ring, Rand: io.Reader(c.rand)})
	f.Fuzz(func(t *testing.T, data []byte) {
		req := from("198.51.100.7:40000")
		req.Data = bytes.Clone(data)
		pkt, v := s.Reply(nil, req, arrival(), goodSystem())
		if len(pkt) > len(data) || (len(pkt) > 0) != v.Replies() {
			t.Errorf("got %v with %d bytes for %d", v, len(pkt), len(data))
		}
		if !bytes.Equal(req.Data, data) {
			t.Error("the request was written to")
		}
	})
}

func BenchmarkNTS(b *testing.B) {
	for _, alg := range []siv.Algorithm{siv.AESSIVCMAC256, siv.AES128GCMSIV} {
		for _, placeholders := range []int{0, 7} {
			b.Run(fmt.Sprintf("%v/%d", alg, placeholders), func(b *testing.B) {
				ring, c := newRing(b, 1), newClient(b, alg)
				s := New(Config{Cookies: ring, Rand: c.rand})
				req := from("198.51.100.7:40000")
				req.Data = c.request(b, c.cookie(ring), placeholders)
				buf := make([]byte, 0, len(req.Data))
				b.ReportAllocs()
				for b.Loop() {
					if _, v := s.Reply(buf, req, arrival(), goodSystem()); v != AnsweredNTS {
						b.Fatal(v)
					}
				}
			})
		}
	}
}

package nts

import (
	"bytes"
	"errors"
	"testing"

	"ntsd/internal/siv"
)

func ring(t testing.TB, keys ...CookieKey) *Keyring {
	t.Helper()
	r, err := NewKeyring(keys[0], keys[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func cookieKey(id uint32, fill byte) CookieKey {
	k := CookieKey{ID: id}
	for i := range k.Key {
		k.Key[i] = fill
	}
	return k
}

func clientKeys(alg siv.Algorithm) (c2s, s2c []byte) {
	return bytes.Repeat([]byte{0xc2}, alg.KeySize()), bytes.Repeat([]byte{0x2c}, alg.KeySize())
}

func TestCookieRoundTrip(t *testing.T) {
	r := ring(t, cookieKey(1, 1))
	rnd := testRand(t)
	var keys Keys // reused, as the server does
	for _, alg := range algorithms {
		c2s, s2c := clientKeys(alg)
		var nonce [CookieNonceLen]byte
		for i := range nonce {
			nonce[i] = byte(rnd.Uint32())
		}
		c := r.Seal([]byte("x"), alg, c2s, s2c, nonce)[1:]
		if len(c) != CookieLen(alg) || len(c)%4 != 0 {
			t.Errorf("%v: cookie of %d bytes, want %d", alg, len(c), CookieLen(alg))
		}
		if err := r.Open(c, &keys); err != nil {
			t.Fatalf("%v: %v", alg, err)
		}
		if keys.Algorithm != alg || !bytes.Equal(keys.C2S(), c2s) || !bytes.Equal(keys.S2C(), s2c) || keys.Old {
			t.Errorf("%v: opened as %v, %x, %x, old %v", alg, keys.Algorithm, keys.C2S(), keys.S2C(), keys.Old)
		}
		for i := range c {
			bad := bytes.Clone(c)
			bad[i] ^= 0x80
			if err := r.Open(bad, &keys); err == nil {
				t.Errorf("%v: byte %d changed and it opens", alg, i)
			}
		}
		for n := range c {
			if err := r.Open(c[:n], &keys); err == nil {
				t.Errorf("%v: cut to %d bytes and it opens", alg, n)
			}
		}
	}
}

// targets: chrony's cookies have 64 and 96 bytes; ours no more.
func TestCookieLen(t *testing.T) {
	if got := CookieLen(siv.AES128GCMSIV); got != 64 {
		t.Errorf("AEAD 30: %d, want 64", got)
	}
	if got := CookieLen(siv.AESSIVCMAC256); got != 96 {
		t.Errorf("AEAD 15: %d, want 96", got)
	}
}

func TestKeyringRotation(t *testing.T) {
	one, two, three := cookieKey(1, 1), cookieKey(2, 2), cookieKey(3, 3)
	c2s, s2c := clientKeys(siv.AESSIVCMAC256)
	seal := func(k CookieKey) []byte {
		return ring(t, k).Seal(nil, siv.AESSIVCMAC256, c2s, s2c, [CookieNonceLen]byte{})
	}
	r := ring(t, two, one)
	var keys Keys
	if err := r.Open(seal(two), &keys); err != nil || keys.Old {
		t.Errorf("current: %v, old %v", err, keys.Old)
	}
	if err := r.Open(seal(one), &keys); err != nil || !keys.Old {
		t.Errorf("previous: %v, old %v; want old", err, keys.Old)
	}
	if err := r.Open(seal(three), &keys); !errors.Is(err, ErrCookieExpired) {
		t.Errorf("unknown key: %v, want ErrCookieExpired", err)
	}
	if err := r.Open(seal(cookieKey(2, 9)), &keys); !errors.Is(err, ErrCookie) {
		t.Errorf("same id, other key: %v, want ErrCookie", err)
	}
	many := make([]CookieKey, maxKeyring)
	if _, err := NewKeyring(one, many...); err == nil {
		t.Error("a ring past its bound: no error")
	}
}

func TestCookieAllocatesNothing(t *testing.T) {
	r := ring(t, cookieKey(1, 1))
	c2s, s2c := clientKeys(siv.AES128GCMSIV)
	buf := make([]byte, 0, 128)
	keys := new(Keys)
	n := testing.AllocsPerRun(50, func() {
		buf = r.Seal(buf[:0], siv.AES128GCMSIV, c2s, s2c, [CookieNonceLen]byte{})
		if err := r.Open(buf, keys); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func FuzzCookie(f *testing.F) {
	r := ring(f, cookieKey(1, 1))
	c2s, s2c := clientKeys(siv.AES128GCMSIV)
	f.Add(r.Seal(nil, siv.AES128GCMSIV, c2s, s2c, [CookieNonceLen]byte{}))
	f.Fuzz(func(t *testing.T, c []byte) {
		var keys Keys
		if r.Open(c, &keys) == nil {
			_, _ = keys.C2S(), keys.S2C()
		}
	})
}

func TestSessionCookies(t *testing.T) {
	s := Session{Cookies: [][]byte{{1}, {2}, {3}}}
	saved := s // a copy that went to the disk writer
	if c, ok := s.TakeCookie(); !ok || c[0] != 1 {
		t.Errorf("took %v, %v; want 1", c, ok)
	}
	s.AddCookies([][]byte{{4}, {5}, {6}, {7}, {8}, {9}, {10}})
	if len(s.Cookies) != MaxCookies || s.Cookies[7][0] != 9 {
		t.Errorf("%d cookies, last %v; want 8, the last 9", len(s.Cookies), s.Cookies[len(s.Cookies)-1])
	}
	s.AddCookies([][]byte{{11}})
	if len(s.Cookies) != MaxCookies || len(saved.Cookies) != 3 || saved.Cookies[0][0] != 1 {
		t.Errorf("after one too many: %d cookies, copy %v", len(s.Cookies), saved.Cookies)
	}
	empty := Session{}
	if _, ok := empty.TakeCookie(); ok {
		t.Error("took a cookie from an empty jar")
	}
}

func TestAlternateKeys(t *testing.T) {
	s := Session{C2S: []byte{1}, S2C: []byte{2}, AltC2S: []byte{3}, AltS2C: []byte{4}, Cookies: [][]byte{{9}}}
	if !s.UseAlternateKeys() || s.C2S[0] != 3 || s.S2C[0] != 4 || len(s.Cookies) != 1 {
		t.Errorf("after the switch: %+v", s)
	}
	if s.UseAlternateKeys() {
		t.Error("switched twice")
	}
	s = Session{AltC2S: []byte{3}, AltS2C: []byte{4}}
	if s.SettleKeys(); s.UseAlternateKeys() {
		t.Error("switched after the keys were settled")
	}
}

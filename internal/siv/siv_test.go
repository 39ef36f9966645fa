package siv

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// algorithms lists all four.
func algorithms() []Algorithm {
	return []Algorithm{AESSIVCMAC256, AESSIVCMAC384, AESSIVCMAC512, AES128GCMSIV}
}

// randomOctets returns n octets of r.
func randomOctets(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// mustNew is New for a key that is right.
func mustNew(t testing.TB, a Algorithm, key []byte) AEAD {
	t.Helper()
	x, err := New(a, key)
	if err != nil {
		t.Fatalf("New(%v): %v", a, err)
	}
	return x
}

func TestAlgorithm(t *testing.T) {
	for _, c := range []struct {
		a                    Algorithm
		key, nonce, overhead int
		name                 string
	}{
		{15, 32, 16, 16, "AES-SIV-CMAC-256"},
		{16, 48, 16, 16, "AES-SIV-CMAC-384"},
		{17, 64, 16, 16, "AES-SIV-CMAC-512"},
		{30, 16, 12, 16, "AES-128-GCM-SIV"},
		{0, 0, 0, 0, "AEAD 0"},
		{31, 0, 0, 0, "AEAD 31"}, // AES-256-GCM-SIV is not ours
		{65535, 0, 0, 0, "AEAD 65535"},
	} {
		got := fmt.Sprintln(c.a.KeySize(), c.a.NonceSize(), c.a.Overhead(), c.a.Known(), c.a)
		want := fmt.Sprintln(c.key, c.nonce, c.overhead, c.key != 0, c.name)
		if got != want {
			t.Errorf("algorithm %d: got %s, want %s", uint16(c.a), got, want)
		}
	}
}

func TestNewErrors(t *testing.T) {
	for _, a := range []Algorithm{0, 1, 14, 18, 29, 31, 65535} {
		if x, err := New(a, make([]byte, 32)); x != nil || !errors.Is(err, ErrAlgorithm) {
			t.Errorf("New(%v): got %v, %v, want ErrAlgorithm", a, x, err)
		}
	}
	for _, a := range algorithms() {
		for n := range 70 {
			x, err := New(a, make([]byte, n))
			if n == a.KeySize() {
				if err != nil || x.Algorithm() != a {
					t.Errorf("New(%v, %d octets): got %v, %v", a, n, x, err)
				}
			} else if x != nil || !errors.Is(err, ErrKeySize) {
				t.Errorf("New(%v, %d octets): got %v, %v, want ErrKeySize", a, n, x, err)
			}
		}
	}
}

func TestKeyIsCopied(t *testing.T) {
	for _, a := range algorithms() {
		key := bytes.Repeat([]byte{1}, a.KeySize())
		nonce := make([]byte, a.NonceSize())
		x := mustNew(t, a, key)
		want := x.Seal(nil, nonce, nil, []byte("time"))
		clear(key)
		if got := x.Seal(nil, nonce, nil, []byte("time")); !bytes.Equal(got, want) {
			t.Errorf("%v: the AEAD changed with the caller's key", a)
		}
	}
}

func TestNonceLength(t *testing.T) {
	for _, a := range algorithms() {
		x := mustNew(t, a, make([]byte, a.KeySize()))
		for n := range 40 {
			nonce := make([]byte, n)
			if a == AES128GCMSIV && n != gcmNonce {
				if got, err := x.Open(nil, nonce, nil, make([]byte, 40)); got != nil || err != ErrNonce {
					t.Errorf("%v: Open with a nonce of %d: got %v, %v, want ErrNonce", a, n, got, err)
				}
				if !panics(func() { x.Seal(nil, nonce, nil, nil) }) {
					t.Errorf("%v: Seal with a nonce of %d did not panic", a, n)
				}
				continue
			}
			sealed := x.Seal(nil, nonce, []byte("ad"), []byte("text"))
			if got, err := x.Open(nil, nonce, []byte("ad"), sealed); string(got) != "text" || err != nil {
				t.Errorf("%v: nonce of %d: got %q, %v", a, n, got, err)
			}
			// A nonce with one more zero is another nonce.
			if a != AES128GCMSIV {
				if _, err := x.Open(nil, append(nonce, 0), []byte("ad"), sealed); err != ErrOpen {
					t.Errorf("%v: nonce of %d and a zero: got %v, want ErrOpen", a, n, err)
				}
			}
		}
	}
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}

// TestNonceAlwaysComponent: an empty nonce counts, and neither moving octets
// between nonce and additional data nor swapping them opens a message.
func TestNonceAlwaysComponent(t *testing.T) {
	x, err := newCMACSIV(AESSIVCMAC256, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	sealed := x.Seal(nil, nil, nil, nil)
	x.s2v(nil)
	if bytes.Equal(sealed, x.mac.Sum[:]) {
		t.Error("empty nonce and additional data were left out of S2V")
	}
	x.s2v(nil, nil)
	if bytes.Equal(sealed, x.mac.Sum[:]) {
		t.Error("an empty nonce was left out of S2V")
	}
	sealed = x.Seal(nil, []byte("nonce"), []byte("data"), nil)
	for _, c := range [][2]string{{"data", "nonce"}, {"noncedata", ""}, {"", "noncedata"}, {"nonced", "ata"}} {
		if _, err := x.Open(nil, []byte(c[0]), []byte(c[1]), sealed); err != ErrOpen {
			t.Errorf("nonce %q, additional %q: got %v, want ErrOpen", c[0], c[1], err)
		}
	}
}

// TestTamper flips a bit of every octet that goes in, and cuts and lengthens
// the message.
func TestTamper(t *testing.T) {
	const seed = 3
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for _, a := range algorithms() {
		key, nonce := randomOctets(r, a.KeySize()), randomOctets(r, a.NonceSize())
		additional := randomOctets(r, 90)
		x := mustNew(t, a, key)
		sealed := x.Seal(nil, nonce, additional, randomOctets(r, 75))
		// Each part is shared with the call, so that a flip is seen by it.
		for name, part := range map[string][]byte{"nonce": nonce, "additional": additional, "ciphertext": sealed} {
			for i := range part {
				bit := byte(1) << (i % 8)
				part[i] ^= bit
				if got, err := x.Open(nil, nonce, additional, sealed); got != nil || err != ErrOpen {
					t.Errorf("%v: octet %d of %s: got %x, %v, want ErrOpen", a, i, name, got, err)
				}
				part[i] ^= bit
			}
		}
		for i := range key {
			key[i] ^= 0x10
			if got, err := mustNew(t, a, key).Open(nil, nonce, additional, sealed); got != nil || err != ErrOpen {
				t.Errorf("%v: octet %d of the key: got %x, %v, want ErrOpen", a, i, got, err)
			}
			key[i] ^= 0x10
		}
		for n := range len(sealed) {
			if got, err := x.Open(nil, nonce, additional, sealed[:n]); got != nil || err != ErrOpen {
				t.Errorf("%v: cut to %d: got %x, %v, want ErrOpen", a, n, got, err)
			}
		}
		if _, err := x.Open(nil, nonce, additional, append(slices.Clone(sealed), 0)); err != ErrOpen {
			t.Errorf("%v: one octet more: got %v, want ErrOpen", a, err)
		}
		if _, err := x.Open(nil, nonce, additional, sealed); err != nil {
			t.Errorf("%v: after all that: %v", a, err)
		}
	}
}

// TestFailureWipes: nothing of a plaintext that failed stays in dst.
func TestFailureWipes(t *testing.T) {
	for _, a := range algorithms() {
		x := mustNew(t, a, make([]byte, a.KeySize()))
		nonce := make([]byte, a.NonceSize())
		sealed := x.Seal(nil, nonce, nil, bytes.Repeat([]byte("secret"), 20))
		sealed[3] ^= 1
		room := bytes.Repeat([]byte{'x'}, 200)
		if got, err := x.Open(room[:5], nonce, nil, sealed); got != nil || err != ErrOpen {
			t.Fatalf("%v: got %x, %v", a, got, err)
		}
		want := slices.Concat(bytes.Repeat([]byte{'x'}, 5), make([]byte, 120), bytes.Repeat([]byte{'x'}, 75))
		if !bytes.Equal(room, want) {
			t.Errorf("%v: dst after a failure:\n got %q\nwant %q", a, room, want)
		}
	}
}

// TestOverlap seals and opens with the output laid over the input at every
// distance, exactly in place among them.
func TestOverlap(t *testing.T) {
	const seed, size, margin = 5, 100, 40
	t.Logf("seed %d", seed)
	nonceOf := func(a Algorithm) []byte { return bytes.Repeat([]byte{9}, a.NonceSize()) }
	text := randomOctets(rand.New(rand.NewPCG(seed, 0)), size)
	additional := []byte("additional")
	for _, a := range algorithms() {
		x := mustNew(t, a, make([]byte, a.KeySize()))
		sealed := x.Seal(nil, nonceOf(a), additional, text)
		for at := range 2 * margin {
			buf := make([]byte, size+3*margin+blockSize)
			in := buf[margin : margin+size]
			copy(in, text)
			if got := x.Seal(buf[:at], nonceOf(a), additional, in); !bytes.Equal(got[at:], sealed) {
				t.Errorf("%v: Seal of %d.. to %d..: got %x, want %x", a, margin, at, got[at:], sealed)
			}
			in = buf[margin : margin+len(sealed)]
			copy(in, sealed)
			got, err := x.Open(buf[:at], nonceOf(a), additional, in)
			if err != nil || !bytes.Equal(got[at:], text) {
				t.Errorf("%v: Open of %d.. to %d..: got %x, %v, want %x", a, margin, at, got, err, text)
			}
		}
	}
}

// TestAppends: what dst held stays, whether or not there is room behind it.
func TestAppends(t *testing.T) {
	for _, a := range algorithms() {
		x := mustNew(t, a, make([]byte, a.KeySize()))
		nonce := make([]byte, a.NonceSize())
		for _, room := range []int{0, 10, 100} {
			dst := append(make([]byte, 0, 4+room), "head"...)
			sealed := x.Seal(dst, nonce, nil, []byte("body"))
			if string(sealed[:4]) != "head" || len(sealed) != 4+4+a.Overhead() {
				t.Errorf("%v: room %d: Seal gave %q", a, room, sealed)
			}
			opened, err := x.Open(dst, nonce, nil, slices.Clone(sealed[4:]))
			if string(opened) != "headbody" || err != nil {
				t.Errorf("%v: room %d: Open gave %q, %v", a, room, opened, err)
			}
		}
	}
}

// TestAllocs pins what a call allocates when dst has room.
func TestAllocs(t *testing.T) {
	for _, a := range algorithms() {
		// GCM-SIV: the key schedule of the message's own key.
		want := 0.0
		if a == AES128GCMSIV {
			want = 1
		}
		x := mustNew(t, a, make([]byte, a.KeySize()))
		nonce := make([]byte, a.NonceSize())
		for _, size := range []int{0, 1, 48, 228, 900, 1400} {
			text, additional := make([]byte, size), make([]byte, 150)
			sealed := x.Seal(nil, nonce, additional, text)
			forged := slices.Clone(sealed)
			forged[0] ^= 1
			room := make([]byte, 0, size+blockSize)
			for name, f := range map[string]func(){
				"Seal":           func() { x.Seal(room, nonce, additional, text) },
				"Open":           func() { _, _ = x.Open(room, nonce, additional, sealed) },
				"Open of forged": func() { _, _ = x.Open(room, nonce, additional, forged) },
			} {
				if got := testing.AllocsPerRun(20, f); got != want {
					t.Errorf("%v: %s of %d octets: got %v allocations, want %v", a, name, size, got, want)
				}
			}
		}
	}
}

// FuzzOpen: nothing opens that was not sealed, nothing panics, and what was
// sealed opens.
func FuzzOpen(f *testing.F) {
	for _, a := range algorithms() {
		x := mustNew(f, a, make([]byte, a.KeySize()))
		nonce := make([]byte, a.NonceSize())
		f.Add(uint16(a), nonce, []byte("additional"), x.Seal(nil, nonce, []byte("additional"), []byte("text")))
		f.Add(uint16(a), []byte{1}, []byte{}, make([]byte, 15))
	}
	f.Fuzz(func(t *testing.T, id uint16, nonce, additional, message []byte) {
		a := Algorithm(id)
		key := bytes.Repeat([]byte{0x5a}, a.KeySize())
		x, err := New(a, key)
		if err != nil {
			if a.Known() {
				t.Fatal(err)
			}
			return
		}
		// The key is not the one of the seeds: a success would be a forgery.
		if got, err := x.Open(nil, nonce, additional, message); err == nil || got != nil {
			t.Fatalf("opened a forgery: %x", got)
		}
		if a == AES128GCMSIV && len(nonce) != gcmNonce {
			return
		}
		sealed := x.Seal(nil, nonce, additional, message)
		got, err := x.Open(nil, nonce, additional, sealed)
		if err != nil || !bytes.Equal(got, message) {
			t.Fatalf("round trip: got %x, %v, want %x", got, err, message)
		}
	})
}

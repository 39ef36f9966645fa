package cmac

import (
	"bytes"
	"crypto/aes"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustNew(t testing.TB, key []byte) CMAC {
	t.Helper()
	c, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	return New(c)
}

// message is that of RFC 4493 section 4 and NIST SP 800-38B appendix D.
const message = "6bc1bee2 2e409f96 e93d7e11 7393172a ae2d8a57 1e03ac9c 9eb76fac 45af8e51" +
	"30c81c46 a35ce411 e5fbc119 1a0a52ef f69f2445 df4f9b17 ad2b417b e66c3710"

func check(t *testing.T, x *CMAC, codes map[int]string) {
	t.Helper()
	m := unhex(t, message)
	for n, want := range codes {
		x.Compute(m[:n], nil)
		if got, want := x.Sum[:], unhex(t, want); !bytes.Equal(got, want) {
			t.Errorf("code of %d octets:\n got %x\nwant %x", n, got, want)
		}
	}
}

func TestRFC4493(t *testing.T) {
	x := mustNew(t, unhex(t, "2b7e1516 28aed2a6 abf71588 09cf4f3c"))
	if got, want := x.whole[:], unhex(t, "fbeed618 35713366 7c85e08f 7236a8de"); !bytes.Equal(got, want) {
		t.Errorf("K1:\n got %x\nwant %x", got, want)
	}
	if got, want := x.padded[:], unhex(t, "f7ddac30 6ae266cc f90bc11e e46d513b"); !bytes.Equal(got, want) {
		t.Errorf("K2:\n got %x\nwant %x", got, want)
	}
	check(t, &x, map[int]string{
		0:  "bb1d6929 e9593728 7fa37d12 9b756746",
		16: "070a16b4 6b4d4144 f79bdd9d d04a287c",
		40: "dfa66747 de9ae630 30ca3261 1497c827",
		64: "51f0bebf 7e3b9d92 fc497417 79363cfe",
	})
}

// NIST SP 800-38B appendix D.3: AES-256.
func TestNISTSP80038BD3(t *testing.T) {
	x := mustNew(t, unhex(t, "603deb10 15ca71be 2b73aef0 857d7781 1f352c07 3b6108d7 2d9810a3 0914dff4"))
	check(t, &x, map[int]string{
		0:  "028962f6 1b7bf89e fc6b551f 4667d983",
		16: "28a7023f 452e8f82 bd4bf28d 8c37c35c",
		40: "aaf3d8f1 de5640c2 32f5b169 b9c911e6",
		64: "e1992190 549f6ed5 696a2c05 6c315410",
	})
}

// TestPieces compares Compute, which looks at the last two blocks apart, with
// CMAC block by block, with and without something added to the end.
func TestPieces(t *testing.T) {
	const seed = 4493
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	octets := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	x := mustNew(t, octets(16))
	plain := func(m []byte) (sum Block) {
		last := Block{}
		whole := max(0, (len(m)-1)/Size*Size)
		n := copy(last[:], m[whole:])
		if n == Size {
			last.XOR(x.whole[:])
		} else {
			last[n] ^= 0x80
			last.XOR(x.padded[:])
		}
		for i := 0; i < whole; i += Size {
			sum.XOR(m[i : i+Size])
			x.cipher.Encrypt(sum[:], sum[:])
		}
		sum.XOR(last[:])
		x.cipher.Encrypt(sum[:], sum[:])
		return sum
	}
	for n := range 24*Size + 2 {
		m := octets(n)
		x.Compute(m, nil)
		if got, want := x.Sum, plain(m); got != want {
			t.Fatalf("%d octets:\n got %x\nwant %x", n, got, want)
		}
		if n < Size {
			continue
		}
		end := Block(octets(Size))
		x.Compute(m, &end)
		for i := range end {
			m[n-Size+i] ^= end[i]
		}
		if got, want := x.Sum, plain(m); got != want {
			t.Fatalf("%d octets with an end:\n got %x\nwant %x", n, got, want)
		}
	}
}

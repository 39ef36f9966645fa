package siv

import (
	"bytes"
	"crypto/cipher"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	oracle "github.com/secure-io/siv-go"
	"golang.org/x/sys/cpu"
)

// The oracle is an independent implementation that does not ship; why it does
// not is what the tests named TestOracleFault show. See
// internal/adr/0007-own-siv.md.

// newOracle returns the oracle's AEAD. Mind the order of its arguments.
func newOracle(t testing.TB, a Algorithm, key []byte) cipher.AEAD {
	t.Helper()
	construct := oracle.NewCMAC
	if a == AES128GCMSIV {
		construct = oracle.NewGCM
	}
	x, err := construct(key)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// alignedOctets returns n zero octets that start off octets after a multiple
// of 16. The oracle's assembly faults unless off is 0.
func alignedOctets(n, off int) []byte {
	b := make([]byte, n+2*blockSize)
	start := -int(uintptr(unsafe.Pointer(&b[0]))&(blockSize-1)) & (blockSize - 1)
	return b[start+off : start+off+n : start+off+n]
}

// aligned copies b to where the oracle can take it.
func aligned(b []byte) []byte {
	c := alignedOctets(len(b), 0)
	copy(c, b)
	return c
}

// TestOracle compares with the oracle over every size up to 300, in both
// directions, with random everything.
func TestOracle(t *testing.T) {
	const seed, sizes = 20180922, 300
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for _, a := range algorithms() {
		for size := range sizes + 1 {
			key := aligned(randomOctets(r, a.KeySize()))
			nonce := aligned(randomOctets(r, a.NonceSize()))
			additional := aligned(randomOctets(r, r.IntN(sizes+1)))
			text := aligned(randomOctets(r, size))
			x, o := mustNew(t, a, key), newOracle(t, a, key)
			want := o.Seal(alignedOctets(size+blockSize, 0)[:0], nonce, text, additional)
			got := x.Seal(nil, nonce, additional, text)
			if !bytes.Equal(got, want) {
				t.Fatalf("%v: size %d, additional %d: Seal:\n got %x\nwant %x", a, size, len(additional), got, want)
			}
			if got, err := x.Open(nil, nonce, additional, want); err != nil || !bytes.Equal(got, text) {
				t.Fatalf("%v: size %d, additional %d: Open: got %x, %v, want %x", a, size, len(additional), got, err, text)
			}
			if got, err := o.Open(alignedOctets(size, 0)[:0], nonce, aligned(got), additional); err != nil || !bytes.Equal(got, text) {
				t.Fatalf("%v: size %d, additional %d: the oracle opened %x, %v, want %x", a, size, len(additional), got, err, text)
			}
		}
	}
}

// faultChild names the environment variable that makes a child process of the
// test binary run into the fault.
const faultChild = "SIV_ORACLE_FAULT"

// TestOracleFaultUnaligned: on amd64 the oracle's assembly dies on a message
// that does not start at a multiple of 16. That is a fatal error which recover
// cannot catch, and the field of a packet starts anywhere; so a child process
// has to show it. Ours takes every alignment.
func TestOracleFaultUnaligned(t *testing.T) {
	key, nonce := alignedOctets(32, 0), alignedOctets(blockSize, 0)
	if os.Getenv(faultChild) != "" {
		defer func() { _ = recover() }()
		o := newOracle(t, AESSIVCMAC256, key)
		o.Seal(alignedOctets(10*blockSize, 0)[:0], nonce, alignedOctets(8*blockSize, 1), nil)
		return
	}
	x := mustNew(t, AESSIVCMAC256, key)
	want := x.Seal(nil, nonce, nil, alignedOctets(8*blockSize, 0))
	for off := range blockSize {
		got := x.Seal(alignedOctets(10*blockSize, off)[:0], nonce, nil, alignedOctets(8*blockSize, off))
		if !bytes.Equal(got, want) {
			t.Errorf("ours at offset %d: got %x, want %x", off, got, want)
		}
	}
	if runtime.GOARCH != "amd64" || !cpu.X86.HasAES {
		t.Skip("the oracle has assembly for amd64 with AES instructions only")
	}
	child := exec.Command(os.Args[0], "-test.run=^TestOracleFaultUnaligned$")
	child.Env = append(os.Environ(), faultChild+"=1")
	out, err := child.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "unexpected fault address") {
		t.Errorf("the oracle survived an unaligned message (%v): the decision record is out of date\n%s", err, out)
	}
}

// TestOracleFaultNonce: the oracle panics at lengths of the nonce that a peer
// chooses. Ours opens or refuses.
func TestOracleFaultNonce(t *testing.T) {
	for _, a := range algorithms() {
		key := alignedOctets(a.KeySize(), 0)
		nonce, message := alignedOctets(a.NonceSize()+1, 0), alignedOctets(3*blockSize, 0)
		o := newOracle(t, a, key)
		if !panics(func() { _, _ = o.Open(nil, nonce, message, nil) }) {
			t.Errorf("%v: the oracle took a nonce of %d: the decision record is out of date", a, len(nonce))
		}
		x := mustNew(t, a, key)
		if panics(func() { _, _ = x.Open(nil, nonce, nil, message) }) {
			t.Errorf("%v: ours panics with a nonce of %d", a, len(nonce))
		}
	}
}

// TestOracleFaultAllocs: what the oracle allocates to open one message into a
// buffer with room. TestAllocs has ours.
func TestOracleFaultAllocs(t *testing.T) {
	for _, a := range algorithms() {
		key, nonce := alignedOctets(a.KeySize(), 0), alignedOctets(a.NonceSize(), 0)
		additional, room := alignedOctets(150, 0), alignedOctets(100, 0)[:0]
		o := newOracle(t, a, key)
		sealed := aligned(o.Seal(nil, nonce, alignedOctets(100, 0), additional))
		got := testing.AllocsPerRun(20, func() {
			if _, err := o.Open(room, nonce, sealed, additional); err != nil {
				t.Fatal(err)
			}
		})
		t.Logf("%v: the oracle allocates %v times", a, got)
		if got < 3 {
			t.Errorf("%v: the oracle allocates %v times: the decision record is out of date", a, got)
		}
	}
}

// BenchmarkOracleSeal has the figures of the decision record.
func BenchmarkOracleSeal(b *testing.B) {
	for _, a := range []Algorithm{AESSIVCMAC256, AES128GCMSIV} {
		for _, size := range benchSizes() {
			b.Run(fmt.Sprintf("%v/%d", a, size), func(b *testing.B) {
				o := newOracle(b, a, alignedOctets(a.KeySize(), 0))
				nonce, additional := alignedOctets(a.NonceSize(), 0), alignedOctets(benchAdditional, 0)
				text, room := alignedOctets(size, 0), alignedOctets(size+blockSize, 0)[:0]
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					o.Seal(room, nonce, text, additional)
				}
			})
		}
	}
}

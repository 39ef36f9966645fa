package siv

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"fmt"

	"ntsd/internal/cmac"
)

// Implementation constants.
const (
	// scratchSize is how much key stream is made at a time. Eight blocks
	// fill the processor's pipeline; more only makes an AEAD larger.
	scratchSize = 8 * blockSize
)

// block is one AES block.
type block = cmac.Block

// cmacSIV is AES-SIV-CMAC, RFC 5297.
type cmacSIV struct {
	algorithm Algorithm
	mac       cmac.CMAC    // under K1, for S2V
	stream    cipher.Block // under K2, for CTR; nil: not needed so far
	streamKey [32]byte     // K2, as long as the algorithm wants it
	start     block        // CMAC(zero), where S2V begins
	bare      block        // S2V's D after empty additional data; zero: not made yet
	d         block        // S2V's running D
	scratch   [scratchSize]byte
}

// newCMACSIV expects a key of a's size.
func newCMACSIV(a Algorithm, key []byte) (*cmacSIV, error) {
	// RFC 5297 §2.6: the leftmost half keys S2V, the rightmost half CTR.
	half := len(key) / 2
	mac, err := aes.NewCipher(key[:half])
	if err != nil {
		return nil, fmt.Errorf("siv: cipher of S2V: %w", err)
	}
	x := &cmacSIV{algorithm: a, mac: cmac.New(mac)}
	copy(x.streamKey[:], key[half:])
	x.mac.Compute(x.start[:], nil)
	x.start = x.mac.Sum
	return x, nil
}

// Algorithm implements AEAD.
func (x *cmacSIV) Algorithm() Algorithm { return x.algorithm }

// Seal implements AEAD.
func (x *cmacSIV) Seal(dst, nonce, additional, plaintext []byte) []byte {
	x.s2v(plaintext, additional, nonce)
	all, out := extend(dst, blockSize+len(plaintext))
	// From here on the plaintext may be overwritten: the tag is made, and
	// copy is right for any overlap.
	text := out[blockSize:]
	copy(text, plaintext)
	copy(out, x.mac.Sum[:])
	x.xorKeyStream(text, x.mac.Sum)
	return all
}

// Open implements AEAD. It never returns ErrNonce: S2V takes any length.
func (x *cmacSIV) Open(dst, nonce, additional, ciphertext []byte) ([]byte, error) {
	if len(ciphertext) < blockSize {
		return nil, ErrOpen
	}
	tag := block(ciphertext) // copied before text may be laid over it
	all, text := extend(dst, len(ciphertext)-blockSize)
	copy(text, ciphertext[blockSize:])
	x.xorKeyStream(text, tag)
	x.s2v(text, additional, nonce)
	if subtle.ConstantTimeCompare(tag[:], x.mac.Sum[:]) != 1 {
		clear(text)
		return nil, ErrOpen
	}
	return all, nil
}

// s2v leaves S2V(components..., plaintext) in x.mac.Sum, RFC 5297 §2.4. NTS gives
// it the additional data and the nonce. RFC 5297 §3: a nonce is a component
// like any other, so an empty one (and an empty additional) still counts.
func (x *cmacSIV) s2v(plaintext []byte, components ...[]byte) {
	x.d = x.start
	if len(components) > 0 && len(components[0]) == 0 {
		// Always the same, and cookies begin so.
		if x.bare == (block{}) {
			x.mix(nil)
			x.bare = x.d
		}
		x.d = x.bare
		components = components[1:]
	}
	for _, c := range components {
		x.mix(c)
	}
	if len(plaintext) >= blockSize {
		x.mac.Compute(plaintext, &x.d)
		return
	}
	x.d.Double()
	x.d.XOR(plaintext)
	x.d[len(plaintext)] ^= 0x80
	x.mac.Compute(x.d[:], nil)
}

// mix takes one component into x.d.
func (x *cmacSIV) mix(component []byte) {
	x.mac.Compute(component, nil)
	x.d.Double()
	x.d.XOR(x.mac.Sum[:])
}

// xorKeyStream encrypts or decrypts text in place with CTR from tag on.
//
// Block by block: a CTR of the library would cost an allocation of 512 octets
// with a copy of the key schedule for each message. The counters are written
// before the first is encrypted, since a processor stalls that reads in one
// piece what it has just written in two.
//
// The key schedule is made when there is first something to encrypt: a server
// verifies requests that have nothing encrypted.
func (x *cmacSIV) xorKeyStream(text []byte, tag block) {
	if len(text) > 0 && x.stream == nil {
		c, err := aes.NewCipher(x.streamKey[:x.algorithm.KeySize()/2])
		if err != nil {
			panic(fmt.Errorf("siv: cipher of CTR: %w", err)) // its length was accepted by New
		}
		x.stream = c
	}
	hi, lo := binary.BigEndian.Uint64(tag[:8]), binary.BigEndian.Uint64(tag[8:])
	// RFC 5297 §2.5: bits 31 and 63 of the counter start as zero, so that no
	// carry leaves the lower half.
	lo &^= 1<<63 | 1<<31
	for len(text) > 0 {
		n := min(len(text), len(x.scratch))
		for i := 0; i < n; i += blockSize {
			b := x.scratch[i : i+blockSize]
			binary.BigEndian.PutUint64(b[:8], hi)
			binary.BigEndian.PutUint64(b[8:], lo)
			lo++
		}
		for i := 0; i < n; i += blockSize {
			b := x.scratch[i : i+blockSize]
			x.stream.Encrypt(b, b)
		}
		subtle.XORBytes(text, text[:n], x.scratch[:n])
		text = text[n:]
	}
}

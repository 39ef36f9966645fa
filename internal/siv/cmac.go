package siv

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
)

// Implementation constants.
const (
	// scratchSize is how much key stream is made at a time. Eight blocks
	// fill the processor's pipeline; more only makes an AEAD larger.
	scratchSize = 8 * blockSize
)

// block is one AES block. Those that a cipher reads or writes are fields of
// the AEAD, not local variables: through an interface they would escape to the
// heap at each call.
type block [blockSize]byte

// double multiplies b by x in GF(2^128), the dbl() of RFC 5297 §2.3.
func (b *block) double() {
	hi, lo := binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
	carry := -(hi >> 63) // all ones when the top bit falls out
	binary.BigEndian.PutUint64(b[:8], hi<<1|lo>>63)
	binary.BigEndian.PutUint64(b[8:], lo<<1^carry&0x87)
}

// xor adds p, of at most 16 octets, into b.
func (b *block) xor(p []byte) { subtle.XORBytes(b[:], b[:len(p)], p) }

// cmacSIV is AES-SIV-CMAC, RFC 5297.
type cmacSIV struct {
	algorithm Algorithm
	mac       cipher.Block // under K1, for S2V
	stream    cipher.Block // under K2, for CTR; nil: not needed so far
	streamKey [32]byte     // K2, as long as the algorithm wants it
	whole     block        // CMAC subkey for a message of whole blocks
	padded    block        // CMAC subkey for a message that needs padding
	start     block        // CMAC(zero), where S2V begins
	bare      block        // S2V's D after empty additional data; zero: not made yet
	d, sum    block        // S2V's running D, and the last CMAC
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
	x := &cmacSIV{algorithm: a, mac: mac}
	copy(x.streamKey[:], key[half:])
	// RFC 4493 §2.3: the subkeys are E(0)*x and E(0)*x^2.
	mac.Encrypt(x.whole[:], x.whole[:])
	x.whole.double()
	x.padded = x.whole
	x.padded.double()
	x.cmac(x.start[:], nil)
	x.start = x.sum
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
	copy(out, x.sum[:])
	x.xorKeyStream(text, x.sum)
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
	if subtle.ConstantTimeCompare(tag[:], x.sum[:]) != 1 {
		clear(text)
		return nil, ErrOpen
	}
	return all, nil
}

// s2v leaves S2V(components..., plaintext) in x.sum, RFC 5297 §2.4. NTS gives
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
		x.cmac(plaintext, &x.d)
		return
	}
	x.d.double()
	x.d.xor(plaintext)
	x.d[len(plaintext)] ^= 0x80
	x.cmac(x.d[:], nil)
}

// mix takes one component into x.d.
func (x *cmacSIV) mix(component []byte) {
	x.cmac(component, nil)
	x.d.double()
	x.d.xor(x.sum[:])
}

// cmac leaves AES-CMAC(message) in x.sum, RFC 4493. With end, message has at
// least 16 octets and end is first added to its last 16 (RFC 5297's xorend).
func (x *cmacSIV) cmac(message []byte, end *block) {
	x.sum = block{}
	for len(message) > 2*blockSize {
		x.absorb(message[:blockSize])
		message = message[blockSize:]
	}
	// The last two blocks: end lies in them, wherever the message ends.
	var tail [2 * blockSize]byte
	n := copy(tail[:], message)
	if end != nil {
		last := tail[n-blockSize : n]
		subtle.XORBytes(last, last, end[:])
	}
	subkey := &x.whole
	if n == 0 || n%blockSize != 0 {
		subkey = &x.padded
		tail[n] = 0x80
		n += blockSize - n%blockSize
	}
	if n > blockSize {
		x.absorb(tail[:blockSize])
	}
	x.sum.xor(subkey[:])
	x.absorb(tail[n-blockSize : n])
}

// absorb takes one block into the CMAC. The library's CBC does the same for
// many blocks in one call, in the same time, for a copy of the key schedule.
func (x *cmacSIV) absorb(b []byte) {
	x.sum.xor(b)
	x.mac.Encrypt(x.sum[:], x.sum[:])
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

package siv

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
)

// gcmSIV is AES-GCM-SIV, RFC 8452. Only keys of 16 octets are offered; one of
// 32 works the same (the tests use it for the vectors of Appendix C.3).
//
// Every message is sealed under a key of its own, derived from its nonce, and
// crypto/aes makes a key schedule only on the heap: 512 octets per call are
// the one allocation that cannot be avoided.
type gcmSIV struct {
	generator cipher.Block // under the key-generating key
	keySize   int          // octets
	hash      polyval
	tag       block
	derived   [48]byte // message-authentication key, message-encryption key
	scratch   [scratchSize]byte
}

// newGCMSIV expects a key of 16 or 32 octets.
func newGCMSIV(key []byte) (*gcmSIV, error) {
	generator, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("siv: cipher of GCM-SIV: %w", err)
	}
	return &gcmSIV{generator: generator, keySize: len(key)}, nil
}

// Algorithm implements AEAD.
func (x *gcmSIV) Algorithm() Algorithm { return AES128GCMSIV }

// Seal implements AEAD.
func (x *gcmSIV) Seal(dst, nonce, additional, plaintext []byte) []byte {
	if len(nonce) != gcmNonce {
		panic(ErrNonce) // ours: no peer chooses the nonce we seal with
	}
	c := x.derive(nonce)
	x.authenticate(c, nonce, additional, plaintext)
	all, out := extend(dst, len(plaintext)+blockSize)
	// From here on the plaintext may be overwritten: the tag is made, and
	// copy is right for any overlap.
	text := out[:copy(out, plaintext)]
	copy(out[len(text):], x.tag[:])
	x.xorKeyStream(c, text, x.tag)
	return all
}

// Open implements AEAD.
func (x *gcmSIV) Open(dst, nonce, additional, ciphertext []byte) ([]byte, error) {
	// RFC 8452 §6 fixes the nonce's length, §5 fails on less than a tag.
	if len(nonce) != gcmNonce {
		return nil, ErrNonce
	}
	n := len(ciphertext) - blockSize
	if n < 0 {
		return nil, ErrOpen
	}
	tag := block(ciphertext[n:]) // copied before text may be laid over it
	all, text := extend(dst, n)
	copy(text, ciphertext[:n])
	c := x.derive(nonce)
	x.xorKeyStream(c, text, tag)
	x.authenticate(c, nonce, additional, text)
	if subtle.ConstantTimeCompare(tag[:], x.tag[:]) != 1 {
		clear(text)
		return nil, ErrOpen
	}
	return all, nil
}

// derive keys the hash with the message-authentication key of nonce and
// returns the cipher under its message-encryption key, RFC 8452 §4.
func (x *gcmSIV) derive(nonce []byte) cipher.Block {
	keys := x.derived[:blockSize+x.keySize]
	b := x.scratch[:blockSize]
	for i := range len(keys) / 8 {
		binary.LittleEndian.PutUint32(b, uint32(i))
		copy(b[4:], nonce)
		x.generator.Encrypt(b, b)
		copy(keys[8*i:], b[:8]) // the other half is thrown away
	}
	x.hash.init(keys[:blockSize])
	c, err := aes.NewCipher(keys[blockSize:])
	if err != nil {
		panic(fmt.Errorf("siv: cipher of one message: %w", err)) // keySize was accepted by New
	}
	return c
}

// authenticate leaves the tag of a message in x.tag, RFC 8452 §4.
func (x *gcmSIV) authenticate(c cipher.Block, nonce, additional, plaintext []byte) {
	x.hash.update(additional)
	x.hash.update(plaintext)
	// The lengths in bits.
	binary.LittleEndian.PutUint64(x.tag[:8], uint64(len(additional))*8)
	binary.LittleEndian.PutUint64(x.tag[8:], uint64(len(plaintext))*8)
	x.hash.update(x.tag[:])
	x.tag = x.hash.running
	subtle.XORBytes(x.tag[:], x.tag[:gcmNonce], nonce)
	x.tag[blockSize-1] &^= 0x80
	c.Encrypt(x.tag[:], x.tag[:])
}

// xorKeyStream encrypts or decrypts text in place from tag on. RFC 8452 §4:
// the counter is the first 32 bits, little-endian, and wraps without a carry:
// no CTR of the library counts so.
func (x *gcmSIV) xorKeyStream(c cipher.Block, text []byte, tag block) {
	tag[blockSize-1] |= 0x80
	counter := binary.LittleEndian.Uint32(tag[:])
	for len(text) > 0 {
		n := min(len(text), len(x.scratch))
		for i := 0; i < n; i += blockSize {
			b := x.scratch[i : i+blockSize]
			copy(b, tag[:])
			binary.LittleEndian.PutUint32(b, counter)
			counter++
		}
		for i := 0; i < n; i += blockSize {
			b := x.scratch[i : i+blockSize]
			c.Encrypt(b, b)
		}
		subtle.XORBytes(text, text[:n], x.scratch[:n])
		text = text[n:]
	}
}

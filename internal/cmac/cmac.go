// Package cmac is AES-CMAC (RFC 4493), the message authentication code that
// NTS's AES-SIV-CMAC is built on (package siv) and that RFC 8573 wants for
// symmetric keys (package mac). It is layer 1 and imports nothing but the
// standard library; it allocates nothing.
//
// Non-goals: streaming, ciphers with other blocks than AES's, and comparing
// codes: the caller does that in constant time.
package cmac

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
)

// Size is the length in octets of an AES block, and so of a code.
const Size = 16

// Block is one AES block. Those that a cipher reads or writes are best fields
// of something that lives on, not local variables: through an interface they
// would escape to the heap at each call.
type Block [Size]byte

// Double multiplies b by x in GF(2^128), the dbl() of RFC 5297 §2.3.
func (b *Block) Double() {
	hi, lo := binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
	carry := -(hi >> 63) // all ones when the top bit falls out
	binary.BigEndian.PutUint64(b[:8], hi<<1|lo>>63)
	binary.BigEndian.PutUint64(b[8:], lo<<1^carry&0x87)
}

// XOR adds p, of at most 16 octets, into b.
func (b *Block) XOR(p []byte) { subtle.XORBytes(b[:], b[:len(p)], p) }

// CMAC computes codes under one key. Make it with New. It is not safe for
// concurrent use: Sum holds the code that was computed last.
type CMAC struct {
	Sum    Block
	cipher cipher.Block
	whole  Block // subkey for a message of whole blocks
	padded Block // subkey for a message that needs padding
}

// New returns the CMAC of a cipher, which must have blocks of 16 octets.
func New(c cipher.Block) CMAC {
	// RFC 4493 §2.3: the subkeys are E(0)*x and E(0)*x^2.
	x := CMAC{cipher: c}
	c.Encrypt(x.whole[:], x.whole[:])
	x.whole.Double()
	x.padded = x.whole
	x.padded.Double()
	return x
}

// Compute leaves the code of message in x.Sum. With end, message has at least
// 16 octets and end is first added to its last 16 (RFC 5297's xorend).
func (x *CMAC) Compute(message []byte, end *Block) {
	x.Sum = Block{}
	for len(message) > 2*Size {
		x.absorb(message[:Size])
		message = message[Size:]
	}
	// The last two blocks: end lies in them, wherever the message ends.
	var tail [2 * Size]byte
	n := copy(tail[:], message)
	if end != nil {
		last := tail[n-Size : n]
		subtle.XORBytes(last, last, end[:])
	}
	subkey := &x.whole
	if n == 0 || n%Size != 0 {
		subkey = &x.padded
		tail[n] = 0x80
		n += Size - n%Size
	}
	if n > Size {
		x.absorb(tail[:Size])
	}
	x.Sum.XOR(subkey[:])
	x.absorb(tail[n-Size : n])
}

// absorb takes one block into the code. The library's CBC does the same for
// many blocks in one call, in the same time, for a copy of the key schedule.
func (x *CMAC) absorb(b []byte) {
	x.Sum.XOR(b)
	x.cipher.Encrypt(x.Sum[:], x.Sum[:])
}

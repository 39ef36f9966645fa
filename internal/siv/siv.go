// Package siv holds the AEADs of Network Time Security: AES-SIV-CMAC
// (RFC 5297) and AES-128-GCM-SIV (RFC 8452), built on crypto/aes alone and
// behind one small interface.
//
// It is layer 1: besides the standard library and package cmac it imports only
// golang.org/x/sys/cpu, to ask for carry-less multiplication. It reads no
// randomness and no clock, takes no locks and logs nothing. The nonce is always
// the caller's. Why it is not one of the existing packages:
// internal/adr/0007-own-siv.md.
//
// Non-goals: other key sizes of GCM-SIV, S2V with more than one associated
// data string (NTS has exactly one), streaming, and hiding the length of a
// message. What crypto/aes does on a processor without AES instructions
// (tables, so not constant time) is not made better here.
package siv

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// Algorithm is an identifier from IANA's "AEAD Algorithms" registry, the
// number that NTS negotiates (RFC 8915 §4.1.5). The zero value is no algorithm.
type Algorithm uint16

// The algorithms this package implements.
const (
	AESSIVCMAC256 Algorithm = 15 // AEAD_AES_SIV_CMAC_256, RFC 5297: two AES-128 keys
	AESSIVCMAC384 Algorithm = 16 // AEAD_AES_SIV_CMAC_384, RFC 5297: two AES-192 keys
	AESSIVCMAC512 Algorithm = 17 // AEAD_AES_SIV_CMAC_512, RFC 5297: two AES-256 keys
	AES128GCMSIV  Algorithm = 30 // AEAD_AES_128_GCM_SIV, RFC 8452
)

// Specification constants.
const (
	blockSize  = 16 // of AES; also the length of every tag here
	gcmNonce   = 12 // RFC 8452 §6: N_MIN and N_MAX of AEAD_AES_128_GCM_SIV
	gcmKeySize = 16 // RFC 8452 §6: K_LEN of AEAD_AES_128_GCM_SIV
	sivNonce   = 16 // RFC 8915 §5.6: N_REQ, the lesser of 16 and the AEAD's longest nonce
)

// Errors. Open returns ErrOpen and ErrNonce as they are, so that a flood of
// forged packets makes no error values.
var (
	// ErrAlgorithm: the identifier is none of the four above.
	ErrAlgorithm = errors.New("siv: unknown AEAD algorithm")
	// ErrKeySize: the key is not KeySize octets long.
	ErrKeySize = errors.New("siv: wrong key size")
	// ErrNonce: the nonce has a length that the algorithm cannot take.
	ErrNonce = errors.New("siv: wrong nonce length")
	// ErrOpen: the message is too short or was not sealed with this key,
	// nonce and additional data. Why is deliberately not said.
	ErrOpen = errors.New("siv: message authentication failed")
)

// Known reports whether New can make a.
func (a Algorithm) Known() bool { return a.KeySize() != 0 }

// KeySize returns the length of a key in octets, 0 when a is unknown.
func (a Algorithm) KeySize() int {
	switch a {
	case AESSIVCMAC256:
		return 32
	case AESSIVCMAC384:
		return 48
	case AESSIVCMAC512:
		return 64
	case AES128GCMSIV:
		return gcmKeySize
	default:
		return 0
	}
}

// NonceSize returns the length in octets of the nonces we send, 0 when a is
// unknown. AES-SIV-CMAC takes any other length too, AES-GCM-SIV only this one.
func (a Algorithm) NonceSize() int {
	switch a {
	case AESSIVCMAC256, AESSIVCMAC384, AESSIVCMAC512:
		return sivNonce
	case AES128GCMSIV:
		return gcmNonce
	default:
		return 0
	}
}

// Overhead returns by how many octets a ciphertext is longer than its
// plaintext, 0 when a is unknown.
func (a Algorithm) Overhead() int {
	if !a.Known() {
		return 0
	}
	return blockSize
}

// String returns the registry's name without the leading "AEAD_", in the
// spelling that users of other NTS software know, or "AEAD n" when a is
// unknown.
func (a Algorithm) String() string {
	switch a {
	case AESSIVCMAC256:
		return "AES-SIV-CMAC-256"
	case AESSIVCMAC384:
		return "AES-SIV-CMAC-384"
	case AESSIVCMAC512:
		return "AES-SIV-CMAC-512"
	case AES128GCMSIV:
		return "AES-128-GCM-SIV"
	default:
		return "AEAD " + strconv.Itoa(int(a))
	}
}

// AEAD seals and opens messages under one key.
//
// Mind the order of the arguments: nonce, additional, message, as RFC 5116 has
// them; cipher.AEAD puts the message before the additional data.
//
// An AEAD is not safe for concurrent use: it keeps its scratch space, which is
// what lets it work without allocating. Two goroutines need two of them or a
// lock. It keeps no reference to any argument.
//
// Overlap: the octets that a call appends may lie over the message it reads,
// exactly or shifted. They must not lie over the nonce or the additional data.
//
// Layout: AES-SIV-CMAC puts its tag first (RFC 5297 §2.6), AES-GCM-SIV last
// (RFC 8452 §4); either way it is Overhead octets.
type AEAD interface {
	// Seal appends the sealed plaintext to dst and returns the longer slice.
	// When dst has room for len(plaintext)+Overhead octets, AES-SIV-CMAC
	// allocates nothing (but once, before the first text) and AES-GCM-SIV one
	// key schedule (512 octets), since every nonce has a key of its own. With
	// AES-GCM-SIV a nonce that is not 12 octets long is our own bug and panics.
	Seal(dst, nonce, additional, plaintext []byte) []byte

	// Open appends the plaintext of ciphertext to dst and returns the longer
	// slice, allocating as Seal does, or nil and ErrNonce or ErrOpen. Nothing
	// a peer chooses makes it panic. After ErrOpen the octets it was about to
	// append are zero, also where they lay over the ciphertext.
	Open(dst, nonce, additional, ciphertext []byte) ([]byte, error)

	// Algorithm returns what New was given.
	Algorithm() Algorithm
}

// New returns a's AEAD under key. It copies what it needs of key. The error
// wraps ErrAlgorithm or ErrKeySize.
func New(a Algorithm, key []byte) (AEAD, error) {
	if !a.Known() {
		return nil, fmt.Errorf("%w: %d", ErrAlgorithm, uint16(a))
	}
	if len(key) != a.KeySize() {
		return nil, fmt.Errorf("%w: %d octets for %v", ErrKeySize, len(key), a)
	}
	if a == AES128GCMSIV {
		return newGCMSIV(key)
	}
	return newCMACSIV(a, key)
}

// Format implements fmt.Formatter: for every verb it writes the algorithm's
// name, since what else is in x are keys.
func (x *cmacSIV) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, x.algorithm.String()) }

// Format implements fmt.Formatter like that of cmacSIV.
func (x *gcmSIV) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, x.Algorithm().String()) }

// extend returns dst lengthened by n octets, and those octets.
func extend(dst []byte, n int) (all, added []byte) {
	all = slices.Grow(dst, n)[:len(dst)+n]
	return all, all[len(dst):]
}

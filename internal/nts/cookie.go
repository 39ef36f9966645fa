package nts

import (
	"encoding/binary"
	"errors"
	"slices"

	"ntsd/internal/siv"
)

// Layout of our cookies. RFC 8915 section 6 suggests the contents and leaves
// the form to the server; a client sees only bytes.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                            Key id                             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|            AEAD id            |       Nonce (10 octets)       |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+                               +
//	|                                                               |
//	+                                                               +
//	|                                                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	.            AES-SIV-CMAC-256 of: C2S key | S2C key             .
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// The first 16 bytes are the nonce that SIV gets, all of them, so they are
// authenticated; there is no associated data. The id of the AEAD tells an
// observer no more than the length does. Everything then comes in whole AES
// blocks, of which there are a quarter fewer than with the AEAD id encrypted.
// With AEAD 30 that makes 64 bytes, with 15 96: multiples of four, and no longer
// than what other servers send, which keeps packets under the length that some
// networks drop.
const (
	cookieIDLen = 4
	// CookieNonceLen is short because SIV does not fall to a repeated nonce:
	// a repeat only shows that two cookies hold the same keys, and 80 bits make
	// even that unlikely for the cookies of one client.
	CookieNonceLen = 10
	cookieAlgLen   = 2
	cookiePrefix   = cookieIDLen + cookieAlgLen + CookieNonceLen
	// CookieKeyLen is the length of a cookie key: AES-SIV-CMAC-256.
	CookieKeyLen = 32
	maxKeyLen    = 64 // of C2S and S2C: AES-SIV-CMAC-512
	// maxKeyring bounds the keys a server accepts at a time.
	maxKeyring = 64
)

// What is wrong with a cookie.
var (
	ErrCookie        = errors.New("nts: cookie is not ours")
	ErrCookieExpired = errors.New("nts: cookie expired") // its key is no longer (or not yet) in the ring
)

// CookieKey seals cookies. The id says which key a cookie needs and is sent in
// clear.
type CookieKey struct {
	ID  uint32
	Key [CookieKeyLen]byte
}

// Keys is what a cookie holds: the algorithm and keys of one client. It is
// reusable: Keyring.Open overwrites it. The zero value holds nothing.
type Keys struct {
	Algorithm siv.Algorithm
	Old       bool   // sealed under a key other than the current one
	Age       uint32 // how many keys before the current one; 0: that one, or the next

	buf    [2 * maxKeyLen]byte
	keyLen int
}

// C2S returns the client-to-server key, a view into k.
func (k *Keys) C2S() []byte { return k.buf[:k.keyLen] }

// S2C returns the server-to-client key, a view into k.
func (k *Keys) S2C() []byte { return k.buf[k.keyLen : 2*k.keyLen] }

// CookieLen returns the length of our cookies for an algorithm.
func CookieLen(alg siv.Algorithm) int {
	return cookiePrefix + tagLen + 2*alg.KeySize()
}

// Keyring holds the keys a server accepts cookies under; new cookies are sealed
// under the current one. It does not change once made: rotation makes a new
// one. Like siv.AEAD it is not safe for concurrent use: each worker has its own.
type Keyring struct {
	keys []ringKey // the current one first
}

type ringKey struct {
	id   uint32
	aead siv.AEAD
}

// NewKeyring returns a ring that seals with current and also opens with
// others (older ones, and the next one where servers share keys).
func NewKeyring(current CookieKey, others ...CookieKey) (*Keyring, error) {
	if len(others) >= maxKeyring {
		return nil, errors.New("nts: too many cookie keys")
	}
	ring := &Keyring{keys: make([]ringKey, 0, 1+len(others))}
	for _, k := range append([]CookieKey{current}, others...) {
		aead, err := siv.New(siv.AESSIVCMAC256, k.Key[:])
		if err != nil {
			return nil, err
		}
		ring.keys = append(ring.keys, ringKey{k.ID, aead})
	}
	return ring, nil
}

// Seal appends a cookie with the keys of a client. The nonce is random. Keys
// of a length that does not fit the algorithm are a bug and panic.
func (r *Keyring) Seal(dst []byte, alg siv.Algorithm, c2s, s2c []byte, nonce [CookieNonceLen]byte) []byte {
	if len(c2s) != alg.KeySize() || len(s2c) != len(c2s) || len(c2s) > maxKeyLen {
		panic("nts: key length does not fit the algorithm")
	}
	current := &r.keys[0]
	start := len(dst)
	dst = slices.Grow(dst, CookieLen(alg))
	dst = binary.BigEndian.AppendUint32(dst, current.id)
	dst = binary.BigEndian.AppendUint16(dst, uint16(alg))
	dst = append(dst, nonce[:]...)
	// The plaintext is written where its ciphertext will stand: siv seals in
	// place, and an array of our own would escape to the heap.
	plain := append(append(dst[len(dst):], c2s...), s2c...)
	return current.aead.Seal(dst, dst[start:], nil, plain)
}

// Open opens a cookie into keys. Bytes of padding that a client may have added
// behind it make it fail: clients pad only cookies that are no multiple of
// four, and ours are.
func (r *Keyring) Open(cookie []byte, keys *Keys) error {
	if len(cookie) < cookiePrefix+tagLen || len(cookie) > cookiePrefix+tagLen+len(keys.buf) {
		return ErrCookie
	}
	id := binary.BigEndian.Uint32(cookie)
	for i := range r.keys {
		k := &r.keys[i]
		if k.id != id {
			continue
		}
		if _, err := k.aead.Open(keys.buf[:0], cookie[:cookiePrefix], nil, cookie[cookiePrefix:]); err != nil {
			return ErrCookie
		}
		// RFC 8915 §6: the algorithm is part of what is authenticated, never
		// guessed from the length.
		keys.Algorithm = siv.Algorithm(binary.BigEndian.Uint16(cookie[cookieIDLen:]))
		keys.keyLen = keys.Algorithm.KeySize()
		keys.Old, keys.Age = i != 0, 0
		if current := r.keys[0].id; id < current {
			keys.Age = current - id
		}
		if keys.keyLen == 0 || len(cookie) != CookieLen(keys.Algorithm) {
			return ErrCookie
		}
		return nil
	}
	return ErrCookieExpired
}

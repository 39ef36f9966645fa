// Package mac is authentication with symmetric keys, as NTP has had it before
// NTS: a key id and a message authentication code behind the packet (RFC 5905
// section 7.3), AES-CMAC (RFC 8573) or a digest of the key and the packet. It
// also reads the files that such keys are kept in. It is layer 1: no clock, no
// randomness, no logging, nothing of files but their text.
//
// Non-goals: which key belongs to whom, what to do with a packet that does not
// verify, Autokey, MS-SNTP.
package mac

import (
	"crypto/aes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"

	"ntsd/internal/cmac"
	"ntsd/internal/wire"
)

// Specification constants.
const (
	idLen = 4 // RFC 5905 figure 8: the key id
	// maxV4Len is how long a MAC is in a packet of version 4 at most: RFC 7822
	// section 3 tells it from an extension field by its length. Longer digests
	// are cut to their first 20 octets, as chrony and ntpsec do.
	maxV4Len = idLen + 20
	// maxLen is that of any packet we know: version 3 has no extension fields,
	// and chrony sends whole digests there.
	maxLen = idLen + sha512.Size
)

// Implementation constants.
const (
	// MaxSecret bounds the length of a key in octets.
	MaxSecret = 512
	// WeakBits is the length below which a key is called weak: chrony's limit.
	WeakBits = 80
)

// Errors.
var (
	// ErrType: the type has no name that we know.
	ErrType = errors.New("mac: unknown type of key")
	// ErrID: a key id is a whole number from 1 to 4294967295.
	ErrID = errors.New("mac: bad key id")
	// ErrSecret: the secret is empty, too long, not hexadecimal, or not of the
	// length that the type demands. Its octets are never in the message.
	ErrSecret = errors.New("mac: bad secret")
)

// Type is the algorithm of a key. The zero value is none.
type Type uint8

// The types. MD5 is there for devices that have nothing else (RFC 8573
// deprecates it).
const (
	MD5 Type = iota + 1
	SHA1
	SHA256
	SHA384
	SHA512
	AES128 // AES-CMAC with a key of 128 bits, RFC 8573
	AES256
)

// types describes them: the name is chrony's, number what its authdata shows,
// size how long a whole code is, secret how long the key must be; 0: any length.
var types = [...]struct {
	name         string
	number       int
	size, secret int
}{
	MD5: {"MD5", 1, md5.Size, 0}, SHA1: {"SHA1", 2, sha1.Size, 0}, SHA256: {"SHA256", 3, sha256.Size, 0},
	SHA384: {"SHA384", 4, sha512.Size384, 0}, SHA512: {"SHA512", 5, sha512.Size, 0},
	AES128: {"AES128", 13, cmac.Size, 16}, AES256: {"AES256", 14, cmac.Size, 32},
}

// ParseType reads the name of a type as chrony or ntpsec write it; neither case
// nor dashes matter.
func ParseType(name string) (Type, error) {
	name = strings.ReplaceAll(strings.ToUpper(name), "-", "")
	switch name {
	case "AES", "AES128CMAC":
		return AES128, nil
	case "AES256CMAC":
		return AES256, nil
	case "SHA":
		return SHA1, nil
	case "M": // the first ntpd's
		return MD5, nil
	}
	for t := MD5; t <= AES256; t++ {
		if types[t].name == name {
			return t, nil
		}
	}
	return 0, ErrType
}

// Known reports whether New can make a key of t.
func (t Type) Known() bool { return t >= MD5 && t <= AES256 }

// String returns chrony's name of t, "unknown" where there is none.
func (t Type) String() string {
	if !t.Known() {
		return "unknown"
	}
	return types[t].name
}

// Number returns what chronyc authdata shows as the type of a key, 0 for an
// unknown one.
func (t Type) Number() int {
	if !t.Known() {
		return 0
	}
	return types[t].number
}

// SecretBits returns how long a key of t must be, 0 where that is free.
func (t Type) SecretBits() int {
	if !t.Known() {
		return 0
	}
	return 8 * types[t].secret
}

// Secret is a key as it is configured. Formatting it shows no secret.
type Secret struct {
	ID    uint32
	Type  Type
	Value []byte
}

// Check returns nil, or an error that wraps ErrID, ErrType or ErrSecret and
// says what is wrong.
func (s *Secret) Check() error {
	n := len(s.Value)
	switch {
	case s.ID == 0:
		return ErrID
	case !s.Type.Known():
		return ErrType
	case n == 0:
		return fmt.Errorf("%w: it is empty", ErrSecret)
	case n > MaxSecret:
		return fmt.Errorf("%w: longer than %d octets", ErrSecret, MaxSecret)
	case types[s.Type].secret != 0 && n != types[s.Type].secret:
		return fmt.Errorf("%w: %v takes %d octets, not %d", ErrSecret, s.Type, types[s.Type].secret, n)
	}
	return nil
}

// Bits is the length of the secret.
func (s *Secret) Bits() int { return 8 * len(s.Value) }

// Equal reports whether s and t are the same key; two that are nil are.
func (s *Secret) Equal(t *Secret) bool {
	if s == nil || t == nil {
		return s == t
	}
	return s.ID == t.ID && s.Type == t.Type && slices.Equal(s.Value, t.Value)
}

// Format implements fmt.Formatter: for every verb it writes id and type.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "key %d (%v)", s.ID, s.Type) }

// Key authenticates packets. It is not safe for concurrent use: it keeps its
// scratch space, so that it works without allocating.
type Key struct {
	id     uint32
	kind   Type
	bits   int
	secret []byte // of a digest
	digest hash.Hash
	code   cmac.CMAC
	sum    [maxLen]byte
}

// New returns the key of s. The error is that of Check.
func New(s *Secret) (*Key, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	k := &Key{id: s.ID, kind: s.Type, bits: s.Bits()}
	switch s.Type {
	case AES128, AES256:
		c, err := aes.NewCipher(s.Value)
		if err != nil {
			return nil, fmt.Errorf("mac: cipher of key %d: %w", s.ID, err)
		}
		k.code = cmac.New(c)
		return k, nil
	case MD5:
		k.digest = md5.New()
	case SHA1:
		k.digest = sha1.New()
	case SHA256:
		k.digest = sha256.New()
	case SHA384:
		k.digest = sha512.New384()
	case SHA512:
		k.digest = sha512.New()
	}
	k.secret = slices.Clone(s.Value)
	return k, nil
}

// ID returns the number that names the key in packets.
func (k *Key) ID() uint32 { return k.id }

// Type returns its algorithm.
func (k *Key) Type() Type { return k.kind }

// Bits returns the length of the secret.
func (k *Key) Bits() int { return k.bits }

// Format implements fmt.Formatter like that of Secret.
func (k *Key) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "key %d (%v)", k.id, k.kind) }

// Len returns how long a MAC under k is in a packet of version 4.
func (k *Key) Len() int { return min(idLen+types[k.kind].size, maxV4Len) }

// Append appends the MAC of pkt to it, Len octets.
func (k *Key) Append(pkt []byte) []byte { return k.AppendLike(pkt, k.Len()) }

// AppendLike appends a MAC of n octets, the length of one that Verify has
// accepted: what the other side sends it can read, and a reply is no longer
// than its request.
func (k *Key) AppendLike(pkt []byte, n int) []byte {
	code := k.compute(pkt)[:n-idLen]
	pkt = binary.BigEndian.AppendUint32(pkt, k.id)
	return append(pkt, code...)
}

// Verify reports whether pkt ends with mac, a view of its end, and that is
// under k. It takes the time that it takes, whatever the octets are.
func (k *Key) Verify(pkt, mac []byte) bool {
	if len(mac) < idLen || len(mac) > len(pkt) || ID(mac) != k.id || !k.fits(pkt, len(mac)) {
		return false
	}
	code := k.compute(pkt[:len(pkt)-len(mac)])
	return subtle.ConstantTimeCompare(code[:len(mac)-idLen], mac[idLen:]) == 1
}

// fits reports whether a MAC of n octets can stand in pkt. Whole digests beyond
// 20 octets only where there are no extension fields.
func (k *Key) fits(pkt []byte, n int) bool {
	return n == k.Len() || n == idLen+types[k.kind].size && len(pkt) > 0 && pkt[0]>>3&7 < wire.Version
}

// compute returns the whole code of data, good until the next call.
func (k *Key) compute(data []byte) []byte {
	if k.digest == nil {
		k.code.Compute(data, nil)
		return k.code.Sum[:]
	}
	// RFC 5905 §7.3: the digest "covering the key and NTP header and extension
	// fields", in this order.
	k.digest.Reset()
	k.digest.Write(k.secret)
	k.digest.Write(data)
	return k.digest.Sum(k.sum[:0])
}

// ID returns the key id of a MAC, 0 when it is too short to have one.
func ID(mac []byte) uint32 {
	if len(mac) < idLen {
		return 0
	}
	return binary.BigEndian.Uint32(mac)
}

// Of returns what follows the extension fields of a packet: its MAC, nil when
// there is none or the fields are malformed.
func Of(pkt []byte) []byte {
	ext := wire.PacketExtensions(pkt)
	for _, ok := ext.Next(); ok; _, ok = ext.Next() {
	}
	return ext.MAC()
}

// IsNAK reports whether mac is a crypto-NAK, the answer of a server that cannot
// verify a request (RFC 5905 section 9.2): a key id of 0 alone.
func IsNAK(mac []byte) bool { return len(mac) == idLen && ID(mac) == 0 }

// Ring is keys by their ids. It is as little safe for concurrent use as they
// are; the zero value holds none.
type Ring struct{ keys []*Key }

// NewRing returns the keys of secrets; of several with one id the first, and
// none that New refuses.
func NewRing(secrets []Secret) *Ring {
	r := new(Ring)
	for i := range secrets {
		k, err := New(&secrets[i])
		at, found := r.index(secrets[i].ID)
		if err == nil && !found {
			r.keys = slices.Insert(r.keys, at, k)
		}
	}
	return r
}

// Find returns the key with that id, nil when there is none. A nil Ring holds
// none.
func (r *Ring) Find(id uint32) *Key {
	if r == nil {
		return nil
	}
	if at, found := r.index(id); found {
		return r.keys[at]
	}
	return nil
}

func (r *Ring) index(id uint32) (int, bool) {
	return slices.BinarySearchFunc(r.keys, id, func(k *Key, id uint32) int {
		switch {
		case k.id < id:
			return -1
		case k.id > id:
			return 1
		}
		return 0
	})
}

// Format implements fmt.Formatter: it writes how many keys there are.
func (r *Ring) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, fmt.Sprint(len(r.keys), " keys"))
}

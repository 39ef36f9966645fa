package wire

import (
	"encoding/binary"
	"errors"
)

// Specification constants: RFC 7822 section 3, the new text of RFC 5905 section
// 7.5, and for the lengths of MACs RFC 7822 section 1.
const (
	extensionHeaderLen = 4      // type and length
	minExtensionLen    = 16     // "the minimum field length containing required fields is four words (16 octets)"
	minLastExtension   = 28     // of the last field when no MAC follows: "at least 7 words"
	macCryptoNAKLen    = 4      // key id 0 and nothing else
	macMD5Len          = 20     // key id and 16 bytes: MD5, AES-CMAC (RFC 8573)
	macSHA1Len         = 24     // key id and 20 bytes: SHA-1
	maxExtensionLen    = 0xfffc // "cannot be longer than 65532 octets"
)

// ErrExtension says that an extension field's length is impossible.
var ErrExtension = errors.New("wire: malformed extension field")

// Extension is one extension field (RFC 7822 section 3, figure 14):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|          Field type           |   Length (of all of it)       |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	.                       Body, with padding                      .
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type Extension struct {
	Type   uint16
	Offset int    // of the field's first byte in the slice given to the iterator
	Length int    // of the whole field, as its header says
	Body   []byte // a view: Length-4 bytes including padding
}

// Extensions walks over extension fields without allocating. Make one with
// PacketExtensions or PlainExtensions and call Next until it reports false,
// then ask Err. It is a value: copying it copies the position.
type Extensions struct {
	data      []byte
	off       int
	minLength int
	mac       []byte
	bad       bool
}

// PacketExtensions returns an iterator over what follows the header of an NTP
// packet; offsets count from the start of the packet. Versions below 4 have no
// extension fields: there everything after the header is the MAC.
func PacketExtensions(pkt []byte) Extensions {
	if len(pkt) < HeaderLen {
		return Extensions{bad: true}
	}
	e := Extensions{data: pkt, off: HeaderLen, minLength: minExtensionLen}
	if pkt[0]>>3&7 < 4 {
		e.mac, e.off = pkt[HeaderLen:], len(pkt)
	}
	return e
}

// PlainExtensions returns an iterator over a bare sequence of extension fields,
// such as the decrypted part of an NTS packet.
// RFC 8915 §5.6: inside it the RFC 7822 minimum does not apply, fields are
// multiples of four and no MAC follows.
func PlainExtensions(data []byte) Extensions {
	return Extensions{data: data, minLength: extensionHeaderLen}
}

// Next returns the next extension field; ok is false at the end, at a MAC and
// at a malformed field.
func (e *Extensions) Next() (x Extension, ok bool) {
	rest := len(e.data) - e.off
	if e.bad || rest <= 0 {
		return Extension{}, false
	}
	// RFC 7822 §3 (7.5.1.4): a last field without MAC has at least 28 bytes,
	// so that what is shorter can be told from it: it is a MAC or nothing.
	if e.minLength == minExtensionLen && rest < minLastExtension {
		e.takeMAC(rest)
		return Extension{}, false
	}
	if rest < extensionHeaderLen {
		e.bad = true
		return Extension{}, false
	}
	typ := binary.BigEndian.Uint16(e.data[e.off:])
	length := int(binary.BigEndian.Uint16(e.data[e.off+2:]))
	if length < e.minLength || length%4 != 0 || length > rest {
		e.bad = true
		return Extension{}, false
	}
	x = Extension{
		Type: typ, Offset: e.off, Length: length,
		Body: e.data[e.off+extensionHeaderLen : e.off+length : e.off+length],
	}
	e.off += length
	return x, true
}

// takeMAC consumes the last n bytes of the packet as a MAC if n can be one.
func (e *Extensions) takeMAC(n int) {
	switch n {
	case macCryptoNAKLen, macMD5Len, macSHA1Len:
		e.mac, e.off = e.data[e.off:], len(e.data)
	default:
		e.bad = true
	}
}

// Err returns ErrExtension when Next stopped at something malformed.
func (e *Extensions) Err() error {
	if e.bad {
		return ErrExtension
	}
	return nil
}

// MAC returns the message authentication code that Next stopped at (key id and
// digest, a view), or nil.
func (e *Extensions) MAC() []byte { return e.mac }

// AppendExtension appends a field of type typ with body, zero-padded to a
// multiple of four and to the 16 bytes that RFC 7822 section 3 demands. It
// panics if body is longer than a field can be: a bug, since every body we
// send has a named bound.
func AppendExtension(dst []byte, typ uint16, body []byte) []byte {
	length := max(ExtensionLen(len(body)), minExtensionLen)
	dst = AppendExtensionHeader(dst, typ, length)
	dst = append(dst, body...)
	for n := length - extensionHeaderLen - len(body); n > 0; n-- {
		dst = append(dst, 0)
	}
	return dst
}

// AppendExtensionHeader appends only type and length, for callers that write
// the body in place. length is that of the whole field.
func AppendExtensionHeader(dst []byte, typ uint16, length int) []byte {
	if length < extensionHeaderLen || length > maxExtensionLen || length%4 != 0 {
		panic("wire: extension field length out of range")
	}
	dst = binary.BigEndian.AppendUint16(dst, typ)
	return binary.BigEndian.AppendUint16(dst, uint16(length))
}

// ExtensionLen returns the length of a field with n bytes of body, padding
// included, without regard to the 16-byte minimum.
func ExtensionLen(n int) int { return extensionHeaderLen + (n+3)&^3 }

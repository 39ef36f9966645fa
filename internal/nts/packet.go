package nts

import (
	"encoding/binary"
	"errors"

	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

// Extension field types (RFC 8915 section 7.5).
const (
	extUniqueID      = 0x0104
	extCookie        = 0x0204
	extPlaceholder   = 0x0304
	extAuthenticator = 0x0404
)

const (
	extHeaderLen  = 4
	authHeaderLen = 4 // nonce length and ciphertext length
	// minNonceSpace is what RFC 8915 §5.6 makes a client reserve for the
	// server's nonce: N_REQ = min(16, N_MAX).
	minNonceSpace = 16
	tagLen        = 16     // of every algorithm in siv
	maxField      = 0xfffc // the longest extension field
)

// What is wrong with a packet. Each means "drop it"; they are told apart for
// the counters.
var (
	ErrNotNTS    = errors.New("nts: packet without NTS fields")
	ErrPacket    = errors.New("nts: malformed packet")
	ErrUniqueID  = errors.New("nts: unique identifier does not match")
	ErrAuthentic = errors.New("nts: authentication failed")
)

// UniqueID ties a reply to its request. It comes from a cryptographic random
// generator, fresh for each request.
type UniqueID [UniqueIDLen]byte

// authenticator is the body of the NTS Authenticator and Encrypted Extension
// Fields extension field (RFC 8915 section 5.6, figure 4):
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|          Nonce Length         |      Ciphertext Length        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	.                Nonce, padded to a multiple of 4               .
//	.             Ciphertext, padded to a multiple of 4             .
//	.                      Additional Padding                       .
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// Its associated data is every byte of the packet before the field.
type authenticator struct {
	offset     int    // where the extension field starts in the packet
	nonce      []byte // views
	ciphertext []byte
	padding    int // bytes of Additional Padding
}

func padded(n int) int { return (n + 3) &^ 3 }

func parseAuthenticator(x wire.Extension) (a authenticator, ok bool) {
	b := x.Body
	if len(b) < authHeaderLen {
		return a, false
	}
	nonceLen := int(binary.BigEndian.Uint16(b))
	textLen := int(binary.BigEndian.Uint16(b[2:]))
	b = b[authHeaderLen:]
	if padded(nonceLen)+padded(textLen) > len(b) || nonceLen == 0 {
		return a, false
	}
	a.offset = x.Offset
	a.nonce = b[:nonceLen:nonceLen]
	b = b[padded(nonceLen):]
	a.ciphertext = b[:textLen:textLen]
	a.padding = len(b) - padded(textLen)
	return a, true
}

// appendAuthenticator appends the field: it seals plaintext under everything
// that stands in dst from start on. padding is Additional Padding. The
// plaintext may lie in dst's spare capacity where the ciphertext will go:
// siv seals in place.
func appendAuthenticator(dst []byte, start int, aead siv.AEAD, nonce, plaintext []byte, padding int) []byte {
	field := len(dst)
	length := authenticatorLen(len(nonce), len(plaintext)) + padding
	dst = wire.AppendExtensionHeader(dst, extAuthenticator, length)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(nonce)))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(plaintext)+tagLen))
	dst = append(dst, nonce...)
	dst = appendZeros(dst, padded(len(nonce))-len(nonce))
	dst = aead.Seal(dst, nonce, dst[start:field], plaintext)
	return appendZeros(dst, field+length-len(dst))
}

func appendZeros(dst []byte, n int) []byte {
	for ; n > 0; n-- {
		dst = append(dst, 0)
	}
	return dst
}

// authenticatorLen returns the length of the authenticator field for n bytes
// of plaintext, without Additional Padding.
func authenticatorLen(nonceLen, n int) int {
	return authPrefixLen(nonceLen) + padded(n+tagLen)
}

// authPrefixLen returns how far into the authenticator field the ciphertext
// starts.
func authPrefixLen(nonceLen int) int { return extHeaderLen + authHeaderLen + padded(nonceLen) }

package nts

import (
	"crypto/subtle"

	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

// Placeholders returns how many cookie placeholders a request should carry to
// get back to MaxCookies, when cookie is being spent and held others remain:
// RFC 8915 §5.7, but never so many that the packet passes MaxRequestLen.
// limit lowers the answer further where a network drops long packets; pass
// MaxCookies for none.
func Placeholders(held int, cookie []byte, limit int) int {
	field := PlaceholderLen(cookie)
	room := (MaxRequestLen - requestOverhead - field) / field
	return max(0, min(MaxCookies-1-held, room, limit))
}

// PlaceholderLen is the length of a placeholder for a cookie, in bytes.
func PlaceholderLen(cookie []byte) int { return extLen(len(cookie)) }

// requestOverhead is a request less its cookie and placeholder fields, for the
// algorithms with the longest nonce and tag.
const requestOverhead = wire.HeaderLen + extHeaderLen + UniqueIDLen +
	extHeaderLen + authHeaderLen + minNonceSpace + tagLen

// extLen returns the length of an extension field with n bytes of body, as
// wire.AppendExtension pads it.
func extLen(n int) int { return max(wire.ExtensionLen(n), 16) }

// AppendClientRequest appends a request to dst (which may hold other bytes
// before it): header, unique identifier, cookie, placeholders, authenticator.
// The nonce has aead.Algorithm().NonceSize() bytes and is never used twice with
// the same keys. A cookie that is no multiple of four is padded.
func AppendClientRequest(dst []byte, hdr wire.Header, uid UniqueID, cookie []byte,
	placeholders int, aead siv.AEAD, nonce []byte,
) []byte {
	start := len(dst)
	dst = hdr.Append(dst)
	dst = wire.AppendExtension(dst, extUniqueID, uid[:])
	dst = wire.AppendExtension(dst, extCookie, cookie)
	// RFC 8915 §5.5: a placeholder's body is as long as the cookie's.
	length := extLen(len(cookie))
	for range placeholders {
		dst = wire.AppendExtensionHeader(dst, extPlaceholder, length)
		dst = appendZeros(dst, length-extHeaderLen)
	}
	return appendAuthenticator(dst, start, aead, nonce, nil, noncePadding(aead.Algorithm(), len(nonce)))
}

// noncePadding returns how much Additional Padding RFC 8915 §5.6 demands of a
// client, so that the server has room for its nonce: N_REQ less the padded
// nonce.
func noncePadding(alg siv.Algorithm, nonceLen int) int {
	return max(0, nonceSpace(alg)-padded(nonceLen))
}

// nonceSpace returns N_REQ = min(16, N_MAX), RFC 8915 section 5.6.
func nonceSpace(alg siv.Algorithm) int {
	if alg == siv.AES128GCMSIV {
		return alg.NonceSize() // RFC 8452 §6: N_MAX is 12
	}
	return minNonceSpace
}

// Reply is what an authenticated reply says.
type Reply struct {
	Header  wire.Header
	Cookies [][]byte // copies, at most MaxCookies
}

// OpenResponse authenticates a reply to the request that carried uid. aead is
// the server-to-client key of that request's session. Nothing of the reply is
// believed before that, and nothing after the authenticator at all.
//
// Whether mode, origin and the rest make sense is for the caller to judge: an
// authenticated kiss-o'-death comes back like any other reply.
func OpenResponse(pkt []byte, uid *UniqueID, aead siv.AEAD) (Reply, error) {
	hdr, err := wire.ParseHeader(pkt)
	if err != nil {
		return Reply{}, ErrPacket
	}
	auth, err := findReply(pkt, uid)
	if err != nil {
		return Reply{}, err
	}
	// RFC 8915 §5.6: the associated data is the packet up to here, as it came.
	plain, err := aead.Open(nil, auth.nonce, pkt[:auth.offset], auth.ciphertext)
	if err != nil {
		return Reply{}, ErrAuthentic
	}
	rep := Reply{Header: hdr}
	inner := wire.PlainExtensions(plain)
	for x, ok := inner.Next(); ok; x, ok = inner.Next() {
		// RFC 8915 §5.7: cookies "MUST be encrypted when sent from server to
		// client"; those in clear do not count.
		if x.Type == extCookie && len(x.Body) > 0 && len(x.Body) <= MaxCookieLen &&
			len(rep.Cookies) < MaxCookies {
			rep.Cookies = append(rep.Cookies, append([]byte(nil), x.Body...))
		}
	}
	if inner.Err() != nil {
		return Reply{}, ErrPacket
	}
	return rep, nil
}

// findReply walks the fields up to the authenticator and checks the identifier.
func findReply(pkt []byte, uid *UniqueID) (auth authenticator, err error) {
	found, any := false, false
	exts := wire.PacketExtensions(pkt)
	for x, ok := exts.Next(); ok; x, ok = exts.Next() {
		switch x.Type {
		case extUniqueID:
			if subtle.ConstantTimeCompare(x.Body, uid[:]) != 1 {
				return auth, ErrUniqueID
			}
			found = true
		case extAuthenticator:
			if auth, ok = parseAuthenticator(x); !ok {
				return auth, ErrPacket
			}
			if !found {
				return auth, ErrUniqueID
			}
			return auth, nil
		}
		any = any || isNTS(x.Type)
	}
	switch {
	case exts.Err() != nil:
		return auth, ErrPacket
	case any:
		return auth, ErrAuthentic
	}
	return auth, ErrNotNTS
}

func isNTS(typ uint16) bool {
	return typ == extUniqueID || typ == extCookie || typ == extPlaceholder || typ == extAuthenticator
}

// UnauthenticatedKiss returns the kiss code of a reply that carries uid and no
// authenticator: a NAK (wire.KissNTSN), or a rate limit. Anybody who saw the
// request can forge one, so it is only a hint.
func UnauthenticatedKiss(pkt []byte, uid *UniqueID) (code wire.KissCode, ok bool) {
	hdr, err := wire.ParseHeader(pkt)
	if err != nil {
		return 0, false
	}
	if code, ok = hdr.KissCode(); !ok {
		return 0, false
	}
	matches := false
	exts := wire.PacketExtensions(pkt)
	for x, more := exts.Next(); more; x, more = exts.Next() {
		switch x.Type {
		case extUniqueID:
			matches = subtle.ConstantTimeCompare(x.Body, uid[:]) == 1
			if !matches {
				return 0, false
			}
		case extAuthenticator:
			return 0, false // OpenResponse is the judge of that one
		}
	}
	return code, matches && exts.Err() == nil
}

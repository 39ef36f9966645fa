package nts

import (
	"slices"

	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

// ServerRequest is a parsed, not yet authenticated request. Its slices are
// views into the packet. It is a value without pointers of its own, so keeping
// it on the stack costs nothing.
type ServerRequest struct {
	UniqueID     []byte // the body of the field, echoed as it is; may be longer than 32
	Cookie       []byte // with padding, if the client added any
	Placeholders int    // those as long as the cookie, at most MaxCookies-1

	packet []byte
	auth   authenticator
}

// ParseServerRequest finds the NTS fields of a client request. Their order
// before the authenticator does not matter (RFC 8915 fixes none). ErrNotNTS
// means a plain request; ErrPacket means drop it, and was found out without
// touching cryptography.
func ParseServerRequest(pkt []byte) (ServerRequest, error) {
	req := ServerRequest{packet: pkt}
	exts := wire.PacketExtensions(pkt)
	some := false
	for x, ok := exts.Next(); ok; x, ok = exts.Next() {
		some = some || x.Type == extCookie || x.Type == extAuthenticator
		switch x.Type {
		case extUniqueID:
			// RFC 8915 §5.3: one field, 32 octets at least.
			if req.UniqueID != nil || len(x.Body) < UniqueIDLen {
				return ServerRequest{}, ErrPacket
			}
			req.UniqueID = x.Body
		case extCookie:
			// RFC 8915 §5.7: "exactly one".
			if req.Cookie != nil {
				return ServerRequest{}, ErrPacket
			}
			req.Cookie = x.Body
		case extAuthenticator:
			req.auth, ok = parseAuthenticator(x)
			if !ok || req.UniqueID == nil || req.Cookie == nil {
				return ServerRequest{}, ErrPacket
			}
			// What follows is not authenticated and of no interest.
			req.countPlaceholders()
			return req, nil
		}
	}
	// A bare identifier makes no NTS request: it is answered like any unknown
	// field, by not answering it.
	if some || exts.Err() != nil {
		return ServerRequest{}, ErrPacket
	}
	return ServerRequest{}, ErrNotNTS
}

// countPlaceholders counts the placeholders before the authenticator that are
// as long as the cookie. RFC 8915 §5.5: others earn nothing.
func (r *ServerRequest) countPlaceholders() {
	exts := wire.PacketExtensions(r.packet[:r.auth.offset])
	for x, ok := exts.Next(); ok; x, ok = exts.Next() {
		if x.Type == extPlaceholder && len(x.Body) == len(r.Cookie) && r.Placeholders < MaxCookies-1 {
			r.Placeholders++
		}
	}
}

// Verify authenticates the request with the client-to-server key of its
// cookie. scratch is where the decrypted fields go (none that we know of mean
// anything to a server); give it capacity to avoid an allocation.
func (r *ServerRequest) Verify(aead siv.AEAD, scratch []byte) error {
	// RFC 8915 §5.6: "Servers MUST enforce this requirement by discarding".
	if padded(len(r.auth.nonce))+r.auth.padding < nonceSpace(aead.Algorithm()) {
		return ErrPacket
	}
	_, err := aead.Open(scratch[:0], r.auth.nonce, r.packet[:r.auth.offset], r.auth.ciphertext)
	if err != nil {
		return ErrAuthentic
	}
	return nil
}

// MaxNewCookies returns how many cookies of a length the reply may carry:
// RFC 8915 §5.7: one for the cookie, one for each placeholder.
func (r *ServerRequest) MaxNewCookies() int { return 1 + r.Placeholders }

// AppendServerResponse appends the authenticated reply to dst. cookies is the
// concatenation of cookies from Keyring.Seal for the same algorithm, maybe
// none; as many are sent as the request allows and leaves room for. The reply
// is padded to the length of the request, and never longer. It allocates
// nothing if dst has room for that length.
func AppendServerResponse(dst []byte, hdr wire.Header, req *ServerRequest, cookies []byte,
	aead siv.AEAD, nonce []byte,
) []byte {
	start := len(dst)
	dst = hdr.Append(dst)
	dst = wire.AppendExtension(dst, extUniqueID, req.UniqueID)
	room := min(len(req.packet)-(len(dst)-start), maxField)

	// The cookies are written where their ciphertext will stand.
	prefix := authPrefixLen(len(nonce))
	dst = slices.Grow(dst, max(room, prefix+tagLen))
	plain := dst[len(dst)+prefix : len(dst)+prefix]
	length := CookieLen(aead.Algorithm())
	for range req.MaxNewCookies() {
		if len(cookies) < length || authenticatorLen(len(nonce), len(plain)+extLen(length)) > room {
			break
		}
		plain = wire.AppendExtension(plain, extCookie, cookies[:length])
		cookies = cookies[length:]
	}
	padding := max(0, room-authenticatorLen(len(nonce), len(plain))) &^ 3
	return appendAuthenticator(dst, start, aead, nonce, plain, padding)
}

// AppendKiss appends an unauthenticated kiss-o'-death with the request's
// identifier: shorter than any NTS request. With wire.KissNTSN it is the NAK of
// RFC 8915 section 5.7, for a cookie that does not open or a request that does
// not verify. hdr supplies the timestamps; stratum and reference are set here.
func AppendKiss(dst []byte, hdr wire.Header, req *ServerRequest, code wire.KissCode) []byte {
	hdr.Leap = wire.LeapUnknown
	hdr.Stratum = 0
	hdr.ReferenceID = code.ReferenceID()
	dst = hdr.Append(dst)
	return wire.AppendExtension(dst, extUniqueID, req.UniqueID)
}

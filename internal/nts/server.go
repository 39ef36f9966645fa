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
// means a plain request, of which UniqueID is all that is set, if it has one;
// ErrPacket means drop it, and was found out without touching cryptography.
func ParseServerRequest(pkt []byte) (ServerRequest, error) {
	req := ServerRequest{packet: pkt}
	exts := wire.PacketExtensions(pkt)
	some := false
	for x, ok := exts.Next(); ok; x, ok = exts.Next() {
		some = some || x.Type == extCookie || x.Type == extAuthenticator
		switch x.Type {
		case extUniqueID:
			// RFC 8915 §5.3: "at least 32 octets long"; §5.7: "Exactly one".
			if req.UniqueID != nil || len(x.Body) < UniqueIDLen {
				return ServerRequest{}, ErrPacket
			}
			req.UniqueID = x.Body
		case extCookie:
			// RFC 8915 §5.7: "Exactly one".
			if req.Cookie != nil {
				return ServerRequest{}, ErrPacket
			}
			req.Cookie = x.Body
		case extAuthenticator:
			req.auth, ok = parseAuthenticator(x)
			if !ok || req.UniqueID == nil || req.Cookie == nil {
				return ServerRequest{}, ErrPacket
			}
			// RFC 8915 §5.7: "The server MUST discard any unauthenticated extension
			// fields", which are those that follow.
			req.countPlaceholders(wire.PacketExtensions(pkt[:req.auth.offset]))
			return req, nil
		}
	}
	if some || exts.Err() != nil {
		return ServerRequest{}, ErrPacket
	}
	// RFC 8915 §5.3: the identifier "MAY also be used standalone, without NTS".
	return ServerRequest{UniqueID: req.UniqueID}, ErrNotNTS
}

// countPlaceholders counts the placeholders among exts that are as long as the
// cookie. RFC 8915 §5.5: "MUST be the same as the body length of the NTS Cookie
// extension field"; others earn nothing.
func (r *ServerRequest) countPlaceholders(exts wire.Extensions) (ok bool) {
	for x, ok := exts.Next(); ok; x, ok = exts.Next() {
		if x.Type == extPlaceholder && len(x.Body) == len(r.Cookie) && r.Placeholders < MaxCookies-1 {
			r.Placeholders++
		}
	}
	return exts.Err() == nil
}

// Verify authenticates the request with the client-to-server key of its
// cookie, and adds the placeholders that it finds encrypted. Call it once.
// scratch is where the decrypted fields go; give it capacity to avoid an
// allocation.
func (r *ServerRequest) Verify(aead siv.AEAD, scratch []byte) error {
	// RFC 8915 §5.6: "Servers MUST enforce this requirement by discarding".
	if padded(len(r.auth.nonce))+r.auth.padding < nonceSpace(aead.Algorithm()) {
		return ErrPacket
	}
	plain, err := aead.Open(scratch[:0], r.auth.nonce, r.packet[:r.auth.offset], r.auth.ciphertext)
	if err != nil {
		return ErrAuthentic
	}
	// RFC 8915 §5.7: placeholders "MUST be authenticated and MAY be encrypted".
	if !r.countPlaceholders(wire.PlainExtensions(plain)) {
		return ErrPacket
	}
	return nil
}

// MaxNewCookies returns how many cookies the reply may carry. RFC 8915 §5.7:
// their number "SHOULD be equal to, and MUST NOT exceed, one plus the number of
// valid NTS Cookie Placeholder extension fields". It is known after Verify.
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

// AppendPlainResponse appends an unauthenticated reply to a request of which
// ParseServerRequest said ErrNotNTS, with its identifier if it had one. RFC 8915
// §5.3: all replies of an NTS server "MUST also contain this field with the same
// content as in the client's request". It is no longer than the request.
func AppendPlainResponse(dst []byte, hdr wire.Header, req *ServerRequest) []byte {
	dst = hdr.Append(dst)
	if req.UniqueID == nil {
		return dst
	}
	return wire.AppendExtension(dst, extUniqueID, req.UniqueID)
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

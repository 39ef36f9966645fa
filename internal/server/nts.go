package server

import (
	"errors"
	"io"

	"ntsd/internal/nts"
	"ntsd/internal/wire"
)

// Implementation constants.
const (
	maxNonce  = 16  // siv.Algorithm.NonceSize at its largest
	maxCookie = 160 // nts.CookieLen at its largest: AEAD 17
)

// scratch is the memory that NTS replies are built in. It belongs to the
// Server so that a reply need not allocate it.
type scratch struct {
	keys    nts.Keys
	random  [maxNonce + nts.MaxCookies*nts.CookieNonceLen]byte
	cookies [nts.MaxCookies * maxCookie]byte
	opened  [nts.MaxRequestLen]byte // decrypted fields of the request
}

// replyNTS answers a request with NTS fields.
func (s *Server) replyNTS(dst []byte, req *nts.ServerRequest, a *answer) ([]byte, Verdict) {
	if s.cfg.Cookies == nil {
		return dst, DropNTS
	}
	keys := &s.nts.keys
	// RFC 8915 §5.7: "If the server is unable to validate the cookie or
	// authenticate the request, it SHOULD respond with a Kiss-o'-Death (KoD)
	// packet ... with kiss code NTSN".
	err := s.cfg.Cookies.Open(req.Cookie, keys)
	s.cookies.opened(keys, err)
	if err != nil {
		return nts.AppendKiss(dst, a.out, req, wire.KissNTSN), NAK
	}
	c2s, s2c, err := s.schedules.of(keys)
	if err != nil {
		return nts.AppendKiss(dst, a.out, req, wire.KissNTSN), NAK
	}
	switch err := req.Verify(c2s, s.nts.opened[:0]); {
	case errors.Is(err, nts.ErrAuthentic):
		return nts.AppendKiss(dst, a.out, req, wire.KissNTSN), NAK
	case err != nil:
		return dst, DropFormat
	}
	nonce, cookies, ok := s.newCookies(req.MaxNewCookies())
	if !ok {
		return dst, DropRandom
	}
	v := AnsweredNTS
	if s.complete(a) == AnsweredInterleaved {
		v = AnsweredNTSInterleaved
	}
	if a.client != nil {
		a.client.flags |= byNTS | proven
	}
	return nts.AppendServerResponse(dst, a.out, req, cookies, s2c, nonce), v
}

// newCookies returns a nonce and n new cookies, one behind the other. One read
// of randomness serves them all.
func (s *Server) newCookies(n int) (nonce, cookies []byte, ok bool) {
	keys := &s.nts.keys
	nonceLen := keys.Algorithm.NonceSize()
	random := s.nts.random[:nonceLen+n*nts.CookieNonceLen]
	if _, err := io.ReadFull(s.cfg.Rand, random); err != nil {
		return nil, nil, false
	}
	nonce, random = random[:nonceLen:nonceLen], random[nonceLen:]
	cookies = s.nts.cookies[:0]
	for ; len(random) > 0; random = random[nts.CookieNonceLen:] {
		cookies = s.cfg.Cookies.Seal(cookies, keys.Algorithm, keys.C2S(), keys.S2C(),
			[nts.CookieNonceLen]byte(random))
		s.cookies.Made++
	}
	return nonce, cookies, true
}

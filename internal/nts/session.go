package nts

import (
	"net/netip"
	"slices"

	"ntsd/internal/clock"
	"ntsd/internal/siv"
)

// Session is what a key establishment yields and what a saved session keeps.
// Cookies and keys belong together and to this one server: the one that "will
// accept the supplied cookies" (RFC 8915 §4.1.7), not another of the same name.
//
// It is a value; the slices in it are never written after they were made
// (Cookies is only re-sliced), so copies may share them.
type Session struct {
	KEName string     // the configured name that was verified
	KEAddr netip.Addr // the address the key establishment ran with
	KEPort uint16

	// NTPAddr is where to send NTP packets. A key establishment that named no
	// server means KEAddr; one that named a host fills it in once resolved.
	NTPAddr netip.AddrPort

	AEAD     siv.Algorithm
	C2S, S2C []byte // the keys of requests and of replies
	// AltC2S and AltS2C are the second pair of ExporterIDs, nil when there is
	// none or when it has been settled.
	AltC2S, AltS2C []byte

	Cookies [][]byte // unused, next one first; at most MaxCookies

	Established clock.Wall // as the clock was then; for people and for expiry
	// NotBefore and NotAfter is the validity that all certificates of the
	// chain share: a time outside it cannot come from this server.
	NotBefore, NotAfter clock.Wall
	// Strict says that the dates were verified at a time known to be right.
	Strict bool
}

// TakeCookie removes the next cookie. RFC 8915 §5.7: "the client SHOULD avoid
// reusing a cookie", so it is gone even if sending fails.
func (s *Session) TakeCookie() (cookie []byte, ok bool) {
	if len(s.Cookies) == 0 {
		return nil, false
	}
	cookie = s.Cookies[0]
	s.Cookies = s.Cookies[1:]
	return cookie, true
}

// AddCookies appends fresh cookies as far as there is room and drops the rest.
func (s *Session) AddCookies(cookies [][]byte) {
	room := max(0, MaxCookies-len(s.Cookies))
	// Clone first: after TakeCookie the spare capacity may belong to a copy.
	s.Cookies = append(slices.Clone(s.Cookies), cookies[:min(room, len(cookies))]...)
}

// UseAlternateKeys switches to the second pair of keys, keeping the cookies,
// and reports whether there was one. Call it on the first NAK of a session that
// never had a good reply.
func (s *Session) UseAlternateKeys() bool {
	if s.AltC2S == nil || s.AltS2C == nil {
		return false
	}
	s.C2S, s.S2C = s.AltC2S, s.AltS2C
	s.SettleKeys()
	return true
}

// SettleKeys forgets the second pair: a good reply proved the first.
func (s *Session) SettleKeys() { s.AltC2S, s.AltS2C = nil, nil }

package server

import "ntsd/internal/mac"

// replyMAC answers a request that m, a view of its end, authenticates, with a
// MAC of the same length under the same key. Extension fields of unknown types
// before it are ignored, as RFC 7822 section 3 wants it. v is the verdict of
// such an answer.
//
// What does not verify is dropped, as by chrony and ntpsec: RFC 5905 section 9.2
// would have it answered by a crypto-NAK, which nobody could believe. Nor does a
// plain reply make sense: a client that sends a MAC demands one.
func (s *Server) replyMAC(dst, m []byte, a *answer, v Verdict) ([]byte, Verdict) {
	key := s.cfg.Keys.Find(mac.ID(m))
	switch {
	case key == nil:
		return dst, DropKey
	case !key.Verify(a.req.Data, m):
		return dst, DropMAC
	}
	if v == AnsweredMAC && s.complete(a) == AnsweredInterleaved {
		v = AnsweredMACInterleaved
	}
	begin := len(dst)
	dst = a.out.Append(dst)
	return append(dst[:begin], key.AppendLike(dst[begin:], len(m))...), v
}

package server

import (
	"net/netip"

	"ntsd/internal/wire"
)

// control returns Control for a question of mode 6 that may be answered, or else
// v. It is asked only where a request would be dropped, so it costs those that
// ask for the time nothing.
//
// Both ends must be loopback addresses: what is asked has no length in common
// with the answer, and an answer that leaves the machine could be made to reach
// somebody who never asked. This one stays here, whoever forged the question.
func (s *Server) control(req *Request, v Verdict) Verdict {
	if !s.cfg.Policy.Control || len(req.Data) == 0 || wire.Mode(req.Data[0]&7) != wire.ModeControl ||
		!loopback(req.From.Addr()) || !loopback(req.Local) {
		return v
	}
	return Control
}

func loopback(a netip.Addr) bool { return a.Unmap().IsLoopback() }

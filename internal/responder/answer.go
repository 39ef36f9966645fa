package responder

import (
	"context"
	"net/netip"

	"ntsd/internal/control"
)

// Answering answers what is asked about the NTP server, and leaves the rest to
// next.
func (r *Responder) Answering(next control.Handler) control.Handler {
	return func(ctx context.Context, req control.Request) control.Response {
		switch req.Cmd {
		case control.CmdServerStats:
			return control.Reply(r.ServerStats())
		case control.CmdClients:
			return control.Reply(r.Clients())
		case control.CmdAccheck:
			return r.accheck(req.Args)
		}
		return next(ctx, req)
	}
}

func (r *Responder) accheck(args []string) control.Response {
	if len(args) != 1 {
		return control.Fail(control.CodeArguments, "accheck takes one address")
	}
	addr, err := netip.ParseAddr(args[0])
	if err != nil {
		return control.Fail(control.CodeArguments, args[0]+" is not an address")
	}
	return control.Reply(r.CheckAccess(addr))
}

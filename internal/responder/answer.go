package responder

import (
	"context"
	"net/netip"
	"strconv"

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
			return r.clients(req.Args)
		case control.CmdNTSKeys:
			return control.Reply(r.NTSKeys())
		case control.CmdAccheck:
			return r.accheck(req.Args)
		}
		return next(ctx, req)
	}
}

// clients answers [LEAST [reset]].
func (r *Responder) clients(args []string) control.Response {
	least := uint64(0)
	var err error
	if len(args) > 0 {
		least, err = strconv.ParseUint(args[0], 10, 32)
	}
	reset := len(args) == 2 && args[1] == control.ResetClients
	if err != nil || len(args) > 1 && !reset {
		return control.Fail(control.CodeArguments, "clients takes a number of requests, and then 'reset'")
	}
	return control.Reply(r.Clients(uint32(least), reset))
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

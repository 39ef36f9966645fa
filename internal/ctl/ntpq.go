package ctl

import (
	"context"

	"ntsd/internal/control"
	"ntsd/internal/ntpq"
	"ntsd/internal/status"
)

// inNtpqsWords lists the commands that show what NTPsec's ntpq shows.
func inNtpqsWords() []Command {
	return []Command{
		{"peers", "", "the servers, as ntpq -p lists them", "Milliseconds; a positive offset means that our clock is slow. Column t is the\nnumber of cookies held where NTS is used, as in NTPsec, and u where it is not.", "ntsctl -n peers", 0, 0, (*invocation).peers},
		{"nts", "", "counters of NTS, as ntpq -c nts lists them", "As a client and as a server, since the daemon started.", "ntsctl nts", 0, 0, (*invocation).nts},
	}
}

// peers prints ntpq's list.
func (c *invocation) peers([]string) error {
	r, err := c.client.Report(context.Background())
	if err != nil {
		return err
	}
	return show(c, ntpq.Peers(&r), ntpq.Render)
}

// nts prints the counters of the client, which the daemon knows, and of the
// server beside it.
func (c *invocation) nts([]string) error {
	r, err := c.client.Report(context.Background())
	if err != nil {
		return err
	}
	server, err := ask[status.ServerStats](context.Background(), c, control.CmdServerStats)
	if err != nil {
		return err
	}
	return show(c, ntpq.NTSOf(r.NTS, &server), ntpq.RenderNTS)
}

package ctl

import (
	"context"
	"encoding/json"

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
	peers := ntpq.Peers(&r)
	if c.opts.json {
		err = status.WriteJSON(c.stdout, peers)
	} else {
		err = ntpq.Render(c.stdout, peers, c.opts.table)
	}
	if err != nil {
		return writeFailure(err)
	}
	return nil
}

// nts prints the counters of the client, which the daemon knows, and of the
// server beside it.
func (c *invocation) nts([]string) error {
	r, err := c.client.Report(context.Background())
	if err != nil {
		return err
	}
	resp, err := c.client.do(context.Background(), control.CmdServerStats)
	if err != nil {
		return err
	}
	var server status.ServerStats
	if err := json.Unmarshal(resp.Body, &server); err != nil {
		return failf(ExitFailed, "nts: the daemon's answer is not understood: restart ntsd if it was upgraded (%v)", err)
	}
	counters := ntpq.NTSOf(r.NTS, &server)
	if c.opts.json {
		err = status.WriteJSON(c.stdout, counters)
	} else {
		err = ntpq.RenderNTS(c.stdout, counters, c.opts.table)
	}
	if err != nil {
		return writeFailure(err)
	}
	return nil
}

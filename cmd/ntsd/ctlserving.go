package main

import (
	"context"
	"encoding/json"
	"net/netip"

	"ntsd/internal/control"
	"ntsd/internal/status"
)

// ctlServing lists the commands about the NTP server.
func ctlServing() []ctlCommand {
	return []ctlCommand{
		{"serverstats", "[-v]", "the NTP server: requests, replies, timestamps", "-v adds the ports that are served and what became of the requests.", "ntsctl serverstats -v", 0, 0, (*ctl).serverstats},
		{"clients", "[-v]", "who asks the NTP server, how often, since when", "-v adds who uses NTS, interleaved mode, and who asks too often.", "ntsctl clients", 0, 0, (*ctl).clients},
		{"accheck", "CLIENT", "whether the NTP server answers an address", "-v adds which subnet decides.", "ntsctl accheck 192.168.1.20", 1, 1, (*ctl).accheck},
	}
}

// fetch asks the daemon and reads the body of its answer into v.
func (c *ctl) fetch(v any, cmd string, args ...string) error {
	resp, err := c.client.do(context.Background(), cmd, args...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(resp.Body, v); err != nil {
		return ctlFailure(exitFailed, "%s: the daemon's answer is not understood: restart ntsd if it was upgraded (%v)", cmd, err)
	}
	return nil
}

// show writes v as JSON where that is wanted, else calls render.
func (c *ctl) show(v any, render func() error) error {
	if c.opts.json {
		render = func() error { return status.WriteJSON(c.stdout, v) }
	}
	if err := render(); err != nil {
		return writeFailure(err)
	}
	return nil
}

func (c *ctl) serverstats([]string) error {
	var s status.ServerStats
	if err := c.fetch(&s, control.CmdServerStats); err != nil {
		return err
	}
	return c.show(s, func() error { return status.RenderServerStats(c.stdout, s, c.opts.table) })
}

func (c *ctl) clients([]string) error {
	clients := []status.Client{}
	if err := c.fetch(&clients, control.CmdClients); err != nil {
		return err
	}
	return c.show(clients, func() error { return status.RenderClients(c.stdout, clients, c.opts.table) })
}

func (c *ctl) accheck(words []string) error {
	addr, err := netip.ParseAddr(words[1])
	if err != nil {
		return ctlFailure(exitUsage, "accheck: %q is not an address, as in ntsctl accheck 192.168.1.20", words[1])
	}
	var a status.Access
	if err := c.fetch(&a, control.CmdAccheck, addr.Unmap().String()); err != nil {
		return err
	}
	return c.show(a, func() error { return status.RenderAccess(c.stdout, a, c.opts.table) })
}

package ctl

import (
	"context"
	"errors"
	"os"
	"time"

	"ntsd/internal/control"
	"ntsd/internal/probe"
	"ntsd/internal/rpcd"
	"ntsd/internal/wording"
)

// rpcd carries out what LuCI's exec plugin is called for.
func (c *invocation) rpcd(words []string) error {
	p := &rpcd.Plugin{
		Ask: func(ctx context.Context, req control.Request) (control.Response, error) {
			resp, err := c.client.do(ctx, req.Cmd, req.Args...)
			if errors.Is(err, control.ErrNotRunning) {
				// A page has its own words for what to do then.
				err = &failure{ExitUnreachable, "nothing answers on " + c.client.Path, err}
			}
			return resp, err
		},
		ReadFile: os.ReadFile,
	}
	if c.probe != nil {
		p.Test = c.testAlone
	}
	var err error
	switch {
	case words[1] == "list" && len(words) == 2:
		err = p.List(c.stdout)
	case words[1] == "call" && len(words) == 3:
		err = p.Call(context.Background(), words[2], c.stdin, c.stdout)
	default:
		return failf(ExitUsage, "rpcd: neither list nor call and a method; usage: ntsctl rpcd list | call METHOD")
	}
	if err != nil {
		return writeFailure(err)
	}
	return nil
}

// rpcdPatience bounds a test without a daemon: rpcd waits for 30 s.
const rpcdPatience = 20 * time.Second

// testAlone tests a server to the end, without a daemon.
func (c *invocation) testAlone(ctx context.Context, server string) (any, error) {
	target, err := probe.ParseTarget(server)
	if err != nil {
		return nil, failf(ExitUsage, "%s", wording.Of(err))
	}
	ctx, cancel := context.WithTimeout(ctx, rpcdPatience)
	defer cancel()
	return c.probe(ctx, target, func(probe.Result) {}), nil
}

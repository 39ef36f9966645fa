package ctl

import (
	"context"
	"os"

	"ntsd/internal/control"
	"ntsd/internal/rpcd"
)

// rpcd carries out what LuCI's exec plugin is called for.
func (c *invocation) rpcd(words []string) error {
	p := &rpcd.Plugin{
		Ask: func(ctx context.Context, req control.Request) (control.Response, error) {
			return c.client.do(ctx, req.Cmd, req.Args...)
		},
		ReadFile: os.ReadFile,
	}
	var err error
	switch {
	case words[1] == "list" && len(words) == 2:
		err = p.List(c.stdout)
	case words[1] == "call" && len(words) == 3:
		err = p.Call(context.Background(), words[2], c.stdin, c.stdout)
	default:
		return failf(ExitUsage, "rpcd: usage: ntsctl rpcd list | call METHOD")
	}
	if err != nil {
		return writeFailure(err)
	}
	return nil
}

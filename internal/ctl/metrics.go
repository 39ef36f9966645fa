package ctl

import (
	"context"
	"errors"

	"ntsd/internal/control"
	"ntsd/internal/metrics"
	"ntsd/internal/status"
)

// metrics prints all numbers for Prometheus.
func (c *invocation) metrics(words []string) error {
	format := metrics.OpenMetrics
	switch {
	case c.opts.json || c.opts.table.CSV:
		return failf(ExitUsage, "metrics has a format of its own; ntsctl report and ntsctl --json serverstats have the numbers as JSON")
	case len(words) > 1 && words[1] != "textfile":
		return failf(ExitUsage, "metrics: %q is not textfile; see ntsctl help metrics", words[1])
	case len(words) > 1:
		format = metrics.Text
	}
	r, err := c.client.Report(context.Background())
	if err != nil {
		return err
	}
	in := metrics.Input{Report: r}
	if in.Server, err = optional[status.ServerStats](c, control.CmdServerStats); err != nil {
		return err
	}
	if in.Keys, err = optional[status.NTSKeys](c, control.CmdNTSKeys); err != nil {
		return err
	}
	return c.print(string(metrics.Append(nil, in, format)))
}

// optional asks for what a daemon may not have; then it is nil.
func optional[T any](c *invocation, cmd string) (*T, error) {
	resp, err := c.client.do(context.Background(), cmd)
	var f *failure
	switch {
	case errors.As(err, &f) && f.status == ExitFailed:
		return nil, nil
	case err != nil:
		return nil, err
	}
	answer, err := decode[T](cmd, resp)
	if err != nil {
		return nil, err
	}
	return &answer, nil
}

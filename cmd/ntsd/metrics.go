package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"time"

	"ntsd/internal/config"
	"ntsd/internal/control"
	"ntsd/internal/daemon"
	"ntsd/internal/metrics"
	"ntsd/internal/status"
	"ntsd/internal/store"
)

// metricsInterval is how often the file of metrics is written: as often as
// Prometheus usually asks.
const metricsInterval = 15 * time.Second

// metricsFile writes the file of option metrics.
type metricsFile struct {
	d      *daemon.Daemon // set by Run, like answer
	answer control.Handler
	log    *slog.Logger
	again  chan struct{} // a new configuration is in force; holds one word
	path   string        // written last; empty: none
	told   string        // the failure that was logged last
	text   []byte        // the file's, kept for its room
}

func newMetricsFile(log *slog.Logger) *metricsFile {
	return &metricsFile{log: log, again: make(chan struct{}, 1)}
}

// nudge says that the configuration may have changed. It never waits.
func (m *metricsFile) nudge() {
	select {
	case m.again <- struct{}{}:
	default:
	}
}

// Run writes the file until ctx ends, and removes it: numbers of a daemon that
// does not run any more would be taken for true.
func (m *metricsFile) Run(ctx context.Context, d *daemon.Daemon, answer control.Handler) {
	m.d, m.answer = d, answer
	ticker := time.NewTicker(metricsInterval)
	defer ticker.Stop()
	for ctx.Err() == nil {
		_, cfg, err := m.d.InForce(ctx)
		if err != nil {
			break
		}
		m.write(ctx, &cfg.Monitor)
		due := ticker.C
		if m.path == "" {
			due = nil // nothing to wake up for
		}
		select {
		case <-due:
		case <-m.again:
		case <-ctx.Done():
		}
	}
	m.remove()
}

// write brings the file up to date. A failure is logged once until it changes.
func (m *metricsFile) write(ctx context.Context, c *config.Monitor) {
	if c.Metrics != m.path {
		m.remove()
		m.path = c.Metrics
	}
	if m.path == "" {
		return
	}
	r, err := m.d.Report(ctx)
	if err != nil {
		return // it ends
	}
	in := metrics.Input{Report: r, Server: asked[status.ServerStats](ctx, m.answer, control.CmdServerStats), Keys: asked[status.NTSKeys](ctx, m.answer, control.CmdNTSKeys)}
	m.text = metrics.Append(m.text[:0], in, metrics.Text)
	err = store.WriteAtomic(m.path, 0o644, m.text)
	reason := ""
	if err != nil {
		reason = err.Error()
	}
	if reason != m.told && reason != "" {
		m.log.Warn("no file of metrics", "reason", reason)
	}
	m.told = reason
}

func (m *metricsFile) remove() {
	if m.path == "" {
		return
	}
	if err := store.Remove(m.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.log.Warn("old file of metrics not removed", "reason", err)
	}
	m.path = ""
}

// asked is the daemon's answer to a command, or nil.
func asked[T any](ctx context.Context, answer control.Handler, cmd string) *T {
	resp := answer(ctx, control.Request{Cmd: cmd})
	v := new(T)
	if !resp.OK || json.Unmarshal(resp.Body, v) != nil {
		return nil
	}
	return v
}

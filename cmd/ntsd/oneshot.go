package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/config"
	"ntsd/internal/daemon"
	"ntsd/internal/event"
	"ntsd/internal/wording"
)

// oneShotTimeout is how long a query without -t may take: chronyd's default.
const oneShotTimeout = 10 * time.Second

// oneShot measures the clock's error once (-Q), or corrects it once (-q).
func oneShot(o options, stdout, stderr io.Writer) int {
	const ask = "what to ask? for example: ntsd -Q -t 3 'server time.cloudflare.com iburst nts'"
	if len(o.directives) == 0 {
		return fail(stderr, exitUsage, ask)
	}
	cfg, diagnostics := o.parseDirectives()
	for _, d := range diagnostics {
		fmt.Fprintf(stderr, "ntsd: %s: %s\n", d.Severity, d)
	}
	switch {
	case config.HasErrors(diagnostics):
		return exitUsage
	case !cfg.Usable():
		return fail(stderr, exitUsage, ask)
	}
	if err := changeUser(&o, cfg, false); err != nil {
		return fail(stderr, statusOf(err), "%v", err)
	}
	say := func(format string, args ...any) {
		fmt.Fprintf(stderr, "%s "+format+"\n", append([]any{time.Now().UTC().Format(time.RFC3339)}, args...)...)
	}
	say("%s", banner())
	quiet := slog.New(slog.DiscardHandler)
	clk, err := openClock(o.queryOnce, quiet)
	if err != nil {
		return fail(stderr, exitFailed, "%v", err)
	}
	if o.queryOnce {
		say("Disabled control of system clock")
	}
	exit, trouble := query(o, cfg, clk)
	if exit == nil {
		say("No answer: %s", trouble)
		return exitFailed
	}
	verdict := "ignored"
	if o.setOnce {
		if err := clk.Step(exit.Offset); err != nil {
			return fail(stderr, exitFailed, "%v; run as root", err)
		}
		verdict = "step"
	}
	fmt.Fprintf(stdout, "System clock wrong by %.6f seconds (%s)\n", exit.Offset.Seconds(), verdict)
	return exitDone
}

// query runs a daemon until it knows the offset. Without an answer, it returns
// what went wrong.
func query(o options, cfg *config.Config, clk steered) (*event.Exit, string) {
	level := slog.LevelWarn
	if o.debug {
		level = slog.LevelDebug
	}
	trouble := &reasons{level: level}
	timeout := o.timeout
	if timeout == 0 {
		timeout = oneShotTimeout
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	parts := outside(cfg, clk, slog.New(trouble))
	parts.Clock, parts.Store, parts.OneShot = untouched{kept{clk, false}}, nothing{}, true
	d := daemon.New(parts)
	exit, err := d.Run(ctx)
	trouble.add(d.Troubles())
	switch {
	case exit != nil:
		return exit, ""
	case errors.Is(err, context.DeadlineExceeded):
		return nil, trouble.text(fmt.Sprintf("no reply within %v", timeout))
	}
	return nil, trouble.text(wording.Of(err))
}

// untouched keeps a one-shot query from steering: it only measures, and the
// caller steps.
type untouched struct{ daemon.Clock }

func (untouched) SetRate(r clock.Rate) (clock.Rate, error) { return r, nil }
func (untouched) Step(clock.Offset) error                  { return nil }
func (untouched) SetStatus(event.SetStatus) error          { return nil }

// maxReasons bounds what a failed query repeats.
const maxReasons = 8

// reasons collects the warnings of a query: together they say why it failed.
type reasons struct {
	level slog.Level
	mu    sync.Mutex
	lines []string
}

// Enabled reports whether the level is worth keeping.
func (r *reasons) Enabled(_ context.Context, l slog.Level) bool { return l >= r.level }

// Handle keeps one warning as "message: source: reason".
func (r *reasons) Handle(_ context.Context, rec slog.Record) error {
	line := rec.Message
	rec.Attrs(func(a slog.Attr) bool {
		if a.Key == "source" || a.Key == "reason" {
			line += ": " + wording.Plain(a.Value.String())
		}
		return true
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.lines) < maxReasons {
		r.lines = append(r.lines, line)
	}
	return nil
}

// add keeps what is wrong with sources and no warning has told.
func (r *reasons) add(troubles []daemon.Trouble) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range troubles {
		told := slices.ContainsFunc(r.lines, func(l string) bool { return strings.HasSuffix(l, ": "+t.Reason) })
		if !told && len(r.lines) < maxReasons {
			r.lines = append(r.lines, t.Source+": "+t.Reason)
		}
	}
}

// WithAttrs returns r: the daemon adds none.
func (r *reasons) WithAttrs([]slog.Attr) slog.Handler { return r }

// WithGroup returns r: the daemon opens none.
func (r *reasons) WithGroup(string) slog.Handler { return r }

func (r *reasons) text(last string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(append(r.lines, last), "; ")
}

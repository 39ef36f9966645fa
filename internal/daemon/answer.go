package daemon

import (
	"context"
	"errors"
	"os"

	"ntsd/internal/advice"
	"ntsd/internal/clock"
	"ntsd/internal/control"
	"ntsd/internal/engine"
	"ntsd/internal/event"
	"ntsd/internal/snapshot"
	"ntsd/internal/status"
)

// Answer carries out one request of the control socket.
func (d *Daemon) Answer(ctx context.Context, req control.Request) control.Response {
	switch req.Cmd {
	case control.CmdReport:
		report, err := d.Report(ctx)
		if err != nil {
			return control.Fail(control.CodeFailed, err.Error())
		}
		return control.Reply(report)
	case control.CmdHistory:
		return d.history(ctx, req.Args)
	case control.CmdReload:
		return d.reload(ctx, req.Args)
	case control.CmdDump:
		return answerTo(d.Dump(ctx))
	case control.CmdAdd, control.CmdDelete:
		return d.change(ctx, req)
	case control.CmdOnOffline:
		if len(req.Args) > 1 {
			return control.Fail(control.CodeArguments, "onoffline takes one source")
		}
		return answerTo(d.OnOffline(ctx, append(req.Args, "")[0]))
	}
	cmd, known, err := req.Event()
	switch {
	case err != nil:
		return control.Fail(control.CodeArguments, err.Error())
	case !known:
		return control.Fail(control.CodeUnknown, "no command "+req.Cmd)
	}
	return answerTo(d.Command(ctx, cmd))
}

// reload reads all of the configuration again, or the folders of sources.
func (d *Daemon) reload(ctx context.Context, args []string) control.Response {
	switch {
	case len(args) == 0:
		return answerTo(d.Reload(ctx))
	case len(args) == 1 && args[0] == control.ReloadSources:
		return answerTo(d.ReloadSources(ctx))
	}
	return control.Fail(control.CodeArguments, "reload takes nothing, or the word "+control.ReloadSources)
}

func answerTo(err error) control.Response {
	switch {
	case err == nil:
		return control.Done()
	case errors.Is(err, engine.ErrNoSource):
		return control.Fail(control.CodeNoSource, err.Error())
	}
	return control.Fail(control.CodeFailed, err.Error())
}

// Report describes the daemon and everything that it knows.
func (d *Daemon) Report(ctx context.Context) (status.Report, error) {
	var r status.Report
	err := d.do(ctx, func(context.Context) {
		now := d.opt.Clock.Read()
		uptime := now.Mono.Sub(d.started)
		var log []status.LogLine
		if d.opt.Journal != nil {
			log = d.opt.Journal.Lines()
		}
		var day int
		var total uint64
		if d.opt.Flash != nil {
			day, total = d.opt.Flash.Written()
		}
		r = status.FromSnapshot(d.engine.Snapshot(now), status.Info{
			Version: d.opt.Version, PID: os.Getpid(), Started: now.Wall.Add(-uptime), Uptime: uptime,
			DryRun: d.opt.DryRun, Warnings: append([]string(nil), d.warnings...), Log: log, FlashDay: day, FlashTotal: total,
			Config: d.configuration(now),
		})
		r.Advice = advice.Seen(&r)
	})
	return r, err
}

// Command carries out an operator's command.
func (d *Daemon) Command(ctx context.Context, c event.Command) error {
	var failed error
	err := d.do(ctx, func(ctx context.Context) {
		if c.Kind == event.CommandOffline {
			d.forgetRoutes(func(s *snapshot.Source) bool { return !means(c.Target, s) }) // what somebody wants to rest rests
		}
		d.handle(ctx, func(now clock.Reading, out []event.Action) []event.Action {
			out, failed = d.engine.HandleCommand(now, c, out)
			return out
		})
	})
	return errors.Join(err, failed)
}

// Trouble is a source that gives nothing, and why.
type Trouble struct{ Source, Reason string }

// Troubles returns what was wrong with the sources when the context of Run
// ended. It is for use after Run.
func (d *Daemon) Troubles() []Trouble { return d.troubles }

func (d *Daemon) findTroubles() []Trouble {
	var all []Trouble
	snap := d.engine.Snapshot(d.opt.Clock.Read())
	for i := range snap.Sources {
		if s := &snap.Sources[i]; s.Why != "" {
			all = append(all, Trouble{s.Name, s.Why})
		}
	}
	return all
}

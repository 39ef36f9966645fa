package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"

	"ntsd/internal/clock"
	"ntsd/internal/config"
	"ntsd/internal/engine"
	"ntsd/internal/event"
	"ntsd/internal/snapshot"
	"ntsd/internal/upstream"
)

// ErrStopped says that the daemon ended before it could answer.
var ErrStopped = errors.New("daemon: stopped")

// call is work that must run on the daemon's own goroutine.
type call struct {
	run  func(context.Context)
	done chan struct{}
}

func (d *Daemon) answer(ctx context.Context, c call) {
	c.run(ctx)
	close(c.done)
}

// do runs f on the daemon's goroutine and waits for it.
func (d *Daemon) do(ctx context.Context, f func(context.Context)) error {
	c := call{run: f, done: make(chan struct{})}
	select {
	case d.calls <- c:
	case <-d.ended:
		return ErrStopped
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrStopped, context.Cause(ctx))
	}
	<-c.done
	return nil
}

// Ping returns once the daemon's goroutine has answered.
func (d *Daemon) Ping(ctx context.Context) error {
	return d.do(ctx, func(context.Context) {})
}

// OnOffline switches the sources that target means (all, if it is empty) on
// where there is a route to their address, else off. A source without an
// address is switched on: only the resolver can tell. Where a route of one family
// is left, a server is asked at its address of that. Reference clocks stay as they
// are.
func (d *Daemon) OnOffline(ctx context.Context, target string) error {
	found := target == ""
	err := d.do(ctx, func(ctx context.Context) {
		found = d.follow(ctx, func(s *snapshot.Source) bool { return means(target, s) }) || found
	})
	if err == nil && !found {
		return engine.ErrNoSource
	}
	return err
}

// means reports whether a command with that target is for s.
func means(target string, s *snapshot.Source) bool {
	return target == "" || target == s.Name || target == nameOrAddr(s)
}

// nameOrAddr is what a command calls a source that may have no address yet.
func nameOrAddr(s *snapshot.Source) string {
	if s.Addr.IsValid() {
		return s.Addr.String()
	}
	return s.Name
}

// follow switches the sources that are meant on or off as there is a route to
// them, and reports whether there was one.
func (d *Daemon) follow(ctx context.Context, meant func(*snapshot.Source) bool) (found bool) {
	snap := d.engine.Snapshot(d.opt.Clock.Read())
	for i := range snap.Sources {
		s := &snap.Sources[i]
		if !meant(s) || s.Kind == upstream.RefClock { // its address is none, and it needs no network
			continue
		}
		cmd := event.Command{Kind: event.CommandOffline, Target: nameOrAddr(s)}
		d.unrouted = slices.DeleteFunc(d.unrouted, func(name string) bool { return name == cmd.Target })
		switch {
		case d.routed(s):
			cmd.Kind = event.CommandOnline
		case d.otherFamily(s):
			cmd.Kind = event.CommandOtherFamily
		}
		if cmd.Kind != event.CommandOnline { // one that is asked elsewhere now is forgotten when routes are looked for
			d.unrouted = append(d.unrouted, cmd.Target)
		}
		d.handle(ctx, func(now clock.Reading, out []event.Action) []event.Action {
			out, err := d.engine.HandleCommand(now, cmd, out)
			found = found || err == nil
			return out
		})
	}
	return found
}

// routed reports whether packets to the source would leave.
func (d *Daemon) routed(s *snapshot.Source) bool {
	if !s.Addr.IsValid() {
		return true
	}
	return d.reaches(event.Send{To: netip.AddrPortFrom(s.Addr, s.Port), Interface: s.Interface})
}

// otherFamily reports whether packets to addresses of the other family would
// leave. Those that are asked about are for documents (RFC 5737, RFC 3849): only a
// default route leads there, and nothing is sent.
func (d *Daemon) otherFamily(s *snapshot.Source) bool {
	other := netip.AddrFrom4([4]byte{192, 0, 2, 1})
	if s.Addr.Is4() {
		other = netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: 1})
	}
	return d.reaches(event.Send{To: netip.AddrPortFrom(other, s.Port), Interface: s.Interface})
}

// ErrReload says that a new configuration was refused and the old one stays.
var ErrReload = errors.New("daemon: configuration not reloaded, the old one stays in force")

// Reload reads the configuration again and applies what changed. A
// configuration that leaves nothing to do is refused whole, with the reason.
func (d *Daemon) Reload(ctx context.Context) error {
	if d.opt.Load == nil {
		return fmt.Errorf("%w: there is no file to read", ErrReload)
	}
	var refused error
	err := d.do(ctx, func(ctx context.Context) {
		cfg, diagnostics := d.opt.Load()
		d.Describe(diagnostics)
		refused = d.apply(ctx, cfg, diagnostics)
	})
	return errors.Join(err, refused)
}

// ReloadSources reads only the folders in which other programs put sources. With
// what else is wrong the daemon runs already.
func (d *Daemon) ReloadSources(ctx context.Context) error {
	var refused error
	err := d.do(ctx, func(ctx context.Context) {
		if d.opt.Sources == nil {
			return
		}
		cfg, diagnostics, found := d.opt.Sources()
		if !found {
			return
		}
		for i := range diagnostics {
			diagnostics[i].Severity = config.Warning
		}
		d.describe(diagnostics, d.warnings)
		refused = d.apply(ctx, cfg, diagnostics)
	})
	return errors.Join(err, refused)
}

// Describe logs the diagnostics of a configuration and keeps them for the
// status. It is for use before Run.
func (d *Daemon) Describe(diagnostics []config.Diagnostic) { d.describe(diagnostics, nil) }

// describe is Describe without the log of what is known.
func (d *Daemon) describe(diagnostics []config.Diagnostic, known []string) {
	d.warnings = nil
	for _, diag := range diagnostics {
		line := diag.Severity.String() + ": " + diag.String()
		d.warnings = append(d.warnings, line)
		if !slices.Contains(known, line) {
			LogDiagnostic(d.opt.Log, diag)
		}
	}
}

// LogDiagnostic logs what is wrong with a configuration.
func LogDiagnostic(log *slog.Logger, diag config.Diagnostic) {
	if diag.Severity == config.Error {
		log.Error(diag.String())
	} else {
		log.Warn(diag.String())
	}
}

// apply puts a newly read configuration in force. A file with errors is
// refused whole: while a good configuration runs, half of a new one would be a
// surprise.
func (d *Daemon) apply(ctx context.Context, cfg *config.Config, diagnostics []config.Diagnostic) error {
	d.reading.last, d.reading.refused = d.opt.Clock.Read().Mono, true
	d.reading.count++
	if !config.HasErrors(diagnostics) && !cfg.Main.Enabled {
		d.opt.Log.Info("switched off by option 'enabled' of section 'ntsd'")
		d.off = true
		return nil
	}
	if config.HasErrors(diagnostics) || !cfg.Usable() {
		reason := "it names no source of time"
		for _, diag := range diagnostics {
			if diag.Severity == config.Error {
				reason = diag.String()
				break
			}
		}
		d.opt.Log.Error("configuration not reloaded, the old one stays in force", "reason", reason)
		return fmt.Errorf("%w: %s", ErrReload, reason)
	}
	if old := d.applied.Main; cfg.Main.RunDir != old.RunDir || cfg.Main.StateDir != old.StateDir || cfg.Main.Clock != old.Clock || cfg.Main.RTCSync != old.RTCSync {
		d.opt.Log.Warn("options run_dir, state_dir, clock and rtcsync take effect at the next start")
	}
	d.applied, d.changed.deleted = cfg, nil
	if d.opt.Stats != nil {
		d.opt.Stats.Configure(cfg.Statistics)
	}
	d.reading.applied, d.reading.refused = d.reading.last, false
	d.readLeaps()
	d.perform(ctx, d.engine.HandleConfig(d.opt.Clock.Read(), d.engineConfig(), nil))
	if d.opt.Applied != nil {
		d.opt.Applied(cfg)
	}
	d.opt.Log.Info("configuration reloaded", "sources", len(cfg.Sources))
	return nil
}

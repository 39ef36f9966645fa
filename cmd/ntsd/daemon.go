package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"sync"
	"syscall"

	sd "github.com/coreos/go-systemd/v22/daemon"

	"ntsd/internal/backlog"
	"ntsd/internal/config"
	"ntsd/internal/control"
	"ntsd/internal/daemon"
	"ntsd/internal/linux/refclock"
	"ntsd/internal/linux/udp"
	"ntsd/internal/logbook"
	"ntsd/internal/probe"
	"ntsd/internal/statlog"
	"ntsd/internal/store"
	"ntsd/internal/timeserver"
)

// daemonMain is ntsd itself.
func daemonMain(args []string, stdout, stderr io.Writer) int {
	o, err := parseFlags(args, stdout, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitDone
	case err != nil:
		return exitUsage
	}
	switch {
	case o.version:
		fmt.Fprintln(stdout, banner())
		return exitDone
	case o.setOnce || o.queryOnce:
		return oneShot(o, stdout, stderr)
	case o.printOnly:
		return printConfig(o, stdout, stderr)
	}
	return keepTime(o, stderr)
}

// printConfig prints what would be in force, and on stderr what is wrong.
func printConfig(o options, stdout, stderr io.Writer) int {
	load := o.load
	if len(o.directives) > 0 {
		load = o.parseDirectives
	}
	cfg, diagnostics := load()
	for _, d := range diagnostics {
		fmt.Fprintf(stderr, "ntsd: %s: %s\n", d.Severity, d)
	}
	if cfg != nil {
		stdout.Write(cfg.AppendUCI(nil))
	}
	switch {
	case config.HasErrors(diagnostics) && len(o.directives) > 0:
		return exitUsage
	case config.HasErrors(diagnostics) || !cfg.Usable():
		return exitFailed
	}
	return exitDone
}

// keepTime runs the daemon until a signal ends it.
func keepTime(o options, stderr io.Writer) int {
	// From the first moment on, and to the last: until it is asked for, a SIGHUP
	// kills.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	// A log that nobody reads any more ends a program of Go.
	signal.Ignore(syscall.SIGPIPE)
	o.hangup = hangup
	cfg, diagnostics := o.load()
	level := new(slog.LevelVar)
	if cfg != nil {
		if err := changeUser(&o, cfg, true); err != nil {
			return fail(stderr, statusOf(err), "%v", err)
		}
	}
	handler, err := logbook.Open(o.log, stderr, level)
	if err != nil {
		return fail(stderr, exitFailed, "%v", err)
	}
	setLevel(level, o, cfg)
	log := backlog.New(handler)
	err = keep(o, cfg, diagnostics, level, daemon.NewJournal(log))
	status := exitDone
	if err != nil {
		status = exitFailed
	}
	log.Close(func() {
		if err != nil {
			fail(stderr, status, "%v", err)
		}
	})
	return status
}

// keep runs the daemon on a configuration, if that leaves it something to do.
func keep(o options, cfg *config.Config, diagnostics []config.Diagnostic, level *slog.LevelVar, journal *daemon.Journal) error {
	log := slog.New(journal)
	log.Info(banner())
	switch {
	case cfg == nil && diagnostics[0].Line > 0: // the one diagnostic is where it cannot be parsed
		return fmt.Errorf("%v; correct it, ntsd -p checks it", diagnostics[0])
	case cfg == nil: // or that it cannot be read
		return fmt.Errorf("%v; -f and -c say which file to read, -p checks it; on OpenWrt /etc/init.d/ntsd reload gives user ntp what it may read, under systemd chgrp ntsd and chmod 640 do", diagnostics[0])
	case !cfg.Main.Enabled:
		log.Info("switched off by option 'enabled' of section 'ntsd'")
		notify(sd.SdNotifyReady) // or systemd takes the end for a failure, and starts us again and again
		return nil
	case !cfg.Usable():
		for _, d := range diagnostics {
			daemon.LogDiagnostic(log, d)
		}
		if config.HasErrors(diagnostics) {
			return fmt.Errorf("nothing to do: what is wrong with %s leaves no source of time; correct it, ntsd -p checks it", o.source())
		}
		return fmt.Errorf("nothing to do: the configuration names no source of time; add a section 'server' to %s", o.source())
	}
	return serve(o, cfg, diagnostics, level, journal)
}

// source names where the configuration comes from.
func (o *options) source() string {
	if o.file != "" {
		return o.file
	}
	return filepath.Join(o.dir, config.PackageName)
}

func setLevel(level *slog.LevelVar, o options, cfg *config.Config) {
	switch {
	case o.debug:
		level.Set(slog.LevelDebug)
	case cfg != nil:
		level.Set(cfg.Main.LogLevel)
	}
}

// How much garbage may lie about beside what is in use, in per cent.
const (
	// A client's garbage is a few packets a minute, and on a router a megabyte
	// counts more than computing.
	clientGarbage = 25
	// An NTS server makes a kilobyte of key schedules for each request of AEAD
	// 30, or of a client that it has not seen for long: to collect it in small
	// portions is a sixth of what such a request costs.
	ntsServerGarbage = 200
)

// collect sets how often the collector runs.
func collect(cfg *config.Config) {
	if cfg == nil || os.Getenv("GOGC") != "" {
		return
	}
	if cfg.NTSServer.Enabled || cfg.NTSServer.KeysFile != "" {
		debug.SetGCPercent(ntsServerGarbage)
		return
	}
	debug.SetGCPercent(clientGarbage)
}

// serve puts the daemon together, runs it, and takes it apart.
func serve(o options, cfg *config.Config, diagnostics []config.Diagnostic, level *slog.LevelVar, journal *daemon.Journal) error {
	log := slog.New(journal)
	collect(cfg)
	door, err := openDoor(cfg.Main.RunDir, log)
	if err != nil {
		return err
	}
	defer door.close()
	dry := o.dryRun || cfg.Main.Clock == config.ClockNone
	clk, err := openClock(dry, log)
	if err != nil {
		return err
	}
	// Without kernel timestamps the daemon's own ones do.
	if hold, err := udp.Hold(); err == nil {
		defer hold.Close()
	}
	parts, out := assemble(o, cfg, clk, dry, level, journal)
	d := daemon.New(parts)
	d.Describe(diagnostics)
	given := givenSockets()
	served, err := timeserver.New(timeserver.Options{
		Daemon: d, Config: cfg, Clock: clk, DryRun: dry, Network: out.router, Flash: out.flash, Changes: out.changed, Log: log,
		Listeners: given.listeners, Files: given.files,
	})
	if err != nil {
		return err
	}
	answer := served.Beside
	out.asked.answer.Store(&answer)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if o.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.timeout)
		defer cancel()
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	beside := startBeside(ctx, d, served, newDesk(d, clk), out, o.hangup, log, func(answer control.Handler) { door.serve(ctx, answer, log, fail) })
	_, err = d.Run(ctx)
	stop() // -t ends what runs beside it by itself, a failure does not
	beside.Wait()
	for _, f := range out.last {
		f()
	}
	return ended(log, err)
}

// ended tells an orderly end from a failure.
func ended(log *slog.Logger, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		log.Info("ntsd exiting")
		return nil
	}
	return err
}

// outlets are what the time server shares with the daemon.
type outlets struct {
	router  *routerLink
	flash   *store.Flash
	changed *timeserver.Changes
	stats   *statlog.Log
	asked   *relay
	applied []func() // called when a new configuration is in force
	last    []func() // called when all has ended
}

// tell says to all whom it concerns that a new configuration is in force.
func (o *outlets) tell() {
	for _, f := range o.applied {
		f()
	}
}

// assemble returns what the daemon is made of, and what it shares with the
// server beside it.
func assemble(o options, cfg *config.Config, clk steered, dry bool, level *slog.LevelVar, journal *daemon.Journal) (daemon.Options, *outlets) {
	log := slog.New(journal)
	out := &outlets{router: newRouterLink(log), flash: new(store.Flash), changed: timeserver.NewChanges(log), asked: new(relay)}
	out.applied = append(out.applied, out.changed.Nudge)
	parts := outside(cfg, clk, log)
	parts.Clock, parts.Network = kept{clk, cfg.Main.RTCSync}, network{clk, openCards(cfg, log), out.asked}
	clocks := refclock.New(clk)
	parts.Clocks = clocks
	out.last = append(out.last, clocks.CloseAll)
	parts.Store, parts.Flash = &files{dir: cfg.Main.RunDir}, &flashFiles{dir: cfg.Main.StateDir, count: out.flash}
	parts.Restore, parts.Leaps = o.restore, readLeaps
	parts.Announce = out.router.Announce
	parts.Applied = func(cfg *config.Config) { // not before: it may be refused
		setLevel(level, o, cfg)
		collect(cfg)
		out.tell()
	}
	parts.Journal, parts.DryRun = journal, dry
	out.stats = statlog.New(openFolder, log)
	parts.Stats = out.stats
	parts.Load = o.load
	parts.Sources = o.loadSources
	o.loader.Keep()
	out.applied = append(out.applied, o.loader.Keep)
	return parts, out
}

// startBeside starts what runs beside the daemon until ctx ends; admit lets people ask.
func startBeside(ctx context.Context, d *daemon.Daemon, served *timeserver.Server, desk *probe.Desk, out *outlets, hangup <-chan os.Signal, log *slog.Logger, admit func(control.Handler)) *sync.WaitGroup {
	beside := new(sync.WaitGroup)
	answer := desk.Answering(served.Answering(d.Answer))
	beside.Go(func() { admit(answer) })
	beside.Go(func() { reloadOnHangup(ctx, d, hangup) })
	beside.Go(func() { tellSystemd(ctx, d) })
	beside.Go(func() { out.router.Run(ctx, d, answer, out.changed.Nudge) })
	beside.Go(func() { served.Run(ctx) })
	beside.Go(func() { desk.Run(ctx) })
	chrony := answerChronyc(d, served, log)
	out.applied = append(out.applied, chrony.Nudge)
	beside.Go(func() { chrony.Run(ctx) })
	beside.Go(func() { out.stats.Run(ctx) })
	file := newMetricsFile(log)
	out.applied = append(out.applied, file.nudge)
	beside.Go(func() { file.Run(ctx, d, answer) })
	return beside
}

// reloadOnHangup reads the configuration again at each SIGHUP. Those that come
// while it is read count as one.
func reloadOnHangup(ctx context.Context, d *daemon.Daemon, hangup <-chan os.Signal) {
	for {
		select {
		case <-hangup:
			_ = d.Reload(ctx) // it has logged what was wrong
		case <-ctx.Done():
			return
		}
	}
}

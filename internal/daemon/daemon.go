// Package daemon runs the engine: it owns the one goroutine that may touch it,
// carries out its actions through the ports that it declares, and answers the
// operator. It is layer 3. It decides nothing about time; that is the engine's.
package daemon

import (
	"context"
	"io"
	"log/slog"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/config"
	"ntsd/internal/engine"
	"ntsd/internal/event"
	"ntsd/internal/leaplist"
	"ntsd/internal/nts"
)

// Options are the parts that a daemon is made of. All are
// required unless said otherwise.
type Options struct {
	Config   *config.Config
	Load     func() (*config.Config, []config.Diagnostic)       // reads the configuration again; nil: refused
	Sources  func() (*config.Config, []config.Diagnostic, bool) // reads its folders of sources again, the rest is as it was; false: there are none
	Leaps    func(path string) (*leaplist.List, error)          // reads a list of leap seconds; nil: never
	Clock    Clock
	Network  Network
	KE       KeyExchanger
	Resolver Resolver
	Clocks   Clocks // nil: reference clocks cannot be read
	Store    Store
	Flash    Flash      // nil: nothing outlives the power
	Stats    Statistics // is told of measurements and updates; nil: nobody
	Rand     io.Reader
	Log      *slog.Logger
	Journal  *Journal             // what of the log the status repeats; nil: nothing
	Applied  func(*config.Config) // called with a new configuration when it is in force; nil: nothing
	Announce func(Announcement)   // tells others how the clock is, without waiting; nil: nobody
	Version  string
	Floor    clock.Wall // no true time lies before it: the time of the build
	DryRun   bool       // for the status: the clock is not the kernel's
	Restore  bool       // start from the time that was saved
	OneShot  bool       // end with the first answer
}

// Daemon is the running time service. Its methods may be called from any
// goroutine once Run has been started; everything else belongs to Run.
type Daemon struct {
	opt      Options
	engine   *engine.Engine
	requests *requests
	lookups  *lookups
	readings *readings
	keeper   *keeper
	calls    chan call
	ended    chan struct{} // closed when Run has returned
	started  clock.Mono
	applied  *config.Config
	reading  reading        // of the configuration
	leaps    *leaplist.List // in force; nil: none
	warnings []string       // of the configuration in force
	failing  map[string]bool
	result   *event.Exit
	off      bool       // a reload found the daemon disabled
	boot     event.Boot // from flash
	troubles []Trouble
	learnt   []string // time servers that DHCP names
	changed  changed
	told     told
	got      *event.Received // while it is handled
	past     past

	networkDown bool // and said so; nothing was heard since
	selections  selections

	unrouted  []string   // sources that rest because there was no route to them
	routesDue clock.Mono // when routes to them are looked for again
}

// New returns a daemon that has not started.
func New(opt Options) *Daemon {
	return &Daemon{
		opt: opt, requests: newRequests(opt.Network), lookups: newLookups(opt.KE, opt.Resolver), readings: newReadings(opt.Clocks), keeper: newKeeper(opt.Flash),
		calls: make(chan call), ended: make(chan struct{}), failing: make(map[string]bool), applied: opt.Config,
	}
}

// Run keeps the clock until ctx ends, a reload switches it off, or a one-shot
// query has its answer, which it then returns. It joins everything that it started.
func (d *Daemon) Run(ctx context.Context) (*event.Exit, error) {
	defer close(d.ended)
	ctx, cancel := context.WithCancel(ctx)
	d.start(ctx)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for d.result == nil && !d.off {
		d.arm(timer)
		select {
		case <-ctx.Done():
			d.troubles = d.findTroubles()
			d.stop(ctx, cancel)
			return nil, context.Cause(ctx)
		case <-timer.C:
			d.handle(ctx, d.engine.HandleTimer)
			d.lookForRoutes(ctx)
		case ev := <-d.requests.received:
			d.opt.Log.Debug("datagram received", "source", ev.From, "bytes", len(ev.Data), "rtt_s", ev.Received.At.Sub(ev.Sent.At).Seconds())
			d.got = &ev
			d.handle(ctx, func(now clock.Reading, out []event.Action) []event.Action {
				return d.engine.HandleReceived(now, ev, out)
			})
			d.got = nil
		case ev := <-d.requests.failed:
			d.opt.Log.Debug("request failed", "reason", ev.Reason)
			d.handle(ctx, func(now clock.Reading, out []event.Action) []event.Action {
				return d.engine.HandleSendFailed(now, ev, out)
			})
		case ev := <-d.lookups.established:
			d.handle(ctx, func(now clock.Reading, out []event.Action) []event.Action {
				return d.engine.HandleKEDone(now, ev, out)
			})
		case ev := <-d.lookups.resolved:
			d.handle(ctx, func(now clock.Reading, out []event.Action) []event.Action {
				return d.engine.HandleResolved(now, ev, out)
			})
		case ev := <-d.readings.done:
			d.clockRead(ctx, ev)
		case err := <-d.keeper.done:
			d.persisted(err)
		case c := <-d.calls:
			d.answer(ctx, c)
		}
	}
	d.stop(ctx, cancel)
	return d.result, nil
}

// arm sets the timer to the engine's next deadline. The timer's own timescale
// is steered, so it may fire a little early: the engine then finds nothing to
// do and is asked again.
func (d *Daemon) arm(timer *time.Timer) {
	const idle = time.Hour
	wait := idle
	if next := d.engine.NextDeadline(); next != clock.Never {
		wait = min(idle, max(0, next.Sub(d.opt.Clock.Read().Mono)))
	}
	if len(d.unrouted) > 0 {
		wait = min(wait, max(0, d.routesDue.Sub(d.opt.Clock.Read().Mono)))
	}
	timer.Reset(wait)
}

// handle feeds the engine and carries out what it asks for.
func (d *Daemon) handle(ctx context.Context, f func(clock.Reading, []event.Action) []event.Action) {
	before := d.opt.Clock.Read()
	d.perform(ctx, f(before, nil))
	now := d.opt.Clock.Read()
	d.announce(now)
	d.remember(now)
	if s := d.opt.Stats; s != nil && s.Wanted() {
		snap := d.engine.Snapshot(now)
		s.Record(before, &snap, d.got)
	}
}

// start reads the saved state and wakes the engine.
func (d *Daemon) start(ctx context.Context) {
	now := d.opt.Clock.Read()
	d.started = now.Mono
	d.reading = reading{last: now.Mono, applied: now.Mono, count: 1}
	var reserve []nts.Session
	if d.opt.Flash != nil {
		reserve = d.load()
	}
	d.readLeaps()
	if d.opt.Stats != nil {
		d.opt.Stats.Configure(d.applied.Statistics)
	}
	cfg := d.engineConfig()
	cfg.StartAtFloor = d.opt.Restore
	cfg.Drift, cfg.DriftSkew, cfg.DriftKnown = d.drift()
	d.engine = engine.New(cfg, d.opt.Rand, now)
	if d.opt.Flash != nil {
		d.engine.Recall(d.boot, reserve)
	}
	d.perform(ctx, d.engine.HandleStart(now, d.sessions(), d.backoffs(), nil))
}

// load reads what survived the power.
func (d *Daemon) load() []nts.Session {
	boot, reserve, refused := d.opt.Flash.Load()
	for _, err := range refused {
		d.opt.Log.Warn("saved state refused", "reason", err)
	}
	d.boot = boot
	if boot.Time != 0 {
		d.opt.Log.Info("last trusted time read from flash", "saved", boot.Time.Time().Format(time.RFC3339))
	}
	return reserve
}

// stop lets the engine save its state, then ends every goroutine.
func (d *Daemon) stop(ctx context.Context, cancel context.CancelFunc) {
	d.handle(ctx, d.engine.HandleStop)
	cancel()
	d.requests.closeAll()
	d.lookups.wait()
	d.readings.running.Wait()
	d.settle()
}

// drift returns the correction to begin with: that of the drift file, or that
// which was saved on flash, or that in force.
func (d *Daemon) drift() (rate, skew clock.Rate, known bool) {
	rate, skew, known, err := d.opt.Store.Drift()
	if err != nil {
		d.opt.Log.Warn("drift file refused", "reason", err)
		known = false
	}
	switch {
	case known:
		d.opt.Log.Info("frequency read from drift file", "freq_ppm", round(-rate.PPM()), "skew_ppm", round(skew.PPM()))
		return rate, skew, true
	case d.boot.RateKnown:
		d.opt.Log.Info("frequency read from flash", "freq_ppm", round(-d.boot.Rate.PPM()), "skew_ppm", round(d.boot.Skew.PPM()))
		return d.boot.Rate, d.boot.Skew, true
	}
	return d.inForce(), 0, false
}

// maxInForce is more than an oscillator is off: a correction above it is what a
// daemon left that was killed while it slewed.
const maxInForce clock.Rate = 500e-6

// inForce is the correction that another daemon, or an earlier run, left the clock
// with: to begin without it would let a clock run away that is nearly right. How
// good it is nobody says.
func (d *Daemon) inForce() clock.Rate {
	rate, err := d.opt.Clock.Rate()
	if err != nil || rate == 0 || rate > maxInForce || rate < -maxInForce {
		return 0
	}
	d.opt.Log.Info("frequency taken over from the clock: there is no drift file", "freq_ppm", round(-rate.PPM()))
	return rate
}

func (d *Daemon) sessions() []event.Restored {
	sessions, refused := d.opt.Store.Sessions()
	for _, err := range refused {
		d.opt.Log.Warn("saved session refused", "reason", err)
	}
	restored := make([]event.Restored, 0, len(sessions))
	for _, s := range sessions {
		restored = append(restored, event.Restored{Session: s})
	}
	return restored
}

func (d *Daemon) backoffs() []event.Backoff {
	backoffs, refused := d.opt.Store.Backoffs()
	for _, err := range refused {
		d.opt.Log.Warn("saved backoff refused", "reason", err)
	}
	if len(backoffs) == 0 {
		return d.boot.Backoffs
	}
	return backoffs
}

package daemon

import (
	"context"
	"math"
	"slices"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/wording"
)

// perform carries out the engine's actions in their order: a session is on
// disk without the cookie that the next Send spends.
func (d *Daemon) perform(ctx context.Context, actions []event.Action) {
	var take *event.TakeReserve
	for _, a := range actions {
		d.trace(ctx, a)
		switch a := a.(type) {
		case event.Send:
			d.requests.send(ctx.Done(), a)
		case event.CloseSocket:
			d.requests.close(a.Source)
		case event.StartKE:
			d.lookups.startKE(ctx, a, d.trust())
		case event.Resolve:
			d.lookups.resolve(ctx, a)
		case event.Notice:
			d.notice(a)
			if a.Kind == event.NoticeSynchronised {
				d.checkLeaps()
			}
		case event.TakeReserve:
			take = &a
		case event.Exit:
			d.result = &a
		default:
			d.performClock(a)
			d.performStore(a)
			d.performClocks(ctx, a)
		}
	}
	if take != nil { // what the answer asks for comes after all of the above
		taken := d.takeReserve(*take)
		d.handle(ctx, func(now clock.Reading, out []event.Action) []event.Action {
			return d.engine.HandleReserveTaken(now, taken, out)
		})
	}
}

// performClock carries out what concerns the clock.
func (d *Daemon) performClock(a event.Action) {
	switch a := a.(type) {
	case event.SetRate:
		_, err := d.opt.Clock.SetRate(a.Rate)
		d.check("set the clock's frequency", err)
	case event.Step:
		err := d.opt.Clock.Step(a.Offset)
		d.check("step the clock", err)
		if err == nil {
			d.announceStep(a.Offset)
		}
	case event.SetStatus:
		d.check("set the clock's status", d.opt.Clock.SetStatus(a))
	}
}

// performStore carries out what concerns files.
func (d *Daemon) performStore(a event.Action) {
	switch a := a.(type) {
	case event.SaveSession:
		d.check("save a session", d.opt.Store.SaveSession(a.Session))
	case event.DropSession:
		d.check("drop a session", d.opt.Store.DropSession(a.Addr, a.Port))
	case event.SaveBackoff:
		d.check("save a backoff", d.opt.Store.SaveBackoff(event.Backoff(a)))
	case event.SaveDrift:
		d.check("save the drift", d.opt.Store.SaveDrift(a.Rate, a.Skew))
	case event.Persist:
		d.keeper.persist(a)
	}
}

// takeReserve takes cookies off the flash, if a request could leave at all.
func (d *Daemon) takeReserve(a event.TakeReserve) event.ReserveTaken {
	if !slices.ContainsFunc(a.Probes, d.reaches) {
		return event.ReserveTaken{Offline: true}
	}
	d.settle() // or what is being written would bring the cookies back
	err := d.opt.Flash.TakeReserve(a.Rest)
	d.check("take cookies out of the reserve; the boot goes on without them", err)
	if err != nil {
		return event.ReserveTaken{Reason: wording.Of(err)}
	}
	return event.ReserveTaken{OK: true}
}

// reaches reports whether there is a route for a request: connecting a socket
// sends nothing.
func (d *Daemon) reaches(to event.Send) bool {
	socket, err := d.opt.Network.Open(to)
	if err != nil {
		return false
	}
	socket.Close()
	return true
}

// check logs the failure of a repeated operation once, and its recovery.
func (d *Daemon) check(operation string, err error) {
	failed := err != nil
	if failed == d.failing[operation] {
		return
	}
	d.failing[operation] = failed
	if failed {
		d.opt.Log.Error("cannot "+operation, "reason", err)
		return
	}
	d.opt.Log.Info("can " + operation + " again")
}

// round keeps three decimals, for log lines.
func round(x float64) float64 { return math.Round(x*1000) / 1000 }

package daemon

import (
	"context"
	"log/slog"

	"ntsd/internal/event"
)

// trace logs an action for whoever looks for a fault with -d. Never what is in
// a packet or a session: that is where the secrets are.
func (d *Daemon) trace(ctx context.Context, a event.Action) {
	log := d.opt.Log
	if !log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	switch a := a.(type) {
	case event.Send:
		log.Debug("request sent", "source", a.To, "bytes", len(a.Data))
	case event.StartKE:
		log.Debug("key establishment begins", "source", a.Name, "address", a.Addr, "port", a.Port)
	case event.Resolve:
		log.Debug("name is looked up", "source", a.Name)
	case event.SaveSession:
		log.Debug("session saved", "source", a.Session.KEAddr, "cookies", len(a.Session.Cookies))
	case event.SetRate:
		log.Debug("frequency set", "freq_ppm", round(a.Rate.PPM()))
	case event.Step:
		log.Debug("clock stepped", "offset_s", a.Offset.Seconds())
	case event.SetStatus:
		log.Debug("kernel status set", "synchronised", a.Synchronised, "max_error_s", a.MaxError.Seconds())
	}
}

package daemon

import (
	"time"
)

// leapsExpired says that the list of leap seconds is too old.
const leapsExpired = "the list of leap seconds has expired: fetch a new one"

// leapsSoon is how long before its end a list is worth a warning: a new one
// comes half a year before.
const leapsSoon = 28 * 24 * time.Hour

// readLeaps reads the list of leap seconds that the configuration names. One
// that is refused is as none: no leap second is a better guess than a wrong one.
func (d *Daemon) readLeaps() {
	path := d.applied.SystemClock.LeapFile
	d.leaps = nil
	if path == "" || d.opt.Leaps == nil {
		return
	}
	list, err := d.opt.Leaps(path)
	if err != nil {
		d.opt.Log.Error("list of leap seconds refused", "reason", err)
		return
	}
	d.leaps = list
	if d.engine != nil && d.engine.Snapshot(d.opt.Clock.Read()).Tracking.Synchronised {
		d.checkLeaps()
	}
}

// checkLeaps warns of a list that tells nothing any more, or soon. Before the
// clock is synchronised nobody knows.
func (d *Daemon) checkLeaps() {
	if d.leaps == nil {
		return
	}
	expires, now := d.leaps.Expires(), d.opt.Clock.Read().Wall
	attrs := []any{"file", d.applied.SystemClock.LeapFile, "expires", expires.Time().Format(time.DateOnly)}
	switch {
	case now >= expires:
		d.opt.Log.Warn(leapsExpired, attrs...)
	case now.Add(leapsSoon) >= expires:
		d.opt.Log.Warn("the list of leap seconds expires soon", attrs...)
	}
}

package daemon

import (
	"context"

	"ntsd/internal/clock"
	"ntsd/internal/config"
	"ntsd/internal/snapshot"
	"ntsd/internal/status"
)

// reading is how the configuration came into force.
type reading struct {
	last, applied clock.Mono // when a file was read, and when that in force was
	count         int
	refused       bool // the last one, so that the one before stayed
}

// configuration tells of it, with times on the clock as it is now: what was read
// before the clock was first set would else be of 1970.
func (d *Daemon) configuration(now clock.Reading) status.Config {
	wall := func(t clock.Mono) status.Time { return status.Time(now.Wall.Add(t.Sub(now.Mono))) }
	return status.Config{
		Digest: d.applied.Digest, Since: wall(d.reading.applied), Read: wall(d.reading.last),
		Reads: d.reading.count, Refused: d.reading.refused,
	}
}

// InForce returns what a server may say of the clock now, and the configuration
// in force, which is only to be read. The error is that the daemon has ended.
func (d *Daemon) InForce(ctx context.Context) (sys snapshot.System, cfg *config.Config, err error) {
	err = d.do(ctx, func(context.Context) {
		sys, cfg = d.engine.System(d.opt.Clock.Read()), d.applied
	})
	return sys, cfg, err
}

package daemon

import (
	"context"

	"ntsd/internal/config"
	"ntsd/internal/engine"
)

// InForce returns what a server may say of the clock now, and the configuration
// in force, which is only to be read. The error is that the daemon has ended.
func (d *Daemon) InForce(ctx context.Context) (sys engine.System, cfg *config.Config, err error) {
	err = d.do(ctx, func(context.Context) {
		sys, cfg = d.engine.System(d.opt.Clock.Read()), d.applied
	})
	return sys, cfg, err
}

package main

import (
	"context"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"

	"ntsd/internal/daemon"
)

// tellSystemd says "ready" to the systemd that started us, if one did, and
// feeds its watchdog as long as the daemon's loop answers. It ends with ctx.
// A system without systemd hears nothing.
func tellSystemd(ctx context.Context, d *daemon.Daemon) {
	if d.Ping(ctx) != nil {
		return
	}
	// An error means that the socket in NOTIFY_SOCKET is gone: nobody listens.
	_, _ = sd.SdNotify(false, sd.SdNotifyReady)
	defer sd.SdNotify(false, sd.SdNotifyStopping)
	interval, err := sd.SdWatchdogEnabled(false)
	if err != nil || interval <= 0 {
		<-ctx.Done()
		return
	}
	tick := time.NewTicker(interval / 2)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if d.Ping(ctx) == nil {
				_, _ = sd.SdNotify(false, sd.SdNotifyWatchdog)
			}
		case <-ctx.Done():
			return
		}
	}
}

package main

import (
	"context"
	"log/slog"
	"path/filepath"

	"ntsd/internal/cmdmon"
	"ntsd/internal/config"
	"ntsd/internal/daemon"
	"ntsd/internal/linux/cmdport"
	"ntsd/internal/timeserver"
)

// shown is what other programs may ask about: the clock, its sources and its
// clients.
type shown struct {
	*daemon.Daemon
	*timeserver.Server
}

// answerChronyc returns what answers chronyc once it runs.
func answerChronyc(d *daemon.Daemon, served *timeserver.Server, log *slog.Logger) *cmdmon.Server {
	return cmdmon.New(cmdmon.Options{
		Daemon: shown{d, served}, Log: log, InForce: inForce(d),
		Socket:   listen,
		Loopback: func(number uint16) (cmdmon.Port, error) { return port(cmdport.ListenLoopback(number)) },
	})
}

// listen opens the socket at path. A run_dir may be a relative path.
func listen(path string) (cmdmon.Port, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	return port(cmdport.Listen(path))
}

// port is what was opened; a nil pointer in an interface would be one.
func port[P cmdmon.Port](p P, err error) (cmdmon.Port, error) {
	if err != nil {
		return nil, err
	}
	return p, nil
}

// inForce returns what tells the configuration as it is now.
func inForce(d *daemon.Daemon) func(context.Context) (*config.Config, error) {
	return func(ctx context.Context) (*config.Config, error) {
		_, cfg, err := d.InForce(ctx)
		return cfg, err
	}
}

package main

import (
	"context"
	"crypto/rand"
	"log/slog"
	"runtime"
	"sync"

	"ntsd/internal/config"
	"ntsd/internal/control"
	"ntsd/internal/daemon"
	"ntsd/internal/lanca"
	"ntsd/internal/linux/serving"
	"ntsd/internal/responder"
	"ntsd/internal/store"
)

// timeServer is the NTP and NTS server beside a daemon, with its files.
type timeServer struct {
	*responder.Responder
	keys    *keyFile
	lan     *lanServer
	changed *changes
}

// outlets are what the time server shares with the daemon.
type outlets struct {
	router  *routerLink
	flash   *store.Flash
	changed *changes
}

func newTimeServer(d *daemon.Daemon, clk steered, dry bool, cfg *config.Config, to *outlets, log *slog.Logger) (*timeServer, error) {
	m := &cfg.Main
	s := &timeServer{
		changed: to.changed,
		keys:    newKeyFile(m.RunDir, m.StateDir, to.flash, log),
		lan:     &lanServer{Authority: lanca.New(m.StateDir, to.flash), log: log, addresses: to.router.Addresses},
	}
	given := givenSockets()
	served := serving.NewClock(clk, dry)
	var err error
	s.Responder, err = responder.New(responder.Options{
		Clock: served, Interfaces: to.router.Interfaces, InForce: d.InForce, Rand: rand.Reader, Log: log,
		Changed: to.changed.word, Follows: to.changed.links != nil,
		ListenKE: (&keServers{lan: s.lan, log: log, given: given.listeners, addresses: to.router.Addresses}).listen, Keys: s.keys,
		Workers: runtime.GOMAXPROCS(0), Precision: served.Precision(cfg.SystemClock.Precision),
		Listen: func(port uint16, n int) (ports []responder.Port, err error) {
			sockets, err := serving.Listen(port, n, served, given.files)
			for _, s := range sockets {
				ports = append(ports, s)
			}
			return ports, err
		},
	})
	return s, err
}

// Run serves until ctx ends.
func (s *timeServer) Run(ctx context.Context) {
	var beside sync.WaitGroup
	beside.Go(func() { s.changed.follow(ctx) })
	s.Responder.Run(ctx)
	beside.Wait()
	s.keys.Flush()
}

// Answering answers what is asked about the server, and leaves the rest to
// next.
func (s *timeServer) Answering(next control.Handler) control.Handler {
	return s.lan.Answering(s.Responder.Answering(next))
}

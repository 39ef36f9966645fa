package main

import (
	"crypto/rand"
	"log/slog"
	"runtime"

	"ntsd/internal/daemon"
	"ntsd/internal/linux/serving"
	"ntsd/internal/responder"
)

// newResponder puts the NTP server beside a daemon.
func newResponder(d *daemon.Daemon, clk steered, dry bool, keys *keyFile, log *slog.Logger) (*responder.Responder, error) {
	served := serving.NewClock(clk, dry)
	return responder.New(responder.Options{
		Clock: served, Interfaces: serving.Interfaces, InForce: d.InForce, Rand: rand.Reader, Log: log,
		ListenKE: listenKE, Keys: keys,
		Workers: runtime.GOMAXPROCS(0), Precision: served.Precision(),
		Listen: func(port uint16, n int) (ports []responder.Port, err error) {
			sockets, err := serving.Listen(port, n, served)
			for _, s := range sockets {
				ports = append(ports, s)
			}
			return ports, err
		},
	})
}

package main

import (
	"context"
	"crypto/rand"
	"time"

	"ntsd/internal/daemon"
	"ntsd/internal/event"
	"ntsd/internal/linux/sysclock"
	"ntsd/internal/ntske"
	"ntsd/internal/probe"
	"ntsd/internal/wording"
)

// newProber returns what tests servers for "ntsctl test". It only reads clk.
func newProber(clk steered) *probe.Prober {
	return &probe.Prober{
		Clock: clk, Resolver: names{wanResolvers()}, KE: testedKE{&keyExchange{client: ntske.NewClient()}},
		Network: testedNetwork{network{clock: clk}}, Rand: rand.Reader, Floor: buildTime(),
	}
}

// newDesk returns what tests servers beside a daemon.
func newDesk(d *daemon.Daemon, clk steered) *probe.Desk {
	start := clk.Read().Mono
	return probe.NewDesk(newProber(clk), inForce(d), func() time.Duration { return clk.Read().Mono.Sub(start) })
}

// testAlone tests a server where no daemon runs.
func testAlone(ctx context.Context, t probe.Target, tell func(probe.Result)) probe.Result {
	clk, err := sysclock.OpenDryRun(0)
	if err != nil {
		return probe.Result{Server: t.Source.Name, Error: wording.Of(err)}
	}
	return newProber(clk).Run(ctx, t, tell)
}

// testedKE runs key establishments for tests.
type testedKE struct{ *keyExchange }

// Exchange runs one key establishment.
func (k testedKE) Exchange(ctx context.Context, ke event.StartKE, t probe.Target, trace *event.KETrace) event.KEDone {
	return k.exchange(ctx, ke, daemon.Trust{System: t.System, Files: t.Files}, trace)
}

// testedNetwork opens sockets for tests.
type testedNetwork struct{ network }

// Open returns a fresh socket for one request.
func (n testedNetwork) Open(s event.Send) (probe.Socket, error) {
	socket, err := n.network.Open(s)
	if err != nil {
		return nil, err
	}
	return testedSocket{socket}, nil
}

type testedSocket struct{ daemon.Socket }

// Receive waits for a datagram and says when it and its request passed.
func (s testedSocket) Receive(buf []byte) (n int, sent, received event.Stamp, err error) {
	d, err := s.Socket.Receive(buf)
	return d.Length, d.Sent, d.Received, err
}

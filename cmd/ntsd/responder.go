package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/bits"
	"net"
	"net/netip"
	"runtime"
	"syscall"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/control"
	"ntsd/internal/daemon"
	"ntsd/internal/linux/udp"
	"ntsd/internal/ntptime"
	"ntsd/internal/responder"
)

// newResponder puts the NTP server beside a daemon.
func newResponder(d *daemon.Daemon, clk steered, dry bool, log *slog.Logger) (*responder.Responder, error) {
	served := &servedClock{clk: clk, dry: dry, started: time.Now()}
	return responder.New(responder.Options{
		Clock: served, Listen: served.listen, Interfaces: interfaces, InForce: d.InForce, Rand: rand.Reader,
		Log: log, Workers: runtime.GOMAXPROCS(0), Precision: precision(clk.KernelWall),
	})
}

// answerer lets the NTP server answer what is about it, the daemon the rest.
func answerer(d *daemon.Daemon, r *responder.Responder) control.Handler {
	return func(ctx context.Context, req control.Request) control.Response {
		switch req.Cmd {
		case control.CmdServerStats:
			return control.Reply(r.ServerStats())
		case control.CmdClients:
			return control.Reply(r.Clients())
		case control.CmdAccheck:
			if len(req.Args) != 1 {
				return control.Fail(control.CodeArguments, "accheck takes one address")
			}
			addr, err := netip.ParseAddr(req.Args[0])
			if err != nil {
				return control.Fail(control.CodeArguments, req.Args[0]+" is not an address")
			}
			return control.Reply(r.CheckAccess(addr))
		}
		return d.Answer(ctx, req)
	}
}

// servedClock tells the time that is served.
type servedClock struct {
	clk     steered
	dry     bool
	started time.Time
}

// Now reads the clock. What the daemon steers in a dry run is a clock of its
// own, while the kernel's timestamps stay on the kernel's.
func (c *servedClock) Now() (clock.Reading, clock.Offset) {
	if !c.dry {
		return clock.Reading{Mono: clock.Mono(time.Since(c.started)), Wall: c.clk.KernelWall()}, 0
	}
	kernel := c.clk.KernelWall()
	now := c.clk.Read()
	own := now.Wall.Add(c.clk.MonoAt(kernel).Sub(now.Mono))
	return clock.Reading{Mono: clock.Mono(time.Since(c.started)), Wall: now.Wall}, own.Sub(kernel)
}

// listen opens a port of both families, n sockets each.
func (c *servedClock) listen(port uint16, n int) ([]responder.Port, error) {
	config := udp.ListenConfig{Now: c.clk.KernelWall, ReusePort: n > 1}
	var lock net.Listener
	if n > 1 {
		// Sockets that share a port would share it with those of a second
		// daemon. The name lives and dies with the network namespace, as
		// ports do.
		var err error
		if lock, err = net.Listen("unix", fmt.Sprintf("@ntsd/udp/%d", port)); err != nil {
			return nil, errors.New("another ntsd serves the port")
		}
	}
	var ports []responder.Port
	for range n {
		sockets, err := udp.ListenAll(port, config)
		if err != nil {
			for _, p := range ports {
				_ = p.Close()
			}
			if lock != nil {
				_ = lock.Close()
			}
			return nil, listenFailure(err)
		}
		for _, s := range sockets {
			ports = append(ports, &servedPort{Server: s, batch: udp.NewBatch()})
		}
	}
	ports[0].(*servedPort).lock = lock
	return ports, nil
}

// listenFailure adds what to do about it.
func listenFailure(err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w; ports below 1024 need root or CAP_NET_BIND_SERVICE", err)
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w; another time server runs here", err)
	}
	return err
}

// servedPort is a socket as the responder wants it.
type servedPort struct {
	*udp.Server
	batch *udp.Batch
	lock  net.Listener // of the first socket of a port; may be nil
}

// Read waits for requests.
func (p *servedPort) Read() (int, error) { return p.ReadBatch(p.batch) }

// Request returns the i-th.
func (p *servedPort) Request(i int) responder.Request {
	data, r := p.batch.Request(i)
	return responder.Request{
		Data: data, From: r.From, Local: r.Local, Interface: r.IfIndex,
		Received: r.Rx.Wall, Kernel: r.Rx.Kind == udp.Kernel,
	}
}

// Buffer returns room for a reply.
func (p *servedPort) Buffer() []byte { return p.batch.Buffer() }

// Reply answers the i-th request.
func (p *servedPort) Reply(i int, reply []byte, tag uint64) { p.batch.SetReply(i, reply, tag) }

// Write sends the replies.
func (p *servedPort) Write() (int, error) { return p.WriteBatch(p.batch) }

// EachSent hands on the transmit timestamps that came.
func (p *servedPort) EachSent(f func(uint64, clock.Wall)) {
	for _, s := range p.batch.Sent() {
		f(s.Tag, s.Tx.Wall)
	}
}

// Close closes the socket.
func (p *servedPort) Close() error {
	err := p.Server.Close()
	if p.lock != nil {
		err = errors.Join(err, p.lock.Close())
	}
	return err
}

// interfaces lists the network interfaces that are up.
func interfaces() ([]responder.Interface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var found []responder.Interface
	for _, i := range all {
		addrs, err := i.Addrs()
		if err != nil || i.Flags&net.FlagUp == 0 {
			continue // it went away meanwhile, or is not in use
		}
		entry := responder.Interface{Name: i.Name, Index: uint32(i.Index)}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				entry.Subnets = append(entry.Subnets, p.Masked())
			}
		}
		found = append(found, entry)
	}
	return found, nil
}

// precision measures how finely a clock can be read (RFC 5905 section 7.3).
func precision(now func() clock.Wall) ntptime.Exponent {
	const readings = 64
	least := time.Second
	last := now()
	for range readings {
		next := now()
		if d := next.Sub(last).Duration(); d > 0 {
			least = min(least, d)
		}
		last = next
	}
	// The smallest power of two of seconds that is not below it.
	return -ntptime.Exponent(bits.Len64(uint64(time.Second/least)) - 1)
}

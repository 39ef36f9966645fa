// Package timeserver is the NTP and NTS server beside a daemon, put together
// from its parts: the responder's workers and their sockets, the NTS-KE server
// and its certificates, the authority of the LAN, the files of cookie keys, and
// word of changed interfaces. It is layer 5, wiring that cmd/ntsd would have
// too much of. What a client gets is decided in server and responder.
package timeserver

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"

	"ntsd/internal/config"
	"ntsd/internal/control"
	"ntsd/internal/lanca"
	"ntsd/internal/linux/serving"
	"ntsd/internal/linux/sysclock"
	"ntsd/internal/mode6"
	"ntsd/internal/ntptime"
	"ntsd/internal/responder"
	"ntsd/internal/snapshot"
	"ntsd/internal/status"
	"ntsd/internal/store"
)

// Daemon is whose time is served.
type Daemon interface {
	Report(context.Context) (status.Report, error)
	InForce(context.Context) (snapshot.System, *config.Config, error)
}

// Network tells of the interfaces of this machine, by every name they go by.
type Network interface {
	Interfaces(f func(name string, index uint32, subnets []netip.Prefix)) error
	// Addresses returns those of the named interfaces; of all where no name is
	// given.
	Addresses(names []string) ([]netip.Addr, error)
}

// Options are what a Server is made of.
type Options struct {
	Daemon  Daemon
	Config  *config.Config // as at the start; later ones come from the Daemon
	Clock   serving.Steered
	DryRun  bool // Clock is not the kernel's
	Network Network
	Flash   *store.Flash
	Changes *Changes
	Log     *slog.Logger

	// Sockets that the system has opened for us; they are never closed.
	Listeners []*net.TCPListener
	Files     []*os.File
}

// Server is the NTP and NTS server beside a daemon, with its files.
type Server struct {
	*responder.Responder
	keys    *keyFile
	lan     *lanServer
	changes *Changes
}

// New returns a server that serves once it runs.
func New(o Options) (*Server, error) {
	m := &o.Config.Main
	s := &Server{
		changes: o.Changes,
		keys:    newKeyFile(m.RunDir, m.StateDir, o.Flash, o.Log),
		lan:     &lanServer{Authority: lanca.New(m.StateDir, o.Flash), log: o.Log, addresses: o.Network.Addresses},
	}
	ke := &keServers{lan: s.lan, log: o.Log, given: o.Listeners, addresses: o.Network.Addresses}
	served := serving.NewClock(o.Clock, o.DryRun)
	var err error
	s.Responder, err = responder.New(responder.Options{
		Clock: served, Interfaces: o.Network.Interfaces, InForce: o.Daemon.InForce, Rand: rand.Reader, Log: o.Log,
		Changed: o.Changes.word, Follows: o.Changes.links != nil, ListenKE: ke.listen, Keys: s.keys,
		Workers: runtime.GOMAXPROCS(0), Precision: served.Precision(o.Config.SystemClock.Precision),
		Control: (&mode6.Service{
			Report: o.Daemon.Report, Server: func() status.ServerStats { return s.ServerStats() },
			Clients: func() []status.Client { return s.Clients(0, false) },
			Host:    host(served.Precision(o.Config.SystemClock.Precision)), Kernel: kernel,
		}).Answer,
		ListenLocal: func(port uint16) (ports []responder.Port, err error) {
			sockets, err := serving.ListenLocal(port, served)
			for _, s := range sockets {
				ports = append(ports, s)
			}
			return ports, err
		},
		Listen: func(port uint16, n int) (ports []responder.Port, err error) {
			sockets, err := serving.Listen(port, n, served, o.Files)
			for _, s := range sockets {
				ports = append(ports, s)
			}
			return ports, err
		},
	})
	return s, err
}

// host describes this machine to ntpq.
func host(precision ntptime.Exponent) mode6.Host {
	h := mode6.Host{PrecisionLog2: int(precision)}
	var u unix.Utsname
	if err := unix.Uname(&u); err == nil {
		h.Processor = unix.ByteSliceToString(u.Machine[:])
		h.System = unix.ByteSliceToString(u.Sysname[:])
		h.Release = unix.ByteSliceToString(u.Release[:])
	}
	return h
}

// kernel tells ntpq of the kernel's clock.
func kernel() (mode6.Kernel, error) {
	d, err := sysclock.ReadDiscipline()
	return mode6.Kernel(d), err
}

// Run serves until ctx ends.
func (s *Server) Run(ctx context.Context) {
	var beside sync.WaitGroup
	beside.Go(func() { s.changes.follow(ctx) })
	s.Responder.Run(ctx)
	beside.Wait()
	s.keys.Flush()
}

// Answering answers what is asked about the server, and leaves the rest to
// next.
func (s *Server) Answering(next control.Handler) control.Handler {
	return s.lan.Answering(s.Responder.Answering(next))
}

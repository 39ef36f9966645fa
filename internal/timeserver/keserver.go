package timeserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/config"
	"ntsd/internal/ntske"
	"ntsd/internal/responder"
	"ntsd/internal/status"
)

// closeGrace is how long a server that is to end waits at most for the clients
// that it talks to: no change of the configuration breaks off a handshake.
const closeGrace = 2 * time.Second

// expiresSoon is when a certificate that somebody else has to renew is worth a
// line in the log.
const expiresSoon = 14 * 24 * time.Hour

// keServers starts NTS-KE servers, one after the other.
type keServers struct {
	lan   *lanServer
	log   *slog.Logger
	given []*net.TCPListener // by systemd; never closed
	last  *keServer          // started before; nil: none

	addresses func(interfaces []string) ([]netip.Addr, error)
}

// keServer is a running NTS-KE server.
type keServer struct {
	*ntske.Server
	cfg   config.NTSServer
	lan   *lanServer // nil: not wanted
	log   *slog.Logger
	pairs *ntske.KeyPairs
	files []string
	seen  []time.Time // when the files were last written, as read

	grants *responder.Grants
	told   clock.Wall // the end of a certificate that the log has had

	ctx   context.Context // of the clients; Close ends it
	end   context.CancelFunc
	from  *keServers
	open  map[netip.AddrPort]*net.TCPListener
	ended sync.WaitGroup
}

// listen starts an NTS-KE server.
func (s *keServers) listen(cfg config.NTSServer, g *responder.Grants) (responder.KE, error) {
	k := &keServer{cfg: cfg, log: s.log, grants: g, pairs: new(ntske.KeyPairs), open: make(map[netip.AddrPort]*net.TCPListener), from: s}
	if cfg.SelfSigned {
		k.lan = s.lan
		k.lan.use(&k.cfg, g)
		if err := k.lan.keep(); err != nil && len(cfg.Certs) == 0 {
			return nil, err
		}
	}
	if err := k.loadFiles(); err != nil {
		return nil, err
	}
	var err error
	k.Server, err = ntske.NewServer(ntske.ServerConfig{
		Certificate: k.pairs.Certificate, Cookies: g, Admit: g.Admit, NTPServer: cfg.NTPServer, NTPPort: cfg.NTPPort,
		MaxConnections: cfg.MaxConnections, Timeout: cfg.Timeout,
	})
	if err != nil {
		return nil, err
	}
	k.ctx, k.end = context.WithCancel(context.Background())
	var before map[netip.AddrPort]*net.TCPListener
	if s.last != nil {
		before = s.last.open
	}
	if err := k.follow(before); err != nil && len(k.open) == 0 {
		_ = k.Close()
		return nil, err
	}
	s.last = k
	k.remind()
	return k, nil
}

// loadFiles reads the certificates that the configuration names.
func (k *keServer) loadFiles() error {
	var files []ntske.KeyPairFiles
	for i := range k.cfg.Certs {
		files = append(files, ntske.KeyPairFiles{Cert: k.cfg.Certs[i], Key: k.cfg.Keys[i]})
		k.files = append(k.files, k.cfg.Certs[i], k.cfg.Keys[i])
	}
	k.seen = k.written()
	if len(files) > 0 {
		var err error
		if k.pairs, err = ntske.LoadKeyPairs(files...); err != nil {
			return err
		}
	}
	if k.lan != nil {
		k.pairs.Beside = k.lan.Certificate
	}
	return nil
}

// written returns when each file was last written; zero where that cannot be
// told.
func (k *keServer) written() []time.Time {
	times := make([]time.Time, len(k.files))
	for i, f := range k.files {
		if info, err := os.Stat(f); err == nil {
			times[i] = info.ModTime()
		}
	}
	return times
}

// follow listens where the configuration wants it now, and no longer where an
// address has gone. What cannot be opened is tried again the next time. Sockets
// that another server has open are shared with it.
func (k *keServer) follow(others map[netip.AddrPort]*net.TCPListener) error {
	wanted, err := k.wanted()
	if err != nil {
		return err
	}
	for at, ln := range k.open {
		if _, stays := wanted[at]; !stays {
			_ = ln.Close() // ends its Serve
			delete(k.open, at)
		}
	}
	for at, given := range wanted {
		if k.open[at] != nil {
			continue
		}
		ln, listenErr := listenTCP(at, given, others[at])
		if listenErr != nil {
			err = errors.Join(err, listenErr)
			continue
		}
		k.open[at] = ln
		k.ended.Go(func() { _ = k.Serve(k.ctx, ln) })
	}
	return err
}

// wanted returns where to listen, each with the socket that systemd gave for
// it, or nil. On a port that it gave sockets for, they are all; on another one
// it is everywhere, where the configuration names no interface.
func (k *keServer) wanted() (map[netip.AddrPort]*net.TCPListener, error) {
	addrs := []netip.Addr{{}}
	if len(k.cfg.Interfaces) > 0 {
		var err error
		if addrs, err = k.from.addresses(k.cfg.Interfaces); err != nil {
			return nil, err
		}
	}
	wanted := make(map[netip.AddrPort]*net.TCPListener)
	for _, p := range k.cfg.Ports {
		given := false
		for _, ln := range k.from.given {
			if at := ln.Addr().(*net.TCPAddr).AddrPort(); at.Port() == p {
				wanted[at], given = ln, true
			}
		}
		for _, a := range addrs {
			if !given {
				wanted[netip.AddrPortFrom(a, p)] = nil
			}
		}
	}
	if len(wanted) == 0 && len(k.open) == 0 {
		return nil, fmt.Errorf("no address on interface %v now", k.cfg.Interfaces)
	}
	return wanted, nil
}

// listenTCP listens on an address, or on all where it is none: on one of the
// sockets, if there is one, so that connections which wait there stay.
func listenTCP(at netip.AddrPort, sockets ...*net.TCPListener) (*net.TCPListener, error) {
	for _, s := range sockets {
		if s == nil {
			continue
		}
		if ln, err := duplicate(s); err == nil {
			return ln, nil
		}
	}
	host := ""
	if at.Addr().IsValid() {
		host = at.Addr().String()
	}
	// Connections are too short to be kept alive, and asking for it would be a
	// fifth of their system calls.
	config := net.ListenConfig{KeepAlive: -1}
	ln, err := config.Listen(context.Background(), "tcp", net.JoinHostPort(host, fmt.Sprint(at.Port())))
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%w; another program listens there", err)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w; ports below 1024 need root or CAP_NET_BIND_SERVICE", err)
	case err != nil:
		return nil, err
	}
	return ln.(*net.TCPListener), nil
}

// duplicate returns the same socket, which lives until both are closed.
func duplicate(ln *net.TCPListener) (*net.TCPListener, error) {
	f, err := ln.File()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	again, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	return again.(*net.TCPListener), nil
}

// Reload reads the certificates again if a file was written since, replaces
// that of the LAN if its time has come, and follows the addresses of
// interfaces.
func (k *keServer) Reload() error {
	err := k.follow(nil)
	if k.lan != nil {
		// Before the time is known the other certificates serve alone.
		if bad := k.lan.keep(); !errors.Is(bad, responder.ErrNotYet) {
			err = errors.Join(err, bad)
		}
	}
	defer k.remind()
	now := k.written()
	changed := false
	for i := range now {
		changed = changed || !now[i].Equal(k.seen[i])
	}
	if !changed {
		return err
	}
	if bad := k.pairs.Reload(); bad != nil {
		return errors.Join(err, bad) // and tried again the next time
	}
	k.seen = now
	return err
}

// remind says once that a certificate ends soon, or has ended, if the time is
// known.
func (k *keServer) remind() {
	now, believed := k.grants.Time()
	if !believed || len(k.files) == 0 {
		return
	}
	end := k.pairs.NotAfter()
	if end == k.told || end.Sub(now).Duration() > expiresSoon {
		return
	}
	k.told = end
	if end.Before(now) {
		k.log.Warn("the certificate of the NTS server has expired: clients refuse it", "not_after", status.Time(end))
		return
	}
	k.log.Warn("the certificate of the NTS server expires soon", "not_after", status.Time(end))
}

// Counts returns the connections served and refused, and their fates.
func (k *keServer) Counts() (accepted, dropped uint64, fates status.KECounts) {
	c := k.Counters()
	return c.Accepted, c.Dropped, status.KECounts{
		Good: c.Good, Bad: c.Bad, Handshake: c.Handshake, Slow: c.Slow, Displaced: c.Displaced,
		Refused: c.Refused, Crowded: c.Crowded,
	}
}

// Close ends the server. It waits for its clients, those that take too long are
// hung up on.
func (k *keServer) Close() error {
	for _, ln := range k.open {
		_ = ln.Close()
	}
	late := time.AfterFunc(closeGrace, k.end)
	k.ended.Wait()
	late.Stop()
	k.end()
	if k.lan != nil {
		k.lan.release(&k.cfg)
	}
	return nil
}

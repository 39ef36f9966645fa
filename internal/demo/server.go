package demo

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"ntsd/internal/clock"
	"ntsd/internal/nts"
	"ntsd/internal/server"
)

// maxDatagram is the longest request that is read whole: longer ones are cut
// and then fail to parse. It is well above nts.MaxRequestLen.
const maxDatagram = 4096

// Server is one running server. Its methods may be called from any goroutine.
type Server struct {
	cfg    ServerConfig
	ke     net.Listener // nil without key establishment
	ntp    *net.UDPConn
	faults faults
	stop   context.CancelFunc
	joined sync.WaitGroup

	mu    sync.Mutex // guards what follows; held while a reply is made
	core  *server.Server
	ring  *nts.Keyring
	stats Stats
}

// Stats counts what a server has seen and done.
type Stats struct {
	KEConnections uint64        // TCP connections accepted
	KEDone        uint64        // key establishments that ended with cookies
	Requests      uint64        // datagrams
	Replies       uint64        // datagrams sent, NAKs among them
	NAKs          uint64        // replies that were NTS NAKs
	Withheld      uint64        // replies that a fault kept back
	Tampered      uint64        // replies that a fault changed
	Verdicts      server.Counts // by verdict, of all requests that were looked at
}

// Start runs a server until Close or the end of ctx, whichever is first.
func Start(ctx context.Context, cfg ServerConfig) (*Server, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	ring, err := newRing()
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg:  cfg,
		core: server.New(server.Config{Cookies: ring, Rand: rand.Reader}),
		ring: ring,
	}
	s.SetOffset(cfg.Offset)
	if s.ntp, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(cfg.NTPAddr)); err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	if cfg.KEAddr.IsValid() {
		if s.ke, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(cfg.KEAddr)); err != nil {
			s.ntp.Close()
			return nil, fmt.Errorf("demo: %w", err)
		}
	}
	ctx, s.stop = context.WithCancel(ctx)
	context.AfterFunc(ctx, s.closeSockets)
	s.joined.Go(s.serveNTP)
	if s.ke != nil {
		s.joined.Go(func() { s.serveKE(ctx) })
	}
	return s, nil
}

// Close stops the server and waits for everything it started.
func (s *Server) Close() {
	s.stop()
	s.joined.Wait()
}

func (s *Server) closeSockets() {
	s.ntp.Close()
	if s.ke != nil {
		s.ke.Close()
	}
}

// NTPAddr returns where the server listens for NTP.
func (s *Server) NTPAddr() netip.AddrPort {
	return s.ntp.LocalAddr().(*net.UDPAddr).AddrPort()
}

// KEAddr returns where the server listens for key establishments; the zero
// AddrPort when it does not.
func (s *Server) KEAddr() netip.AddrPort {
	if s.ke == nil {
		return netip.AddrPort{}
	}
	return s.ke.Addr().(*net.TCPAddr).AddrPort()
}

// Stats returns the counters.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Verdicts = s.core.Counts()
	st.NAKs = st.Verdicts[server.NAK]
	return st
}

// now is the server's own, perhaps wrong, idea of the time.
func (s *Server) now() clock.Wall {
	return s.cfg.Now().Add(s.faults.offset().Duration())
}

// serveNTP answers datagrams until the socket is closed.
func (s *Server) serveNTP() {
	buf := make([]byte, maxDatagram)
	reply := make([]byte, 0, maxDatagram)
	local := s.NTPAddr().Addr()
	for {
		n, from, err := s.ntp.ReadFromUDPAddrPort(buf)
		received := s.now()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an ICMP error that came back for an earlier reply
		}
		reply = s.answer(reply[:0], server.Request{Data: buf[:n], From: from, Local: local, Received: received})
		if len(reply) > 0 {
			// A reply that cannot be sent is a lost packet, no more.
			_, _ = s.ntp.WriteToUDPAddrPort(reply, from)
		}
	}
}

// answer appends the reply to dst, as the faults leave it.
func (s *Server) answer(dst []byte, req server.Request) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Requests++
	if s.faults.paused.Load() {
		return dst
	}
	now := s.now()
	reply, v := s.core.Reply(dst, req, now, s.cfg.system(now))
	switch {
	case !v.Replies():
		return dst
	case s.faults.withhold():
		s.stats.Withheld++
		return dst
	case s.faults.tamper(reply[len(dst):]):
		s.stats.Tampered++
	}
	s.stats.Replies++
	return reply
}

// newRing returns a ring with one random key of a random name.
func newRing() (*nts.Keyring, error) {
	var key nts.CookieKey
	var id [4]byte
	rand.Read(key.Key[:])
	rand.Read(id[:])
	key.ID = binary.BigEndian.Uint32(id[:])
	ring, err := nts.NewKeyring(key)
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	return ring, nil
}

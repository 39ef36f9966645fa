package demo

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/linux/udp"
	"ntsd/internal/nts"
	"ntsd/internal/ntske"
	"ntsd/internal/server"
)

// Server is one running server. Its methods may be called from any goroutine.
type Server struct {
	cfg    ServerConfig
	ke     *ntske.Server // nil without key establishment, like keAddr
	keAddr netip.AddrPort
	ntp    *udp.Server
	faults faults
	stop   context.CancelFunc
	joined sync.WaitGroup

	sending sync.Mutex // held while ntp sends

	mu    sync.Mutex // guards what follows; held while a reply or a cookie is made
	core  *server.Server
	key   nts.CookieKey // the ring's current one
	ring  *nts.Keyring
	stats Stats
}

// Stats counts what a server has seen and done.
type Stats struct {
	KEConnections uint64        // TCP connections, those that Pause hung up on among them
	KEDone        uint64        // key establishments that ended with cookies
	KEFailed      uint64        // those that ended without
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
	s := &Server{cfg: cfg, core: server.New(server.Config{Rand: rand.Reader})}
	if err := s.LoseKeys(); err != nil {
		return nil, err
	}
	s.SetOffset(cfg.Offset)
	if s.ntp, err = udp.Listen(cfg.NTPAddr, udp.ListenConfig{Now: machineWall}); err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	ctx, s.stop = context.WithCancel(ctx)
	if err := s.startKE(ctx); err != nil {
		s.stop()
		s.ntp.Close()
		return nil, err
	}
	// Joined, so that after Close the address is free.
	s.joined.Go(func() {
		<-ctx.Done()
		s.ntp.Close()
	})
	s.joined.Go(func() { s.serveNTP(ctx) })
	return s, nil
}

// startKE starts the half that establishes keys, if there is to be one.
func (s *Server) startKE(ctx context.Context) error {
	if !s.cfg.KEAddr.IsValid() {
		return nil
	}
	ke, err := s.newKE(s.NTPAddr())
	if err != nil {
		return err
	}
	ln, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(s.cfg.KEAddr))
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	s.ke, s.keAddr = ke, ln.Addr().(*net.TCPAddr).AddrPort()
	s.joined.Go(func() {
		// It ends with ctx; that a listener fails for good is not foreseen,
		// and clients would see it.
		_ = ke.Serve(ctx, ln)
	})
	return nil
}

// Close stops the server and waits for everything it started.
func (s *Server) Close() {
	s.stop()
	s.joined.Wait()
}

// NTPAddr returns where the server listens for NTP.
func (s *Server) NTPAddr() netip.AddrPort { return s.ntp.Addr() }

// KEAddr returns where the server listens for key establishments; the zero
// AddrPort when it does not.
func (s *Server) KEAddr() netip.AddrPort { return s.keAddr }

// Stats returns the counters.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Verdicts = s.core.Counts()
	st.NAKs = st.Verdicts[server.NAK]
	if s.ke != nil {
		c := s.ke.Counters()
		st.KEConnections, st.KEDone, st.KEFailed = c.Accepted+c.Dropped, c.Good, c.Handshake+c.Bad
	}
	return st
}

func machineWall() clock.Wall { return clock.WallTime(time.Now()) }

// now is the server's own, perhaps wrong, idea of the time.
func (s *Server) now() clock.Wall {
	return s.cfg.Now().Add(s.faults.offset().Duration())
}

// serveNTP answers datagrams until the socket is closed.
func (s *Server) serveNTP(ctx context.Context) {
	buf := make([]byte, udp.MaxDatagram)
	reply := make([]byte, 0, udp.MaxDatagram)
	for {
		n, in, err := s.ntp.ReadFrom(buf)
		if errors.Is(err, os.ErrClosed) {
			return
		}
		if err != nil {
			continue // an ICMP error for an earlier reply, or a datagram too long
		}
		// The stamp is the machine's clock; the time served may be any other.
		age := machineWall().Sub(in.Rx.Wall).Duration()
		reply = s.answer(reply[:0], server.Request{
			Data: buf[:n], From: in.From, Local: in.Local, Received: s.now().Add(-age),
		})
		if d := time.Duration(s.faults.delay.Load()); d > 0 && len(reply) > 0 {
			late := slices.Clone(reply)
			s.joined.Go(func() {
				select {
				case <-time.After(d):
					s.send(late, in)
				case <-ctx.Done():
				}
			})
		} else if len(reply) > 0 {
			s.send(reply, in)
		}
	}
}

// send sends a reply. One that cannot be sent is a lost packet, no more.
func (s *Server) send(reply []byte, in udp.Request) {
	s.sending.Lock()
	defer s.sending.Unlock()
	_ = s.ntp.WriteTo(reply, in)
}

// answer appends the reply to dst, as the faults leave it.
func (s *Server) answer(dst []byte, req server.Request) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Requests++
	if s.cfg.Seen != nil {
		s.cfg.Seen(req.Data)
	}
	if s.faults.paused.Load() || s.faults.swallowed(len(req.Data)) {
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

// newKey returns a random key of a random name.
func newKey() nts.CookieKey {
	var key nts.CookieKey
	var id [4]byte
	rand.Read(key.Key[:])
	rand.Read(id[:])
	key.ID = binary.BigEndian.Uint32(id[:])
	return key
}

package main

import (
	"sync"
	"sync/atomic"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/daemon"
	"ntsd/internal/event"
	"ntsd/internal/linux/udp"
	"ntsd/internal/server"
	"ntsd/internal/wire"
)

// relay hands on what peers ask like clients to the server beside the daemon,
// which is made after the sockets' maker.
type relay struct {
	answer atomic.Pointer[func(server.Request) []byte]
}

// reply returns nil where there is none.
func (r *relay) reply(req server.Request) []byte {
	if r == nil {
		return nil
	}
	if f := r.answer.Load(); f != nil {
		return (*f)(req)
	}
	return nil
}

// maxOnTheWay is how much later than it was sent a packet can have left. If it
// seems more the clock was stepped meanwhile.
const maxOnTheWay = time.Second

// peerSocket is a socket for many packets. The kernel's word about when one of
// them left may be asked for long after that, when its clock has moved on: it is
// held against a reading from the time of sending.
type peerSocket struct {
	*socket

	mu   sync.Mutex
	wall clock.Wall // the kernel's clock when the latest packet was sent
	mono clock.Mono // and what that is on the undisciplined scale
}

// Send sends a packet of the association.
func (s *peerSocket) Send(b []byte) error {
	s.mu.Lock()
	s.wall = s.clock.KernelWall()
	s.mono = s.clock.MonoAt(s.wall)
	s.mu.Unlock()
	return s.Conn.Send(b)
}

// Receive waits for a packet of the other side. Its requests are answered on the
// way, since the server does not see them.
func (s *peerSocket) Receive(buf []byte) (daemon.Datagram, error) {
	for {
		n, rx, err := s.Conn.Receive(buf)
		if err != nil {
			return daemon.Datagram{}, err
		}
		if h, err := wire.ParseHeader(buf[:n]); err == nil && h.Mode == wire.ModeClient {
			req := server.Request{Data: buf[:n], From: s.Remote(), Local: s.Local().Addr(), Received: rx.Wall}
			if reply := s.asked.reply(req); reply != nil {
				_ = s.Conn.Reply(reply) // the other side asks again
			}
			continue
		}
		return daemon.Datagram{
			Length: n, From: s.Remote(), Local: s.Local().Addr(), Sent: s.left(s.Tx()), Received: s.stamp(rx),
		}, nil
	}
}

// left puts the time at which the latest packet left on the undisciplined scale.
func (s *peerSocket) left(tx udp.Stamp) event.Stamp {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := tx.Wall.Sub(s.wall).Duration()
	if tx.Kind != udp.Kernel || d < 0 || d > maxOnTheWay {
		return event.Stamp{At: s.mono, Kind: event.StampDaemon}
	}
	return event.Stamp{At: s.mono.Add(d), Kind: event.StampKernel}
}

package demo

import (
	"fmt"
	"sync/atomic"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/nts"
	"ntsd/internal/wire"
)

// tamperAt is the byte of a reply that Tamper changes: the second lowest of
// the transmit timestamp's seconds, so that the time is off by 256 s.
const tamperAt = wire.HeaderLen - 6

// faults is what is wrong with a server at the moment. The zero value is a
// server without fault.
type faults struct {
	paused    atomic.Bool
	silent    atomic.Bool
	drops     atomic.Int64 // replies still to withhold
	tampers   atomic.Int64 // replies still to change
	wallError atomic.Int64 // clock.Offset
	delay     atomic.Int64 // time.Duration
	longest   atomic.Int64 // bytes of a request that arrives; 0: any
}

func (f *faults) offset() clock.Offset { return clock.Offset(f.wallError.Load()) }

// withhold reports whether the next reply is to be lost.
func (f *faults) withhold() bool { return f.silent.Load() || countDown(&f.drops) }

// swallowed reports whether a request of that length never arrives.
func (f *faults) swallowed(length int) bool {
	longest := f.longest.Load()
	return longest > 0 && int64(length) > longest
}

// tamper changes reply if the next one is to be changed.
func (f *faults) tamper(reply []byte) bool {
	if !countDown(&f.tampers) {
		return false
	}
	reply[tamperAt] ^= 1
	return true
}

// countDown takes one from n if there is any left. Its callers hold Server.mu,
// so that only the test that sets n races with it, harmlessly.
func countDown(n *atomic.Int64) bool {
	left := n.Load()
	return left > 0 && n.CompareAndSwap(left, left-1)
}

// SetOffset changes by how much the server's clock is ahead.
func (s *Server) SetOffset(o clock.Offset) { s.faults.wallError.Store(int64(o)) }

// LoseKeys makes the server forget its cookie keys, as after a restart without
// saved ones: cookies that clients hold earn a NAK from now on.
func (s *Server) LoseKeys() error {
	return s.useKeys(newKey())
}

// RotateKeys makes the server seal new cookies under a new key; the cookies
// that clients hold are good until the next rotation.
func (s *Server) RotateKeys() error {
	s.mu.Lock()
	old := s.key
	s.mu.Unlock()
	return s.useKeys(newKey(), old)
}

// useKeys seals with current from now on, and opens with others, too.
func (s *Server) useKeys(current nts.CookieKey, others ...nts.CookieKey) error {
	ring, err := nts.NewKeyring(current, others...)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key, s.ring = current, ring
	s.core.SetCookies(ring)
	return nil
}

// DropLonger loses all requests of more than n bytes on their way, as some
// networks do; 0 ends it.
func (s *Server) DropLonger(n int) { s.faults.longest.Store(int64(n)) }

// SetDelay holds replies back for so long on their way, as an attacker on the
// path can.
func (s *Server) SetDelay(d time.Duration) { s.faults.delay.Store(int64(d)) }

// DropReplies loses the next n replies on the way.
func (s *Server) DropReplies(n int) { s.faults.drops.Store(int64(n)) }

// Tamper changes the time in the next n replies, as an attacker on the path
// would.
func (s *Server) Tamper(n int) { s.faults.tampers.Store(int64(n)) }

// NoReply loses all NTP replies while on; key establishments go on.
func (s *Server) NoReply(on bool) { s.faults.silent.Store(on) }

// Pause makes the server as good as switched off: requests are not answered,
// and key establishments are hung up on.
func (s *Server) Pause() { s.faults.paused.Store(true) }

// Resume ends Pause.
func (s *Server) Resume() { s.faults.paused.Store(false) }

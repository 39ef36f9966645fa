package server

import (
	"testing"
	"time"
	"unsafe"

	"ntsd/internal/ntptime"
)

// TestStampsSet: a look-up touches one cache line, which is what it costs.
func TestStampsSet(t *testing.T) {
	const line = 64
	if got := unsafe.Sizeof([stampWays]pair{}); got != line {
		t.Errorf("a set of pairs has %d bytes, want %d", got, line)
	}
}

// TestStampsStay: what cannot be when a reply left is not told.
func TestStampsStay(t *testing.T) {
	const rx = ntptime.Timestamp(0xe000_0000_1234_5678)
	const second = ntptime.Timestamp(1) << 32
	for _, c := range []struct {
		tx   ntptime.Timestamp
		kept bool
	}{
		{rx, true},
		{rx + 1, true},
		{rx + second - 1, true},
		{rx + second, false},
		{rx - 1, false},
		{0, false},
	} {
		s := newStamps(64)
		s.remember(1<<40|5, rx, c.tx, true)
		tx, ok := s.recall(1<<40|5, rx)
		if ok != c.kept || ok && tx != c.tx {
			t.Errorf("left at %x: got %x %v, want it kept: %v", c.tx, tx, ok, c.kept)
		}
		if _, ok := s.recall(9, rx); ok {
			t.Errorf("left at %x: told to another client", c.tx)
		}
	}
}

// TestStampsRank: pairs that interleaved clients wait for yield last, and the
// older ones first.
func TestStampsRank(t *testing.T) {
	const rx = ntptime.Timestamp(0xe000_0000_1234_5678)
	now := rx + ntptime.Timestamp(10)<<32
	waited, served := pair{rx: rx, flags: inUse | awaited}, pair{rx: rx + 1<<32, flags: inUse}
	if waited.rank(now) >= served.rank(now) {
		t.Error("a pair that is waited for yields to one that is not")
	}
	later := now + ntptime.Timestamp(provenFor/time.Second)<<32
	if waited.rank(later) < served.rank(later) {
		t.Error("a pair is waited for without end")
	}
}

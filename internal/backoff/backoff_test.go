package backoff

import (
	"net/netip"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/nts"
)

// none adds nothing, most all there is.
func none(time.Duration) time.Duration  { return 0 }
func all(d time.Duration) time.Duration { return d }
func at(d time.Duration) clock.Reading {
	return clock.Reading{Mono: clock.Mono(d), Wall: clock.Wall(1_800_000_000e9 + d)}
}
func (s *State) until(d time.Duration) time.Duration { return s.NotBefore.Sub(clock.Mono(d)) }

// RFC 8915 §4.2: "t = min(10 * 1.5^(n-1), 432000)"; the jitter only adds.
func TestIntervals(t *testing.T) {
	var s, slow State
	want := Least
	for n := 1; n <= 2*maxFailures; n++ {
		s.Begin(at(0), none)
		s.Failed(at(0), nts.FailureTLS, false, none)
		slow.Begin(at(0), all)
		slow.Failed(at(0), nts.FailureTLS, false, all)
		if got := s.until(0); got != want {
			t.Fatalf("failure %d: %v, want %v", n, got, want)
		}
		if got, limit := slow.until(0), min(want+want/8, most); got != limit {
			t.Fatalf("failure %d: %v with all jitter, want %v", n, got, limit)
		}
		want = min(want*3/2, most)
	}
	if s.Failures != maxFailures {
		t.Errorf("counts %d failures, want no more than %d", s.Failures, maxFailures)
	}
}

// A crash in the middle counts as a failure, but not for days.
func TestBegin(t *testing.T) {
	s := State{Failures: 40}
	if s.Begin(at(time.Minute), none); s.until(time.Minute) != mostCrash || s.Failures != 41 {
		t.Errorf("got %v after %d failures, want %v after 41", s.until(time.Minute), s.Failures, mostCrash)
	}
}

// What did not reach the server costs less: it is no failure of the server's, and
// what left no machine that has no time yet is tried again at once.
func TestNetwork(t *testing.T) {
	var s State
	for range 30 {
		s.Begin(at(0), none)
		s.Failed(at(0), nts.FailureNetwork, false, none)
	}
	if s.Failures != 0 || s.Network != 30 || s.until(0) != mostNetwork {
		t.Errorf("got %+v, want 0 failures, 30 of the network, wait %v", s, mostNetwork)
	}
	s.Begin(at(0), none)
	if s.Failed(at(0), nts.FailureNetwork, true, none); s.until(0) != noRoute {
		t.Errorf("without a route: %v, want %v", s.until(0), noRoute)
	}
	for range maxFailures {
		s.Failed(at(0), nts.FailureNetwork, true, none)
	}
	if s.until(0) != mostNetwork {
		t.Errorf("without a route for long: %v, want %v", s.until(0), mostNetwork)
	}
	s.Begin(at(0), none)
	if s.Failed(at(0), nts.FailureTLS, false, none); s.Network != 0 || s.until(0) != Least {
		t.Errorf("then a failure of the server's: %+v, want the least wait %v", s, Least)
	}
}

// Only a use ends it, and then what was saved is dropped, once.
func TestUsed(t *testing.T) {
	var s State
	for range 3 {
		s.Begin(at(0), none)
	}
	s.Established(at(0), none)
	if want := Least * 9 / 4; s.until(0) != want || s.Failures != 3 {
		t.Errorf("established: %v after %d failures, want %v after 3", s.until(0), s.Failures, want)
	}
	server := netip.MustParseAddrPort("192.0.2.1:4460")
	a := s.Save(at(time.Second), server)
	if a.Failures != 3 || a.Addr != server.Addr() || a.Port != 4460 || a.NotBefore != at(0).Wall.Add(Least*9/4) {
		t.Errorf("saved %+v", a)
	}
	if !s.Used() || s != (State{}) {
		t.Errorf("used: %+v, want nothing left, and what was saved dropped", s)
	}
	if s.Used() {
		t.Error("dropped twice")
	}
}

// A clock that was wrong by years makes nobody wait for years.
func TestRestore(t *testing.T) {
	var s State
	s.Restore(at(0), State{Failures: 2, NotBefore: clock.Mono(1000 * time.Hour), Saved: true}, none)
	if want := Least * 3 / 2; s.until(0) != want || !s.Saved {
		t.Errorf("got %+v, want a wait of %v", s, want)
	}
	s = State{}
	if s.Restore(at(0), State{Failures: -1, NotBefore: clock.Mono(time.Hour)}, none); s != (State{}) {
		t.Errorf("no failures: got %+v, want none", s)
	}
}

// A step cures what was wrong with dates, a new link what the network refused.
func TestCures(t *testing.T) {
	for _, c := range []struct {
		class        nts.FailureClass
		step, online bool
	}{
		{nts.FailureCertificate, true, false},
		{nts.FailureNetwork, false, true},
		{nts.FailureTLS, false, false},
	} {
		failed := func() *State {
			var s State
			s.Begin(at(0), none)
			s.Failed(at(0), c.class, false, none)
			return &s
		}
		s := failed()
		if got := s.HandleStep(at(time.Second)); got != c.step || (s.until(time.Second) <= 0) != c.step {
			t.Errorf("class %v: a step cures it: %t (%+v), want %t", c.class, got, s, c.step)
		}
		s = failed()
		if got := s.HandleOnline(at(time.Second)); got != c.online || (s.until(time.Second) <= 0) != c.online {
			t.Errorf("class %v: a link cures it: %t (%+v), want %t", c.class, got, s, c.online)
		}
	}
}

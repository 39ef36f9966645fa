// Package backoff is how long the key establishment of one server must be left
// alone: what RFC 8915 section 4.2 asks for, and what failures that cost the server
// nothing may spare us. It is layer 2, deterministic and without I/O.
//
// Non-goals: the key establishment itself (assoc), and which servers are remembered
// without an association (memory).
package backoff

import (
	"net/netip"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/nts"
)

// Specification constants (RFC 8915 section 4.2).
const (
	Least = 10 * time.Second   // "initial and minimum retry interval of 10 seconds"
	most  = 5 * 24 * time.Hour // "a maximum retry interval of 5 days"
)

// Implementation constants.
const (
	// mostNetwork bounds the wait after failures that cost the server nothing: no
	// route, refused, no answer.
	mostNetwork = 15 * time.Minute
	// noRoute is the wait after one that did not leave a machine that knows no
	// time yet.
	noRoute = 2 * time.Second
	// mostCrash bounds the wait after a key establishment that a crash or a power
	// cut interrupted.
	mostCrash = time.Hour
	// maxFailures is where the interval has long reached its bound.
	maxFailures = 64
)

// State is what an association must know, and a later one with the same server.
// The zero value is a server that was never asked.
type State struct {
	Failures  int              // attempts since the last authenticated reply
	Network   int              // those in a row, not among Failures, that reached no server
	NotBefore clock.Mono       // of the next attempt
	Class     nts.FailureClass // of the last one
	Saved     bool             // on disk, for the next start
	Told      string           // the reason that people know already
}

// Jitter returns a uniform duration in [0, d).
type Jitter func(d time.Duration) time.Duration

// wait returns the wait after so many failures.
// RFC 8915 §4.2: "t = min(10 * 1.5^(n-1), 432000)" is the least for the nth
// retry, so the jitter only adds.
func (s *State) wait(class nts.FailureClass, jitter Jitter) time.Duration {
	n, limit := s.Failures, most
	if class == nts.FailureNetwork {
		n, limit = s.Network, mostNetwork
	}
	d := Least
	for range n - 1 {
		if d = d * 3 / 2; d >= limit {
			d = limit
			break
		}
	}
	return min(d+jitter(d/8), most)
}

// Begin notes an attempt.
// RFC 8915 §4.2: "MUST NOT reset the retry interval until they have performed a
// successful key establishment [...] followed by a successful use": the attempt
// counts as failed until then. The caller saves that first: a daemon that crashes
// while establishing keys must not hammer the server.
func (s *State) Begin(now clock.Reading, jitter Jitter) {
	s.Failures = min(s.Failures+1, maxFailures)
	s.NotBefore = now.Mono.Add(min(s.wait(nts.FailureNone, jitter), mostCrash))
}

// Established notes a success, whose use is still to come.
func (s *State) Established(now clock.Reading, jitter Jitter) {
	s.Told, s.Class, s.Network = "", nts.FailureNone, 0
	s.NotBefore = now.Mono.Add(s.wait(s.Class, jitter))
}

// Failed notes a failure. free says that the attempt did not leave a machine that
// waits for its first time: one that boots has none until its line is up, and
// asking its own kernel costs nobody anything.
func (s *State) Failed(now clock.Reading, class nts.FailureClass, free bool, jitter Jitter) {
	s.Class = class
	if class == nts.FailureNetwork {
		s.Failures, s.Network = max(0, s.Failures-1), min(s.Network+1, maxFailures)
	} else {
		s.Network = 0
	}
	s.NotBefore = now.Mono.Add(s.wait(class, jitter))
	if free && s.Network < maxFailures {
		s.NotBefore = min(s.NotBefore, now.Mono.Add(noRoute))
	}
}

// Used ends the backoff: the keys have worked. It reports whether what was saved
// is to be dropped.
func (s *State) Used() (drop bool) {
	if s.Failures == 0 && !s.Saved {
		return false
	}
	drop = s.Saved
	s.Failures, s.NotBefore, s.Saved = 0, 0, false
	return drop
}

// Restore takes over what an earlier association knew. However wrong the clock was
// that it was saved under, the wait is no longer than the failures call for.
func (s *State) Restore(now clock.Reading, old State, jitter Jitter) {
	s.Failures, s.Class = min(max(old.Failures, 0), maxFailures), old.Class
	s.Saved, s.Told, s.Network = old.Saved, old.Told, old.Network
	if s.Failures > 0 || s.Network > 0 {
		s.NotBefore = min(old.NotBefore, now.Mono.Add(s.wait(s.Class, jitter)))
	}
}

// HandleStep ends the wait where a step of the clock may have cured the failure:
// certificates that were refused for their dates may be good now. It reports
// whether it did.
func (s *State) HandleStep(now clock.Reading) bool {
	if s.Class != nts.FailureCertificate {
		return false
	}
	s.Failures, s.NotBefore, s.Class = 0, now.Mono, nts.FailureNone
	return true
}

// HandleOnline is the same for a new link.
func (s *State) HandleOnline(now clock.Reading) bool {
	if s.Class != nts.FailureNetwork {
		return false
	}
	s.Network, s.NotBefore, s.Class = 0, now.Mono, nts.FailureNone
	return true
}

// Save notes that the state goes to disk, and returns it for that.
func (s *State) Save(now clock.Reading, server netip.AddrPort) event.SaveBackoff {
	s.Saved = true
	return event.SaveBackoff{
		Addr: server.Addr(), Port: server.Port(), Failures: max(1, s.Failures),
		NotBefore: now.Wall.Add(s.NotBefore.Sub(now.Mono)),
	}
}

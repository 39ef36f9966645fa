// Package local decides when a clock is its own reference: a server that goes
// on when its sources are gone, with chrony's meaning of the directive local, so
// that a house whose line is down keeps one time. It is layer 2 and free of I/O.
//
// Non-goals: the election among orphans (selection), and what is said to clients
// (engine).
package local

import (
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/wire"
)

// Config says when. Enabled false: never.
type Config struct {
	Enabled bool
	Stratum uint8 // of the local clock, high enough that nobody prefers it
	// Orphan lets servers of this stratum that poll each other agree on one.
	Orphan bool
	// Distance is the root distance up to which a clock that follows somebody
	// speaks for itself.
	Distance time.Duration
	// Activate, if not 0: not before the root distance was once below it, so
	// that a clock which never knew the time does not spread it.
	Activate time.Duration
	// WaitSynced is how long after the latest update to wait.
	WaitSynced time.Duration
	// WaitUnsynced is how long a clock that follows nobody waits: sources get
	// their chance.
	WaitUnsynced time.Duration
}

// Clock is the clock at one moment.
type Clock struct {
	At        clock.Mono
	Following bool          // somebody's time
	Since     clock.Mono    // of the last change of that
	Distance  time.Duration // root distance, while Following
}

// State is what is to be remembered. The zero value is ready.
type State struct {
	near    bool       // the root distance was once below Activate
	ever    bool       // there was an update
	updated clock.Mono // the latest
}

// Refresh is how far back the reference time of a local clock is said to lie.
const Refresh = 64 * time.Second

// ReferenceID is chrony's for a local reference: 127.127.1.1.
func ReferenceID() wire.ReferenceID { return wire.ReferenceID{127, 127, 1, 1} }

// Learn notes how near to true time the clock is.
func (s *State) Learn(cfg *Config, c Clock) {
	s.near = s.near || c.Following && c.Distance < cfg.Activate
}

// Update notes an update of the clock.
func (s *State) Update(at clock.Mono) { s.ever, s.updated = true, at }

// May reports whether the clock may be its own reference, apart from Distance.
func (s *State) May(cfg *Config, c Clock) bool {
	switch {
	case !cfg.Enabled,
		cfg.Activate > 0 && !s.near,
		s.ever && c.At.Sub(s.updated) < cfg.WaitSynced,
		!c.Following && c.At.Sub(c.Since) < cfg.WaitUnsynced:
		return false
	}
	return true
}

// Is reports whether the clock is its own reference.
func (s *State) Is(cfg *Config, c Clock) bool {
	return s.May(cfg, c) && (!c.Following || c.Distance > cfg.Distance)
}

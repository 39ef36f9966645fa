package server

import (
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/wire"
)

// Local is a server that goes on when its sources are gone, with chrony's
// meaning: a house whose line is down keeps one time.
type Local struct {
	Enabled bool
	Stratum uint8 // of the local clock, high enough that nobody prefers it
	// Distance is the root distance up to which a synchronised clock speaks for
	// itself.
	Distance time.Duration
	// Activate, if not 0: not before the root distance was once below it, so
	// that a clock which never knew the time does not spread it.
	Activate time.Duration
	// WaitSynced is how long after the latest update to wait.
	WaitSynced time.Duration
}

// LocalState is what a Local has to remember. The zero value is ready.
type LocalState struct {
	near    bool       // the root distance was once below Activate
	ever    bool       // there was an update
	update  clock.Wall // the reference time of the latest
	updated clock.Mono // when it was first seen
}

// localRefresh is how far back the reference time of a local clock is said to
// lie.
const localRefresh = 64 * time.Second

// localReferenceID is chrony's for a local reference: 127.127.1.1.
func localReferenceID() wire.ReferenceID { return wire.ReferenceID{127, 127, 1, 1} }

// Apply returns what a reply says of the clock: sys, or the local reference
// where that is active. It is called often: it also learns from sys.
func (s *LocalState) Apply(l Local, sys System, now clock.Reading) System {
	distance := sys.RootDelay/2 + sys.RootDispersion
	if sys.synchronised() {
		if !s.ever || sys.ReferenceTime != s.update {
			s.ever, s.update, s.updated = true, sys.ReferenceTime, now.Mono
		}
		s.near = s.near || distance < l.Activate
	}
	switch {
	case !l.Enabled,
		sys.synchronised() && distance <= l.Distance,
		l.Activate > 0 && !s.near,
		s.ever && now.Mono.Sub(s.updated) < l.WaitSynced:
		return sys
	}
	return System{
		Leap: event.LeapNone, Stratum: l.Stratum, Precision: sys.Precision,
		ReferenceID: localReferenceID(), ReferenceTime: now.Wall.Add(-localRefresh),
	}
}

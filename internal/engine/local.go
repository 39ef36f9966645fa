package engine

import (
	"bytes"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/selection"
	"ntsd/internal/wire"
)

// Local is a server that goes on when its sources are gone, with chrony's
// meaning: a house whose line is down keeps one time.
type Local struct {
	Enabled bool
	Stratum uint8 // of the local clock, high enough that nobody prefers it
	// Orphan lets servers of this stratum that poll each other agree on one.
	Orphan bool
	// Distance is the root distance up to which a synchronised clock speaks for
	// itself.
	Distance time.Duration
	// Activate, if not 0: not before the root distance was once below it, so
	// that a clock which never knew the time does not spread it.
	Activate time.Duration
	// WaitSynced is how long after the latest update to wait.
	WaitSynced time.Duration
	// WaitUnsynced is how long a clock that is not synchronised waits: sources
	// get their chance.
	WaitUnsynced time.Duration
}

// local is the state of the local reference. The zero value is ready.
type local struct {
	near    bool       // the root distance was once below Activate
	ever    bool       // there was an update
	updated clock.Mono // the latest
	minor   bool       // see selection.Orphan
}

// localRefresh is how far back the reference time of a local clock is said to
// lie.
const localRefresh = 64 * time.Second

// localReferenceID is chrony's for a local reference: 127.127.1.1.
func localReferenceID() wire.ReferenceID { return wire.ReferenceID{127, 127, 1, 1} }

// learn notes how near to true time the synchronised clock is.
func (e *Engine) learn(now clock.Reading) {
	e.local.near = e.local.near || e.sync.on && e.distance(now) < e.cfg.Local.Activate
}

// distance is the root distance of the clock.
func (e *Engine) distance(now clock.Reading) time.Duration {
	return e.clock.RootDelay()/2 + e.clock.RootDispersion(now)
}

// mayBeLocal reports whether the clock may be its own reference, apart from
// Distance.
func (e *Engine) mayBeLocal(now clock.Reading) bool {
	l, y := &e.cfg.Local, &e.local
	switch {
	case !l.Enabled,
		l.Activate > 0 && !y.near,
		y.ever && now.Mono.Sub(y.updated) < l.WaitSynced,
		!e.sync.on && now.Mono.Sub(e.sync.since) < l.WaitUnsynced:
		return false
	}
	return true
}

// isLocal reports whether the clock is its own reference now.
func (e *Engine) isLocal(now clock.Reading) bool {
	return e.mayBeLocal(now) && (!e.sync.on || e.distance(now) > e.cfg.Local.Distance)
}

// localSystem is what a server says of a clock that is its own reference. Its
// error is unknown: the stratum says so.
func (e *Engine) localSystem(now clock.Reading) System {
	return System{
		Local: true, Leap: event.LeapNone, Stratum: e.cfg.Local.Stratum,
		ReferenceID: localReferenceID(), ReferenceTime: now.Wall.Add(-localRefresh),
	}
}

// orphan is what the selection needs to know of the election.
func (e *Engine) orphan(now clock.Reading) selection.Orphan {
	l := &e.cfg.Local
	if !l.Enabled || !l.Orphan || e.cfg.OneShot {
		return selection.Orphan{}
	}
	e.local.minor = !e.isLocal(now) && (!e.sync.on || e.local.minor && e.followsLarger())
	return selection.Orphan{Stratum: l.Stratum, Minor: e.local.minor}
}

// followsLarger reports whether the source that was selected last has a larger
// address than this host, and still answers. Chrony has the smallest address
// take over even where it has just been switched on and the others have long
// agreed on a time; ours lets them keep it for as long as they are there.
func (e *Engine) followsLarger() bool {
	i := e.selector.index(e.selector.selected)
	if i < 0 {
		return false
	}
	c := &e.selector.candidates[i]
	return c.Reachable && bytes.Compare(c.Address[:], c.Own[:]) > 0
}

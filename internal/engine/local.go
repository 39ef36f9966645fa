package engine

import (
	"bytes"
	"time"

	"ntsd/internal/assoc"
	"ntsd/internal/bootstrap"
	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/local"
	"ntsd/internal/selection"
	"ntsd/internal/snapshot"
	"ntsd/internal/sources"
	"ntsd/internal/upstream"
)

// house is the state of the local reference and of the election among orphans.
type house struct {
	local.State
	minor bool // see selection.Orphan
	// guest is the orphan whose time this host keeps while no authenticated time
	// is to be had, 0: none. Nobody but its own clients is told: it proves
	// nothing, no certificate is judged by it and nothing of it is saved.
	guest event.SourceID
	since clock.Mono // of the last change between guest and none
}

// guest reports whether the clock follows an orphan without being synchronised.
func (e *Engine) guest() bool {
	return e.house.guest != 0 && !e.sync.on && e.ladder.Phase() == bootstrap.PhaseSearching
}

// clockOfHouse describes the clock to package local.
func (e *Engine) clockOfHouse(now clock.Reading) local.Clock {
	c := local.Clock{At: now.Mono, Following: e.sync.on, Since: max(e.sync.since, e.house.since), Distance: e.distance(now)}
	if e.guest() {
		c.Following, c.Since = true, e.house.since
	}
	return c
}

// distance is the root distance of the clock.
func (e *Engine) distance(now clock.Reading) time.Duration {
	return e.clock.RootDelay()/2 + e.clock.RootDispersion(now)
}

// isLocal reports whether the clock is its own reference now.
func (e *Engine) isLocal(now clock.Reading) bool {
	return e.cfg.Local.Enabled && e.house.Is(&e.cfg.Local, e.clockOfHouse(now))
}

// followOrphan notes an update by an orphan while the ladder still searches for
// authenticated time.
func (e *Engine) followOrphan(now clock.Reading, m *sources.Member) {
	if e.house.guest == 0 {
		e.house.since = now.Mono
	}
	e.house.guest = m.Assoc.ID()
	e.house.Update(now.Mono)
}

// keepHouse draws the conclusions of an event: a guest whose error bound has
// grown too far is its own reference.
func (e *Engine) keepHouse(now clock.Reading) {
	if !e.cfg.Local.Enabled {
		return
	}
	e.house.Learn(&e.cfg.Local, e.clockOfHouse(now))
	if e.house.guest != 0 && (!e.guest() || e.isLocal(now)) {
		e.house.guest, e.house.since = 0, now.Mono
	}
}

// mayFollow reports whether a candidate is an orphan that may be followed while
// the ladder still searches.
func (e *Engine) mayFollow(i int) bool {
	l, x := &e.cfg.Local, &e.selector
	return l.Enabled && l.Orphan && !e.cfg.OneShot && e.ladder.Phase() == bootstrap.PhaseSearching &&
		x.members[i].Source.Cfg.Kind == upstream.Server && x.candidates[i].Stratum >= l.Stratum
}

// houseSystem is what a server says of a clock that is its own reference, whose
// error is unknown as the stratum says, or that follows an orphan without being
// synchronised.
func (e *Engine) houseSystem(now clock.Reading) snapshot.System {
	s := snapshot.System{Local: true, Stratum: e.cfg.Local.Stratum, ReferenceID: local.ReferenceID(), ReferenceTime: now.Wall.Add(-local.Refresh)}
	m := e.sources.Find(e.house.guest)
	if e.isLocal(now) || m == nil {
		return s
	}
	return snapshot.System{
		Orphan: true, Stratum: s.Stratum + 1, ReferenceID: assoc.ReferenceID(m.Assoc.Addr()),
		ReferenceTime: e.clock.Stats().ReferenceTime, RootDelay: e.clock.RootDelay(), RootDispersion: e.clock.RootDispersion(now),
	}
}

// orphan is what the selection needs to know of the election.
func (e *Engine) orphan(now clock.Reading) selection.Orphan {
	l := &e.cfg.Local
	if !l.Enabled || !l.Orphan || e.cfg.OneShot {
		return selection.Orphan{}
	}
	following := e.clockOfHouse(now).Following
	e.house.minor = !e.isLocal(now) && (!following || e.house.minor && e.followsLarger())
	return selection.Orphan{Stratum: l.Stratum, Minor: e.house.minor}
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

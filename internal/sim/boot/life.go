package boot

import (
	"net/netip"
	"slices"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/engine"
	"ntsd/internal/event"
	"ntsd/internal/nts"
)

// Implementation constants.
const (
	// drift is the oscillator's error.
	drift clock.Rate = 30e-6
	// syncTime is how long a write of flash takes.
	syncTime = 20 * time.Millisecond
	// idleLimit bounds how often the engine may be called without time passing.
	idleLimit = 1000
)

// life is one run of the daemon.
type life struct {
	*Life
	w       *World
	born    clock.Mono
	mono    clock.Mono
	truth   clock.Line // civil time over the oscillator
	wall    clock.Line
	engine  *engine.Engine
	queue   []task
	open    map[event.SourceID]uint64
	spent   map[event.SourceID][]byte // the cookie of the open request
	actions int
	dead    bool // the power is cut
	floor   clock.Wall
	result  Result
	trusted bool
}

type task struct {
	at clock.Mono
	do func()
}

// Run lives one life.
func (w *World) Run(l Life) *Result {
	y := &life{Life: &l, w: w, open: map[event.SourceID]uint64{}, spent: map[event.SourceID][]byte{}}
	last := w.life
	w.life = y
	y.begin(last)
	y.floor = w.floor()
	y.engine = engine.New(w.config(&l), w.bytes, y.now())
	y.engine.Recall(w.disk.state, slices.Clone(w.disk.reserve))
	writes := w.disk.writes
	for _, e := range l.Events {
		y.after(e.After, e.Do)
	}
	y.perform(y.engine.HandleStart(y.now(), y.sessions(), y.backoffs(), nil))
	y.loop()
	snap := y.engine.Snapshot(y.now())
	y.result.Synchronised = snap.Tracking.Synchronised
	y.result.Status = snap.Bootstrap
	if !y.dead && !l.Cut {
		y.perform(y.engine.HandleStop(y.now(), nil))
	}
	y.result.Wrong = y.truth.WallAt(y.mono).Sub(y.now().Wall)
	y.result.Writes = w.disk.writes - writes
	w.Truth = y.truth.WallAt(y.mono)
	w.Results = append(w.Results, y.result)
	return &w.Results[len(w.Results)-1]
}

// begin sets the clocks.
func (y *life) begin(last *life) {
	w := y.w
	w.Truth = w.Truth.Add(y.Off)
	y.born = clock.Mono(time.Second) + clock.Mono(w.rng.Int64N(int64(time.Second)))
	wall := y.Clock
	if y.Restart && last != nil {
		y.born = last.mono.Add(y.Off)
		wall = last.now().Wall.Add(y.Off)
	} else {
		w.memory = volatile{map[netip.AddrPort]nts.Session{}, map[netip.AddrPort]event.Backoff{}}
	}
	y.mono = y.born
	y.truth = clock.Line{At: clock.Reading{Mono: y.born, Wall: w.Truth}, Rate: drift}
	y.wall = clock.Line{At: clock.Reading{Mono: y.born, Wall: wall}}
}

func (y *life) now() clock.Reading { return clock.Reading{Mono: y.mono, Wall: y.wall.WallAt(y.mono)} }

func (y *life) after(d time.Duration, do func()) {
	y.queue = append(y.queue, task{y.mono.Add(d), do})
}

// sessions returns what lies in memory, in a fixed order.
func (y *life) sessions() (all []event.Restored) {
	for _, k := range sorted(y.w.memory.sessions) {
		all = append(all, event.Restored{Session: y.w.memory.sessions[k]})
	}
	return all
}

func (y *life) backoffs() (all []event.Backoff) {
	for _, k := range sorted(y.w.memory.backoffs) {
		all = append(all, y.w.memory.backoffs[k])
	}
	if len(all) == 0 {
		return y.w.disk.state.Backoffs
	}
	return all
}

func sorted[V any](m map[netip.AddrPort]V) []netip.AddrPort {
	keys := make([]netip.AddrPort, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, netip.AddrPort.Compare)
	return keys
}

// loop lets time pass.
func (y *life) loop() {
	end := y.born.Add(y.Lasts)
	idle := 0
	for !y.dead {
		next, i := y.engine.NextDeadline(), -1
		for j := range y.queue {
			if y.queue[j].at < next || i >= 0 && y.queue[j].at < y.queue[i].at {
				i, next = j, y.queue[j].at
			}
		}
		if next > end {
			y.mono = end
			return
		}
		if next > y.mono {
			idle = 0
		} else if idle++; idle > idleLimit {
			y.w.breaks("the engine does not let time pass")
			return
		}
		y.mono = max(next, y.mono)
		if i >= 0 {
			do := y.queue[i].do
			y.queue = slices.Delete(y.queue, i, i+1)
			do()
		} else {
			y.perform(y.engine.HandleTimer(y.now(), nil))
		}
		y.check()
	}
}

// perform carries out actions until the power goes.
func (y *life) perform(actions []event.Action) {
	var take *event.TakeReserve
	for _, a := range actions {
		if y.actions++; y.CutAt > 0 && y.actions == y.CutAt {
			y.cut(a)
		}
		if y.dead {
			return
		}
		if t, ok := a.(event.TakeReserve); ok {
			take = &t
			continue
		}
		y.carryOut(a)
	}
	if take != nil && !y.dead {
		y.take(*take)
	}
}

func (y *life) carryOut(a event.Action) {
	switch a := a.(type) {
	case event.Send:
		y.send(a)
	case event.CloseSocket:
		delete(y.open, a.Source)
	case event.StartKE:
		y.establish(a)
	case event.Resolve:
		y.resolve(a)
	case event.SaveSession:
		k := netip.AddrPortFrom(a.Session.KEAddr, a.Session.KEPort)
		if delete(y.w.memory.sessions, k); len(a.Session.Cookies) > 0 {
			y.w.memory.sessions[k] = a.Session
		}
	case event.DropSession:
		delete(y.w.memory.sessions, netip.AddrPortFrom(a.Addr, a.Port))
	case event.SaveBackoff:
		k := netip.AddrPortFrom(a.Addr, a.Port)
		if delete(y.w.memory.backoffs, k); a.Failures > 0 {
			y.w.memory.backoffs[k] = event.Backoff(a)
		}
	case event.Persist:
		y.persist(a)
	case event.SetRate:
		y.wall = clock.Line{At: y.now(), Rate: a.Rate}
	case event.Step:
		y.result.Steps++
		y.step(a)
	case event.Notice:
		y.result.Notices = append(y.result.Notices, a)
	}
}

// step moves the clock, and checks that it may.
func (y *life) step(a event.Step) {
	y.wall = clock.Line{At: y.now(), Rate: y.wall.Rate}
	y.wall.At.Wall = y.wall.At.Wall.Add(a.Offset.Duration())
	y.checkStep()
}

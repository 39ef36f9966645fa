package sim

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/engine"
	"ntsd/internal/event"
)

// Client is what happens to the machine under test.
type Client struct {
	Resolution time.Duration // of its clock; 0: a nanosecond
	// DaemonStamps says that packets are stamped by the program, not the kernel,
	// late by Latency. Timers are late by Latency, too.
	DaemonStamps bool
	Latency      Delay
	Suspends     []Suspend
	Sets         []Set
	Offline      []When    // by the operator; from and until only
	Roams        []Instant // it gets another address
}

// Suspend is a sleep of the machine: Mono stands still (the oscillator's Stops
// are made from it), and on waking the kernel moves the wall clock.
type Suspend struct {
	At, Until Instant
	Wrong     clock.Offset // by how much the kernel moves it too far
	Frozen    bool         // it does not move it at all
}

// Set is what another program does to the clock.
type Set struct {
	At Instant
	By clock.Offset
}

// client is the machine under test.
type client struct {
	world    World
	osc      *Oscillator
	wall     clock.Line
	engine   *engine.Engine
	stations []*station
	open     map[event.SourceID]uint64 // the request that each source's socket is for
	rng      *rand.Rand
	latency  *link
	queue    queue
	order    uint64
	actions  []event.Action
	// due is when the timer for deadline fires, its lateness drawn.
	due      Instant
	deadline clock.Mono
	// kernelLeap is the leap second that the kernel was told of.
	kernelLeap event.Leap
	shown      clock.Wall // the last reading looked at
	result     Result
	recorder   recorder
	oracle     oracle
}

func newClient(w World) (*client, error) {
	for _, s := range w.Client.Suspends {
		w.Oscillator.Stops = append(slices.Clip(w.Oscillator.Stops), When{From: s.At, Until: s.Until})
	}
	c := &client{
		kernelLeap: event.LeapNone,
		world:      w,
		osc:        newOscillator(w.Oscillator, firstMono, w.Seed),
		open:       make(map[event.SourceID]uint64),
		rng:        rand.New(rand.NewPCG(w.Seed, 0x636c69)),
		recorder:   recorder{settle: Instant(w.Settle)},
		oracle:     newOracle(&w),
	}
	c.latency = newLink(w.Client.Latency, c.rng)
	for i, s := range w.Servers {
		st, err := newStation(s, &c.world, uint64(i)+0x737276)
		if err != nil {
			return nil, err
		}
		c.stations = append(c.stations, st)
	}
	c.wall.At = clock.Reading{Mono: firstMono, Wall: w.Epoch.Add(-w.WallError.Duration())}
	c.shown = c.wall.At.Wall
	c.engine = engine.New(w.Engine, newRandom(w.Seed, 0), c.now(0))
	return c, nil
}

// arrange enters what is going to happen into the queue.
func (c *client) arrange() {
	if c.world.LeapAt > 0 {
		c.after(c.world.LeapAt, c.leapSecond)
	}
	for _, s := range c.world.Client.Suspends {
		c.queueAt(s.Until, func(t Instant) { c.wake(t, s) })
	}
	for _, s := range c.world.Client.Sets {
		c.after(s.At, func(t Instant) { c.jump(t, s.By) })
	}
	for _, w := range c.world.Client.Offline {
		c.after(w.From, func(t Instant) { c.command(t, event.CommandOffline) })
		if w.Until > 0 {
			c.after(w.Until, func(t Instant) { c.command(t, event.CommandOnline) })
		}
	}
}

func (c *client) command(t Instant, kind event.CommandKind) {
	actions, err := c.engine.HandleCommand(c.now(t), event.Command{Kind: kind}, c.actions[:0])
	if err != nil {
		panic(err) // it names no source, so none can be missing
	}
	c.carryOut(t, actions)
}

// jump moves the wall clock behind the engine's back.
func (c *client) jump(t Instant, by clock.Offset) {
	c.wall = clock.Line{At: c.now(t), Rate: c.wall.Rate}
	c.wall.At.Wall = c.wall.At.Wall.Add(by.Duration())
	c.shown = c.now(t).Wall
}

// wake ends a sleep.
func (c *client) wake(t Instant, s Suspend) {
	by := s.Wrong
	if !s.Frozen {
		by += clock.Offset(s.Until - s.At)
	}
	c.jump(t, by)
	c.oracle.wake()
}

// asleep returns the sleep that t lies in.
func (c *client) asleep(t Instant) (until Instant, yes bool) {
	for _, s := range c.world.Client.Suspends {
		if s.At <= t && t < s.Until {
			return s.Until, true
		}
	}
	return 0, false
}

// leapSecond is the kernel's part of a leap second.
func (c *client) leapSecond(t Instant) {
	switch {
	case c.kernelLeap == event.LeapInsert && !c.world.LeapDelete:
		c.jump(t, -clock.Offset(time.Second))
	case c.kernelLeap == event.LeapDelete && c.world.LeapDelete:
		c.jump(t, clock.Offset(time.Second))
	}
}

// mono is what the machine reads of its oscillator.
func (c *client) mono(t Instant) clock.Mono {
	m := c.osc.Mono(t)
	if r := clock.Mono(c.world.Client.Resolution); r > 1 {
		m -= m % r
	}
	return m
}

// now returns the reading of both clocks at t.
func (c *client) now(t Instant) clock.Reading {
	m := c.mono(t)
	return clock.Reading{Mono: m, Wall: c.wall.WallAt(m)}
}

// wrong is what must be added to the client's clock at t.
func (c *client) wrong(t Instant) clock.Offset {
	return c.world.truth(t).Sub(c.now(t).Wall)
}

// look notes whether the clock went back since it was looked at last.
func (c *client) look(t Instant) {
	now := c.now(t).Wall
	if now.Before(c.shown) {
		c.result.Backward++
	}
	c.shown = now
}

// local is the machine's address at t.
func (c *client) local(t Instant) netip.Addr {
	a := netip.AddrFrom4([4]byte{192, 0, 2, 240})
	for _, at := range c.world.Client.Roams {
		if t >= at {
			a = a.Next()
		}
	}
	return a
}

// timer returns when the engine's deadline is due, not before t.
func (c *client) timer(t Instant) Instant {
	deadline := c.engine.NextDeadline()
	if deadline == clock.Never {
		return Instant(clock.Never)
	}
	if until, asleep := c.asleep(t); asleep {
		return until
	}
	m := deadline
	if r := clock.Mono(c.world.Client.Resolution); r > 1 {
		m = (m + r - 1) / r * r
	}
	at := c.osc.When(t, m)
	if at <= t && c.osc.Mono(t) < m {
		at = t + 1
	}
	if len(c.world.Client.Latency) == 0 {
		return at
	}
	// A late timer is drawn once, when its time is near: until then the
	// frequency may change.
	if at-t > second {
		return at
	}
	if c.deadline != deadline {
		c.deadline, c.due = deadline, at+Instant(c.latency.draw(t, 0))
	}
	return max(c.due, t)
}

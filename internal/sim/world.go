package sim

import (
	"container/heap"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/engine"
	"ntsd/internal/event"
)

const (
	ntpPort = 123
	// maxSame bounds how often the engine may ask to be called at one instant.
	maxSame = 1000
	// handshake is how many one-way delays a key establishment takes.
	handshake = 4
	// firstMono is what the oscillator shows at the beginning: any number.
	firstMono clock.Mono = 3e9
)

// ErrBusy says that the engine's deadline does not move on.
var ErrBusy = errors.New("sim: the engine asks to be called again and again")

// World is what a run needs.
type World struct {
	Seed       uint64
	Oscillator Oscillator
	Epoch      clock.Wall   // true time at the beginning
	WallError  clock.Offset // what must be added to the client's clock at first
	// LeapInsert is when a leap second is inserted, 0: never. The servers
	// announce it in the twelve hours before.
	LeapInsert Instant
	Servers    []Server
	Engine     engine.Config
	Duration   time.Duration
	Settle     time.Duration // the statistics begin here
	// Trace, if set, is called for every action, and for every second with nil.
	Trace func(t Instant, a event.Action, wrong clock.Offset)
}

// truth is civil time at t.
func (w *World) truth(t Instant) clock.Wall {
	wall := w.Epoch.Add(time.Duration(t))
	if w.LeapInsert > 0 && t >= w.LeapInsert {
		wall = wall.Add(-time.Second)
	}
	return wall
}

// leap is what the servers announce at t.
func (w *World) leap(t Instant) event.Leap {
	if t < w.LeapInsert && w.LeapInsert-t < 12*3600*second {
		return event.LeapInsert
	}
	return event.LeapNone
}

// client is the machine under test.
type client struct {
	world    World
	osc      *Oscillator
	wall     clock.Line
	engine   *engine.Engine
	stations map[netip.Addr]*station
	open     map[event.SourceID]uint64 // the request that each source's socket is for
	rng      *rand.Rand
	queue    queue
	order    uint64
	actions  []event.Action
	// kernelLeap is the leap second that the kernel was told of.
	kernelLeap event.Leap
	result     Result
	recorder   recorder
	oracle     oracle
}

// Run runs a world to its end.
func Run(w World) (Result, error) {
	c := &client{
		kernelLeap: event.LeapNone,
		world:      w,
		osc:        newOscillator(w.Oscillator, firstMono, w.Seed),
		stations:   make(map[netip.Addr]*station),
		open:       make(map[event.SourceID]uint64),
		rng:        rand.New(rand.NewPCG(w.Seed, 0x636c69)),
		recorder:   recorder{settle: Instant(w.Settle)},
	}
	wander := float64(w.Oscillator.Wander) * 1e9
	c.oracle.q = wander * wander
	for i, s := range w.Servers {
		st, err := newStation(s, &c.world, w.Seed, uint64(i)+0x737276)
		if err != nil {
			return Result{}, err
		}
		c.stations[s.Addr] = st
	}
	c.wall.At = clock.Reading{Mono: firstMono, Wall: w.Epoch.Add(-w.WallError.Duration())}
	now := c.now(0)
	c.engine = engine.New(w.Engine, newRandom(w.Seed, 0), now)
	c.carryOut(0, c.engine.HandleStart(now, nil, nil, c.actions[:0]))
	if w.LeapInsert > 0 {
		c.after(w.LeapInsert, c.insertSecond)
	}
	err := c.loop()
	c.recorder.finish(&c.result)
	c.result.OracleOffset = time.Duration(c.oracle.rms())
	return c.result, err
}

// now returns the reading of both clocks at t.
func (c *client) now(t Instant) clock.Reading {
	m := c.osc.Mono(t)
	return clock.Reading{Mono: m, Wall: c.wall.WallAt(m)}
}

// loop runs event after event.
func (c *client) loop() error {
	var t, last Instant
	same := 0
	sample := second
	for end := Instant(c.world.Duration); ; {
		timer := c.timer(t)
		next := min(timer, sample)
		if len(c.queue) > 0 {
			next = min(next, c.queue[0].at)
		}
		if next > end {
			return nil
		}
		if same++; next > last {
			last, same = next, 0
		}
		if same > maxSame {
			return fmt.Errorf("%w: at %v", ErrBusy, time.Duration(t))
		}
		t = next
		switch {
		case t == sample:
			c.sample(t)
			sample += second
		case len(c.queue) > 0 && c.queue[0].at == t:
			heap.Pop(&c.queue).(*happening).do(t)
		default:
			c.carryOut(t, c.engine.HandleTimer(c.now(t), c.actions[:0]))
		}
	}
}

// timer returns when the engine's deadline is due, not before t.
func (c *client) timer(t Instant) Instant {
	deadline := c.engine.NextDeadline()
	if deadline == clock.Never {
		return Instant(clock.Never)
	}
	at := c.osc.When(t, deadline)
	if at <= t && c.osc.Mono(t) < deadline {
		at = t + 1
	}
	return at
}

// wrong is what must be added to the client's clock at t.
func (c *client) wrong(t Instant) clock.Offset {
	return c.world.truth(t).Sub(c.now(t).Wall)
}

// insertSecond is the kernel's part of a leap second.
func (c *client) insertSecond(t Instant) {
	if c.kernelLeap == event.LeapInsert {
		c.wall.At = c.now(t)
		c.wall.At.Wall = c.wall.At.Wall.Add(-time.Second)
	}
}

func (c *client) sample(t Instant) {
	wrong := c.wrong(t)
	c.recorder.record(t, wrong)
	if t > c.recorder.settle {
		c.oracle.check(c.osc.Mono(t), c.world.truth(t))
	}
	if c.world.Trace != nil {
		c.world.Trace(t, nil, wrong)
	}
}

// happening is something that the network does later.
type happening struct {
	at    Instant
	order uint64
	do    func(t Instant)
}

// after schedules do.
func (c *client) after(at Instant, do func(t Instant)) {
	c.order++
	heap.Push(&c.queue, &happening{at: at, order: c.order, do: do})
}

// queue is a heap of happenings, the earliest first.
type queue []*happening

func (q queue) Len() int      { return len(q) }
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q queue) Less(i, j int) bool {
	if q[i].at != q[j].at {
		return q[i].at < q[j].at
	}
	return q[i].order < q[j].order
}
func (q *queue) Push(x any) { *q = append(*q, x.(*happening)) }
func (q *queue) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}

package sim

import (
	"container/heap"
	"errors"
	"fmt"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/engine"
	"ntsd/internal/event"
	"ntsd/internal/snapshot"
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
	// LeapAt is when a leap second is inserted (or deleted), 0: never. The
	// servers announce it in the twelve hours before.
	LeapAt     Instant
	LeapDelete bool
	Servers    []Server
	Client     Client
	Engine     engine.Config
	Duration   time.Duration
	Settle     time.Duration // the statistics begin here
	// Trace, if set, is called before every action.
	Trace func(t Instant, a event.Action, wrong clock.Offset)
	// Watch, if set, is called every Pace seconds (0: every second).
	Watch func(Look)
	Pace  int
}

// Look is the state of a world at one instant, for people to see.
type Look struct {
	At       time.Duration // since the beginning
	Wrong    clock.Offset  // true time less the client's clock
	Believed clock.Offset  // the same as the client sees it
	Bound    time.Duration // that the client states for it; 0: not synchronised
	Snapshot snapshot.Snapshot
}

// truth is civil time at t.
func (w *World) truth(t Instant) clock.Wall {
	wall := w.Epoch.Add(time.Duration(t))
	if w.LeapAt > 0 && t >= w.LeapAt {
		if w.LeapDelete {
			return wall.Add(time.Second)
		}
		return wall.Add(-time.Second)
	}
	return wall
}

// leap is what the servers announce at t.
func (w *World) leap(t Instant) event.Leap {
	switch {
	case t >= w.LeapAt || w.LeapAt-t >= 12*3600*second:
		return event.LeapNone
	case w.LeapDelete:
		return event.LeapDelete
	}
	return event.LeapInsert
}

// Run runs a world to its end.
func Run(w World) (Result, error) {
	c, err := newClient(w)
	if err != nil {
		return Result{}, err
	}
	c.arrange()
	c.carryOut(0, c.engine.HandleStart(c.now(0), nil, nil, c.actions[:0]))
	err = c.loop()
	c.recorder.finish(&c.result)
	c.oracle.finish(&c.result, c.recorder.first)
	return c.result, err
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
		case len(c.queue) > 0 && c.queue[0].at == t:
			heap.Pop(&c.queue).(*happening).do(t)
		case t == sample:
			c.sample(t)
			sample += second
		default:
			c.carryOut(t, c.engine.HandleTimer(c.now(t), c.actions[:0]))
		}
	}
}

func (c *client) sample(t Instant) {
	if _, asleep := c.asleep(t); asleep {
		return
	}
	c.look(t)
	wrong, now := c.wrong(t), c.now(t)
	c.recorder.record(t, wrong, c.bound(now))
	c.oracle.check(c.mono(t), t, t > c.recorder.settle)
	if c.world.Watch == nil || c.world.Pace > 1 && t/second%Instant(c.world.Pace) != 0 {
		return
	}
	snap := c.engine.Snapshot(now)
	c.world.Watch(Look{
		At: time.Duration(t), Wrong: wrong, Believed: snap.Tracking.Correction,
		Bound: c.bound(now), Snapshot: snap,
	})
}

// bound is the error that the client admits: the root distance (RFC 5905
// section 11.1), 0 while it is not synchronised.
func (c *client) bound(now clock.Reading) time.Duration {
	sys := c.engine.System(now)
	if sys.Leap == event.LeapUnsynchronised {
		return 0
	}
	return sys.RootDelay/2 + sys.RootDispersion
}

// happening is something that the network does later.
type happening struct {
	at    Instant
	order uint64
	do    func(t Instant)
}

// after schedules do. What would happen in a sleep happens at its end.
func (c *client) after(at Instant, do func(t Instant)) {
	c.queueAt(at, func(t Instant) {
		if until, asleep := c.asleep(t); asleep {
			c.after(until, do)
			return
		}
		do(t)
	})
}

func (c *client) queueAt(at Instant, do func(t Instant)) {
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

package daemon

import (
	"context"
	"sync"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/refdata"
)

// Clocks reads reference clocks. Whatever goes wrong is in the answer. Its methods
// may be called at once for different sources; Read is not called after Close.
type Clocks interface {
	Read(event.ReadClock) event.ClockRead
	Close(event.SourceID)
}

// readings runs the readings of reference clocks beside the loop: a card's
// clock may take milliseconds. The core asks for one at a time of each.
type readings struct {
	clocks  Clocks
	done    chan event.ClockRead // unbuffered: an answer waits for the loop or for the end
	running sync.WaitGroup
	// asked has what is closed when the clocks' latest readings were made.
	asked map[event.SourceID]chan struct{}
}

func newReadings(c Clocks) *readings {
	return &readings{clocks: c, done: make(chan event.ClockRead), asked: make(map[event.SourceID]chan struct{})}
}

func (r *readings) read(ctx context.Context, a event.ReadClock) {
	made := make(chan struct{})
	before := r.asked[a.Source]
	r.asked[a.Source] = made
	r.running.Go(func() {
		r.wait(before)
		ev := event.ClockRead{Source: a.Source, Reason: "reference clocks cannot be read here"}
		if r.clocks != nil {
			ev = r.clocks.Read(a)
		}
		close(made)
		select {
		case r.done <- ev:
		case <-ctx.Done():
		}
	})
}

// wait waits for a reading. One that came after the clock was closed would open it
// again, for good.
func (*readings) wait(made chan struct{}) {
	if made != nil {
		<-made
	}
}

func (r *readings) close(id event.SourceID) {
	made := r.asked[id]
	delete(r.asked, id)
	if r.clocks != nil {
		r.running.Go(func() {
			r.wait(made)
			r.clocks.Close(id)
		})
	}
}

// performClocks carries out what concerns reference clocks.
func (d *Daemon) performClocks(ctx context.Context, a event.Action) {
	switch a := a.(type) {
	case event.ReadClock:
		d.readings.read(ctx, a)
	case event.CloseClock:
		d.readings.close(a.Source)
	}
}

// clockRead hands an answer to the engine.
func (d *Daemon) clockRead(ctx context.Context, ev event.ClockRead) {
	d.handle(ctx, func(now clock.Reading, out []event.Action) []event.Action {
		return d.engine.HandleClockRead(now, ev, out)
	})
}

// specOf is what the driver needs to know; the configuration was checked.
func specOf(driver, parameter string) refdata.Spec {
	s, err := refdata.ParseSpec(driver, parameter)
	if err != nil {
		panic("daemon: unchecked reference clock: " + err.Error())
	}
	return s
}

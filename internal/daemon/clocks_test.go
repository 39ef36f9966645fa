package daemon

import (
	"sync/atomic"
	"testing"

	"ntsd/internal/event"
)

// lateClocks notes readings of clocks that were closed.
type lateClocks struct {
	closed [1000]atomic.Bool
	late   atomic.Int32
}

func (c *lateClocks) Read(a event.ReadClock) event.ClockRead {
	if c.closed[a.Source].Load() {
		c.late.Add(1)
	}
	return event.ClockRead{Source: a.Source}
}

func (c *lateClocks) Close(id event.SourceID) { c.closed[id].Store(true) }

// TestClocksAreNotReadAfterTheirEnd: a reload that comes right behind the order to
// read a clock closes it after that, whichever goroutine the scheduler prefers.
func TestClocksAreNotReadAfterTheirEnd(t *testing.T) {
	clocks := new(lateClocks)
	r := newReadings(clocks)
	for id := range event.SourceID(len(clocks.closed)) {
		r.read(t.Context(), event.ReadClock{Source: id})
		r.close(id)
	}
	for range clocks.closed {
		<-r.done
	}
	r.running.Wait()
	if n := clocks.late.Load(); n > 0 {
		t.Errorf("%d of %d clocks were read after their end", n, len(clocks.closed))
	}
	if len(r.asked) != 0 {
		t.Errorf("%d clocks are remembered", len(r.asked))
	}
}

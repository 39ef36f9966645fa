package daemon

import (
	"context"

	"ntsd/internal/event"
)

// keeper writes what outlives the power, beside the loop: flash that makes room
// takes a second, a disk that hangs for ever, and a slew must end in time. It
// belongs to the loop.
type keeper struct {
	flash Flash
	done  chan error     // of the write under way, with room for it
	idle  chan struct{}  // closed when nothing is left to write; nil: nothing is
	next  *event.Persist // what is to be written after that under way
}

func newKeeper(f Flash) *keeper { return &keeper{flash: f, done: make(chan error, 1)} }

// persist writes a, or notes it down: of what waits the latest state counts, with the
// latest reserve.
func (k *keeper) persist(a event.Persist) {
	if k.idle == nil {
		k.idle = make(chan struct{})
		k.write(a)
		return
	}
	if k.next != nil && !a.Fill {
		a.Reserve, a.Fill = k.next.Reserve, k.next.Fill
	}
	k.next = &a
}

func (k *keeper) write(a event.Persist) {
	go func() { k.done <- k.flash.Persist(a) }()
}

// persisted takes the end of a write, and begins the next.
func (d *Daemon) persisted(err error) {
	d.check("save the state for the next boot", err)
	k := d.keeper
	if next := k.next; next != nil {
		k.next = nil
		k.write(*next)
		return
	}
	close(k.idle)
	k.idle = nil
}

// settle waits until all is written.
func (d *Daemon) settle() {
	for d.keeper.idle != nil {
		d.persisted(<-d.keeper.done)
	}
}

// Dump saves the sessions, the drift and what is for flash, and returns when they
// are written.
func (d *Daemon) Dump(ctx context.Context) error {
	var idle <-chan struct{}
	err := d.do(ctx, func(ctx context.Context) {
		d.handle(ctx, d.engine.HandleDump)
		idle = d.keeper.idle
	})
	if idle != nil {
		select {
		case <-idle:
		case <-d.ended:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return err
}

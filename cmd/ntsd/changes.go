package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"ntsd/internal/linux/links"
)

// lookAgain is how often interfaces are looked at where the kernel, asked for
// changes, gives nothing but errors.
const lookAgain = 10 * time.Second

// changes is where the time server hears that it should look again: at a new
// configuration, at other interfaces.
type changes struct {
	word  chan struct{}  // room for one
	links *links.Watcher // nil: the kernel does not tell
}

func newChanges(log *slog.Logger) *changes {
	c := &changes{word: make(chan struct{}, 1)}
	w, err := links.Watch()
	if err != nil {
		log.Debug("interfaces are not followed but looked at every 10 s", "reason", err)
		return c
	}
	c.links = w
	return c
}

// nudge says that something may have changed. It never waits.
func (c *changes) nudge() {
	select {
	case c.word <- struct{}{}:
	default: // it is going to look anyway
	}
}

// follow passes on what the kernel tells of interfaces, until ctx ends.
func (c *changes) follow(ctx context.Context) {
	if c.links == nil {
		return
	}
	stop := context.AfterFunc(ctx, func() { _ = c.links.Close() })
	defer stop()
	for {
		err := c.links.Wait()
		if errors.Is(err, os.ErrClosed) {
			return
		}
		if err != nil { // it may never tell again: then it is as if it never had
			select {
			case <-time.After(lookAgain):
			case <-ctx.Done():
			}
		}
		c.nudge()
	}
}

package timeserver

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

// Changes is where the time server hears that it should look again: at a new
// configuration, at other interfaces.
type Changes struct {
	word  chan struct{}  // room for one
	links *links.Watcher // nil: the kernel does not tell
}

// NewChanges returns what hears from the kernel, if that tells of interfaces.
func NewChanges(log *slog.Logger) *Changes {
	c := &Changes{word: make(chan struct{}, 1)}
	w, err := links.Watch()
	if err != nil {
		log.Debug("interfaces are not followed but looked at every 10 s", "reason", err)
		return c
	}
	c.links = w
	return c
}

// Nudge says that something may have changed. It never waits.
func (c *Changes) Nudge() {
	select {
	case c.word <- struct{}{}:
	default: // it is going to look anyway
	}
}

// follow passes on what the kernel tells of interfaces, until ctx ends.
func (c *Changes) follow(ctx context.Context) {
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
		c.Nudge()
	}
}

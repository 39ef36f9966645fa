package daemon

import (
	"context"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/control"
	"ntsd/internal/history"
	"ntsd/internal/status"
)

// past is what the daemon remembers of its clock.
type past struct {
	history history.History
	next    clock.Mono // when the next sample is taken
	updates uint64
}

// rememberEvery bounds how often that is: as fine as the finest graph.
const rememberEvery = 10 * time.Second

// remember notes how the clock is: what the last update found, or between
// updates what is left to correct. A clock that is not synchronised has no
// history.
func (d *Daemon) remember(now clock.Reading) {
	if now.Mono < d.past.next {
		return
	}
	d.past.next = now.Mono.Add(rememberEvery)
	t := d.engine.Snapshot(now).Tracking
	if !t.Synchronised {
		return
	}
	offset := t.Correction
	if t.Updates != d.past.updates {
		offset, d.past.updates = t.LastOffset, t.Updates
	}
	d.past.history.Add(history.Sample{
		At: now.Wall, Offset: offset, Bound: t.RootDelay/2 + t.RootDisp, Frequency: -t.Frequency,
	})
}

// history answers with the points of a span, by default the last hour.
func (d *Daemon) history(ctx context.Context, args []string) control.Response {
	span := history.Hour
	if len(args) > 0 {
		var err error
		if span, err = history.ParseSpan(args[0]); err != nil || len(args) > 1 {
			return control.Fail(control.CodeArguments, "it takes hour, day or week")
		}
	}
	var answer status.History
	if err := d.do(ctx, func(context.Context) { answer = status.FromHistory(span, d.past.history.Points(span)) }); err != nil {
		return control.Fail(control.CodeFailed, err.Error())
	}
	return control.Reply(answer)
}

package daemon

import (
	"context"
	"log/slog"
	"sync"

	"ntsd/internal/clock"
	"ntsd/internal/status"
	"ntsd/internal/wording"
)

// journalLines is how many messages the status repeats: what a person wants to
// see who asks "what happened?", in some kilobytes.
const journalLines = 32

// Journal is a log handler that passes every record on and remembers the last
// ones of level Info and above, for the status. Any goroutine may log.
type Journal struct {
	next slog.Handler

	mu    sync.Mutex
	lines []status.LogLine // oldest first
}

// NewJournal returns a journal in front of next.
func NewJournal(next slog.Handler) *Journal { return &Journal{next: next} }

// Enabled reports what next does.
func (j *Journal) Enabled(ctx context.Context, l slog.Level) bool { return j.next.Enabled(ctx, l) }

// Handle remembers the record and passes it on, with errors in words for people.
func (j *Journal) Handle(ctx context.Context, r slog.Record) error {
	r = plain(r)
	if r.Level >= slog.LevelInfo {
		j.remember(r)
	}
	return j.next.Handle(ctx, r)
}

// plain returns the record with the errors in it as people read them.
func plain(r slog.Record) slog.Record {
	said := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		if err, ok := a.Value.Any().(error); ok {
			a.Value = slog.StringValue(wording.Of(err))
		} else if a.Key == "reason" {
			a.Value = slog.StringValue(wording.Plain(a.Value.String()))
		}
		said.AddAttrs(a)
		return true
	})
	return said
}

// WithAttrs returns j: the daemon adds none.
func (j *Journal) WithAttrs([]slog.Attr) slog.Handler { return j }

// WithGroup returns j: the daemon opens none.
func (j *Journal) WithGroup(string) slog.Handler { return j }

func (j *Journal) remember(r slog.Record) {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += " " + a.Key + "=" + a.Value.String()
		return true
	})
	line := status.LogLine{Time: status.Time(clock.WallTime(r.Time)), Level: r.Level.String(), Text: text}
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.lines) >= journalLines {
		j.lines = append(j.lines[:0], j.lines[1:]...)
	}
	j.lines = append(j.lines, line)
}

// Lines returns what is remembered, oldest first.
func (j *Journal) Lines() []status.LogLine {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]status.LogLine(nil), j.lines...)
}

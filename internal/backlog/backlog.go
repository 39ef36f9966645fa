// Package backlog lets a program log without waiting for whoever reads its log:
// records wait in a queue, and one goroutine hands them on. It is layer 3.
//
// A reader that hangs (a full pipe, a log daemon that does not answer) costs lines,
// never time. What it costs is said in the log itself, once it is read again.
//
// Not here: what is logged, in which words, and where to. What a crash prints comes
// from Go's runtime and does not pass here; lines that waited then are lost.
package backlog

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Implementation constants.
const (
	// maxWaiting is how many records wait: more than a start with -d or a bad
	// configuration makes at once, some 200 kB where nobody reads.
	maxWaiting = 512
	// closeLimit is how long Close waits for the reader. Whoever stops a service
	// waits for it five seconds (procd) or more before he kills it.
	closeLimit = 2 * time.Second
)

// Log is a handler that never waits for the next one. Any goroutine may log. Make
// one with New.
type Log struct {
	next  slog.Handler
	word  chan struct{} // something waits, or it is to end; room for one
	ended chan struct{}

	mu      sync.Mutex
	waiting []slog.Record
	lost    int    // records since waiting was full: all of them came after those
	last    func() // set by Close
}

// New returns a log in front of next, and starts its goroutine.
func New(next slog.Handler) *Log {
	l := &Log{next: next, word: make(chan struct{}, 1), ended: make(chan struct{})}
	go l.run()
	return l
}

// Enabled reports what the next handler does.
func (l *Log) Enabled(ctx context.Context, level slog.Level) bool { return l.next.Enabled(ctx, level) }

// Handle puts a record into the queue, or counts it where there is no room.
func (l *Log) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost > 0 || len(l.waiting) >= maxWaiting {
		l.lost++
		return nil
	}
	l.waiting = append(l.waiting, r.Clone())
	l.wake()
	return nil
}

// WithAttrs returns l: whoever adds attributes does it before.
func (l *Log) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup returns l: likewise.
func (l *Log) WithGroup(string) slog.Handler { return l }

// Close writes what waits and then calls last, as far as the reader takes it
// within closeLimit. Nothing is logged any more afterwards. It is called once.
func (l *Log) Close(last func()) {
	l.mu.Lock()
	l.last = last
	l.mu.Unlock()
	l.wake()
	limit := time.NewTimer(closeLimit)
	defer limit.Stop()
	select {
	case <-l.ended:
	case <-limit.C:
	}
}

func (l *Log) wake() {
	select {
	case l.word <- struct{}{}:
	default:
	}
}

// run hands records on until Close.
func (l *Log) run() {
	defer close(l.ended)
	for range l.word {
		if last := l.drain(); last != nil {
			last()
			return
		}
	}
}

// drain hands on what waits, and returns what Close wants called.
func (l *Log) drain() func() {
	l.mu.Lock()
	records, lost, last := l.waiting, l.lost, l.last
	l.waiting, l.lost = nil, 0
	l.mu.Unlock()
	ctx := context.Background()
	for _, r := range records {
		_ = l.next.Handle(ctx, r) // a log that fails has nowhere to say so
	}
	if lost > 0 {
		r := slog.NewRecord(time.Now(), slog.LevelWarn, "lines of this log dropped: they could not be written as fast as they came", 0)
		r.AddAttrs(slog.Int("lines", lost))
		_ = l.next.Handle(ctx, r)
	}
	return last
}

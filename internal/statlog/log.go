package statlog

import (
	"context"
	"log/slog"
	"maps"
	"math"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/config"
	"ntsd/internal/event"
	"ntsd/internal/selection"
	"ntsd/internal/snapshot"
	"ntsd/internal/upstream"
)

// Implementation constants.
const (
	// maxWaiting is how many records wait for the writer: a burst of a hundred
	// sources, while a file takes its time.
	maxWaiting = 256
	// tellEvery bounds how often the log tells of records that were dropped.
	tellEvery = time.Hour
	// unknownError is what is believed of a clock's error before its first update:
	// chrony's, half a second of delay and one of dispersion.
	unknownError = 1500 * time.Millisecond
	// drift is how fast the error of a clock grows unseen: chrony's
	// maxclockerror.
	drift = clock.Rate(1e-6)
)

// Log keeps the files. Record belongs to one goroutine and Run to another;
// Configure may be called from any. Make one with New.
type Log struct {
	open func(dir string) (Folder, error)
	log  *slog.Logger

	mu      sync.Mutex
	cfg     config.Statistics
	changed chan struct{} // room for one word
	wanted  atomic.Bool

	records chan any // measurement or update; full: dropped and counted
	dropped atomic.Uint64

	// Of Record.
	seen map[event.SourceID]seen
	past past
}

// seen is what was last told of a source.
type seen struct {
	valid, received uint64
	rate, skew      clock.Rate
}

// past is what was last told of the clock.
type past struct {
	updates uint64
	at      clock.Mono
	bound   time.Duration // of its error then
}

// New returns a log that writes nothing before it is configured. open opens a
// folder, which it makes if need be.
func New(open func(dir string) (Folder, error), log *slog.Logger) *Log {
	return &Log{
		open: open, log: log, changed: make(chan struct{}, 1), records: make(chan any, maxWaiting),
		seen: make(map[event.SourceID]seen), past: past{bound: unknownError},
	}
}

// Configure puts a configuration in force, from the next record on.
func (l *Log) Configure(c config.Statistics) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cfg = c
	s := wantedBy(&c)
	l.wanted.Store(s.any())
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// Wanted reports whether there is anything to record.
func (l *Log) Wanted() bool { return l.wanted.Load() }

// Dropped is how many records found no room.
func (l *Log) Dropped() uint64 { return l.dropped.Load() }

// Record takes note of what an event has changed: before is a reading of the
// clocks from before it, s the state after it, and got the datagram if the event
// was one. It waits for nothing.
func (l *Log) Record(before clock.Reading, s *snapshot.Snapshot, got *event.Received) {
	for i := range s.Sources {
		l.source(before, &s.Sources[i], got)
	}
	l.clock(before, s)
	if len(l.seen) > len(s.Sources) {
		maps.DeleteFunc(l.seen, func(id event.SourceID, _ seen) bool {
			return !slices.ContainsFunc(s.Sources, func(s snapshot.Source) bool { return s.ID == id })
		})
	}
}

// source records a measurement, if this event was one: what came while nothing
// was wanted is past.
func (l *Log) source(before clock.Reading, s *snapshot.Source, got *event.Received) {
	old := l.seen[s.ID]
	replied := got != nil && got.Source == s.ID && s.Counters.Valid != old.valid
	accepted := s.LastRx != 0 && s.LastRx == before.Mono
	if s.ID == 0 || !replied && !(accepted && s.Kind == upstream.RefClock) {
		return
	}
	now := seen{s.Counters.Valid, s.Counters.Received, s.Stats.Rate, s.Stats.Skew}
	m := measurement{
		arrived: before.Wall, sent: before.Wall, source: *s, accepted: accepted,
		lost: lost(s.Reach), bogus: int(max(now.received-old.received, 1) - 1),
	}
	if old.valid == 0 {
		m.bogus = 0 // nobody counted
	}
	if replied {
		m.sent = before.Wall.Add(got.Sent.At.Sub(before.Mono))
		m.arrived = before.Wall.Add(got.Received.At.Sub(before.Mono))
	}
	if old.skew > 0 {
		m.stress = math.Abs(float64(now.rate-old.rate)) / float64(old.skew)
	}
	l.seen[s.ID] = now
	l.put(m)
}

// clock records an update of the clock, if there was one.
func (l *Log) clock(before clock.Reading, s *snapshot.Snapshot) {
	t := &s.Tracking
	if t.Updates == l.past.updates {
		return
	}
	if t.Updates != l.past.updates+1 { // nothing was wanted meanwhile
		l.past = past{updates: t.Updates, at: s.Now.Mono, bound: t.RootDelay/2 + t.RootDisp}
		return
	}
	u := update{at: before.Wall, tracking: *t, who: "0.0.0.0"}
	for i := range s.Sources {
		switch src := &s.Sources[i]; src.State {
		case selection.StateSelected:
			u.who, u.sd, u.poll = label(src), src.SD, src.Poll
			u.combined++
		case selection.StateCombined:
			u.combined++
		}
	}
	u.maxError = t.LastOffset.Abs() + (t.Correction - t.LastOffset).Abs() + l.past.bound
	if l.past.at != 0 {
		u.maxError += drift.Over(s.Now.Mono.Sub(l.past.at))
	}
	l.past = past{updates: t.Updates, at: s.Now.Mono, bound: t.RootDelay/2 + t.RootDisp}
	l.put(u)
}

func (l *Log) put(record any) {
	select {
	case l.records <- record:
	default:
		l.dropped.Add(1)
	}
}

// Run writes until ctx ends, and then what is left.
func (l *Log) Run(ctx context.Context) {
	w := writer{log: l.log}
	var told dropped
	for {
		select {
		case <-l.changed:
			l.follow(&w)
		case r := <-l.records:
			l.drain(&w, r)
		case <-ctx.Done():
			l.drain(&w, nil)
			told.tell(l)
			return
		}
		told.tell(l)
	}
}

// follow puts the configuration in force for the writer.
func (l *Log) follow(w *writer) {
	l.mu.Lock()
	cfg := l.cfg
	l.mu.Unlock()
	w.configure(cfg, l.open)
}

// drain writes a record, if it is one, and those that wait, at once. They came
// after the configuration, if that has changed.
func (l *Log) drain(w *writer, r any) {
	select {
	case <-l.changed:
		l.follow(w)
	default:
	}
	w.record(r)
	for len(l.records) > 0 {
		w.record(<-l.records)
	}
	w.flush()
}

// dropped is what the log was told of records that found no room.
type dropped struct {
	records uint64
	at      time.Time
}

func (d *dropped) tell(l *Log) {
	n := l.dropped.Load()
	if n == d.records || !d.at.IsZero() && time.Since(d.at) < tellEvery {
		return
	}
	l.log.Warn("records of statistics dropped: they cannot be written as fast as they come", "records", n-d.records)
	d.records, d.at = n, time.Now()
}

// writer makes lines of records.
type writer struct {
	log    *slog.Logger
	cfg    config.Statistics
	wanted set
	book   *book // nil: nothing is written
	line   []byte
}

// configure follows a configuration. What waits is written as before.
func (w *writer) configure(c config.Statistics, open func(string) (Folder, error)) {
	w.flush()
	if w.book != nil && reflect.DeepEqual(c, w.cfg) {
		return
	}
	w.cfg = c
	w.wanted = wantedBy(&c)
	if !w.wanted.any() {
		w.book = nil
		return
	}
	folder, err := open(c.Dir)
	if err != nil {
		w.log.Warn("no statistics are written", "reason", err)
		w.wanted, w.book = set{}, nil
		return
	}
	w.book = newBook(folder, c, w.log)
}

func (w *writer) flush() {
	if w.book != nil {
		w.book.flush()
	}
}

func (w *writer) record(r any) {
	switch r := r.(type) {
	case measurement:
		w.measurement(&r)
	case update:
		w.put(loopstats, r.at, func(dst []byte) []byte { return appendLoopstats(dst, &r) })
		w.put(tracking, r.at, func(dst []byte) []byte { return appendTracking(dst, &r) })
	}
}

func (w *writer) measurement(m *measurement) {
	put := func(k kind, f func([]byte, *measurement) []byte) {
		w.put(k, m.arrived, func(dst []byte) []byte { return f(dst, m) })
	}
	if m.source.Kind == upstream.RefClock { // there is no packet
		put(clockstats, appendClockstats)
	} else {
		put(rawstats, appendRawstats)
		if synchronised(&m.source.Last) {
			put(measurements, appendMeasurements)
		}
	}
	if m.accepted {
		put(peerstats, appendPeerstats)
		put(statistics, appendStatistics)
	}
}

func (w *writer) put(k kind, at clock.Wall, f func([]byte) []byte) {
	if !w.wanted[k] {
		return
	}
	w.line = f(w.line[:0])
	w.book.write(line{k, at, w.line})
}

// Package history remembers how the clock was, for graphs: the last hour, day
// and week in rings of a fixed size. It belongs to layer 3.
//
// Not its business: what the values mean, and files of statistics.
package history

import (
	"errors"
	"fmt"
	"time"

	"ntsd/internal/clock"
)

// Sample is how the clock was at one time.
type Sample struct {
	At        clock.Wall
	Offset    clock.Offset  // of the clock from the estimated true time; positive: the clock is slow
	Bound     time.Duration // of the error: the root distance
	Frequency clock.Rate    // of the oscillator; positive: it is fast
}

// Point is what a span shows at one place: the mean of the samples there, and
// their extremes. Bound is the largest.
type Point struct {
	Sample
	Low, High clock.Offset
}

// Span is how far back a graph goes.
type Span int

// The spans that are kept.
const (
	Hour Span = iota
	Day
	Week
	spans
)

// String is the word for it.
func (s Span) String() string { return [...]string{"hour", "day", "week"}[s] }

// ErrSpan says which words ParseSpan takes.
var ErrSpan = errors.New("history: the spans are hour, day and week")

// ParseSpan reads the word for a span.
func ParseSpan(word string) (Span, error) {
	for s := range spans {
		if s.String() == word {
			return s, nil
		}
	}
	return 0, fmt.Errorf("%w, not %q", ErrSpan, word)
}

// Interval is the distance of a span's points.
func (s Span) Interval() time.Duration {
	return [...]time.Duration{10 * time.Second, 4 * time.Minute, 30 * time.Minute}[s]
}

// points is how many of them a ring keeps: 360 each are enough for a screen, and
// all three together take 60 kB.
const points = 360

// History is a set of rings. It is not safe for concurrent use.
type History struct {
	rings [spans]ring
}

// ring keeps the newest points of one span.
type ring struct {
	points []Point
	next   int // where the next one goes, once the ring is full
	open   Point
	count  int // samples in open
}

// Add takes a sample. Samples may come at any time; a point that got none is
// left out. A clock that was stepped back begins a new point.
func (h *History) Add(s Sample) {
	for i := range h.rings {
		h.rings[i].add(s, Span(i).Interval())
	}
}

func (r *ring) add(s Sample, interval time.Duration) {
	age := s.At.Sub(r.open.At).Duration()
	if r.count > 0 && (age >= interval || age < 0) {
		r.close()
	}
	if r.count == 0 {
		r.open = Point{Sample: s, Low: s.Offset, High: s.Offset}
		r.count = 1
		return
	}
	// The mean of what came so far; the point stays where it began.
	r.count++
	p := &r.open
	p.Offset += (s.Offset - p.Offset) / clock.Offset(r.count)
	p.Frequency += (s.Frequency - p.Frequency) / clock.Rate(r.count)
	p.Low, p.High = min(p.Low, s.Offset), max(p.High, s.Offset)
	p.Bound = max(p.Bound, s.Bound)
}

// close puts the open point into the ring.
func (r *ring) close() {
	if len(r.points) < points {
		r.points = append(r.points, r.open)
	} else {
		r.points[r.next] = r.open
		r.next = (r.next + 1) % points
	}
	r.count = 0
}

// Points returns a span's points, the oldest first; the caller owns them. The
// last one is still open.
func (h *History) Points(s Span) []Point {
	r := &h.rings[s]
	all := make([]Point, 0, len(r.points)+1)
	all = append(append(all, r.points[r.next:]...), r.points[:r.next]...)
	if r.count > 0 {
		all = append(all, r.open)
	}
	return all
}

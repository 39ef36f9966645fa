package sim

import (
	"math"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
)

// Result is what the checker saw of a run. Offsets are true time less the
// client's clock.
type Result struct {
	RMSOffset time.Duration // of the clock's error, each second after the settling time
	Max       time.Duration // largest error in the same span
	// OracleOffset is what a filter that knows the world's parameters would have
	// reached with the same packets, in place of RMSOffset.
	OracleOffset time.Duration
	Packets      int           // requests sent
	Interval     time.Duration // mean between requests, over the whole run
	Steps        int
	Drift        clock.Rate // last one saved
	// First10ms is how long after the first request the error was below 10 ms
	// for the first time, Stay1ms from when on it stayed below 1 ms.
	First10ms, Stay1ms time.Duration
	Notices            []Noticed
}

// Noticed is a notice with its moment.
type Noticed struct {
	At     Instant
	Notice event.Notice
}

// recorder adds up the clock's error.
type recorder struct {
	settle Instant
	first  Instant // request; 0: none yet
	end    Instant
	sum    float64
	count  int
	max    time.Duration
	near   Instant // first seen below 10 ms
	large  Instant // last seen at 1 ms or above
}

func (r *recorder) sent(t Instant) {
	if r.first == 0 {
		r.first = max(t, 1)
	}
}

// seen notes an error between the regular ones: after a step.
func (r *recorder) seen(t Instant, wrong clock.Offset) {
	if r.near == 0 && wrong.Abs() < 10*time.Millisecond {
		r.near = t
	}
	if wrong.Abs() >= time.Millisecond {
		r.large = t
	}
}

// record notes the error of one second.
func (r *recorder) record(t Instant, wrong clock.Offset) {
	r.end = t
	r.seen(t, wrong)
	if t <= r.settle {
		return
	}
	r.sum += float64(wrong) * float64(wrong)
	r.count++
	r.max = max(r.max, wrong.Abs())
}

func (r *recorder) finish(res *Result) {
	if r.count > 0 {
		res.RMSOffset = time.Duration(math.Round(math.Sqrt(r.sum / float64(r.count))))
	}
	res.Max = r.max
	if res.Packets > 0 {
		res.Interval = time.Duration(r.end) / time.Duration(res.Packets)
	}
	res.First10ms = time.Duration(r.near - r.first)
	res.Stay1ms = time.Duration(max(r.large+second, r.near) - r.first)
}

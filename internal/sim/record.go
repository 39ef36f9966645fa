package sim

import (
	"math"
	"slices"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
)

// Result is what the checker saw of a run. Offsets are true time less the
// client's clock.
type Result struct {
	RMSOffset time.Duration // of the clock's error, each second after the settling time
	Max       time.Duration // largest error in the same span
	P99       time.Duration // 99 % of the errors in the same span are no larger
	// OracleOffset is what a filter that knows the world's parameters would have
	// reached with the same packets, in place of RMSOffset; OracleStay1ms is the
	// same in place of Stay1ms.
	OracleOffset  time.Duration
	OracleStay1ms time.Duration
	Packets       int           // requests sent
	Interval      time.Duration // mean between requests, over the whole run
	Gap           time.Duration // least between requests to one server, after the settling time
	Steps         int
	Unlogged      int // steps without a notice
	Backward      int // how often the clock went back without a step
	// Covered is the share of the seconds since the first synchronisation, as
	// long as it lasted, in which the stated bound was no less than the error;
	// Bound is the mean of that bound after the settling time.
	Covered float64
	Bound   time.Duration
	// Exposed and Bare are the first and the last second in which it was less,
	// and Beyond the largest ratio of the error to it.
	Exposed, Bare time.Duration
	Beyond        float64
	Synced        float64    // share of the seconds after the settling time that the client said it was synchronised
	Drift         clock.Rate // last one saved
	// First10ms is how long after the first request the error was below 10 ms
	// for the first time, First1ms likewise, Stay1ms from when on it stayed
	// below 1 ms.
	First10ms, First1ms, Stay1ms time.Duration
	Notices                      []Noticed
}

// Noticed is a notice with its moment.
type Noticed struct {
	At     Instant
	Notice event.Notice
}

// Count returns how many notices of a kind there were.
func (r *Result) Count(kind event.NoticeKind) (n int) {
	for _, x := range r.Notices {
		if x.Notice.Kind == kind {
			n++
		}
	}
	return n
}

// recorder adds up the clock's error.
type recorder struct {
	settle Instant
	first  Instant // request; 0: none yet
	last   map[event.SourceID]Instant
	gap    Instant // 0: none yet
	end    Instant
	sum    float64
	errors []int64 // magnitudes (ns)
	near   Instant // first seen below 10 ms
	close  Instant // first seen below 1 ms
	large  Instant // last seen at 1 ms or above

	bounded, covered int
	synced           int // after the settling time
	bounds           float64
	exposed, bare    Instant
	beyond           float64
}

func (r *recorder) sent(t Instant, id event.SourceID) {
	if r.first == 0 {
		r.first = max(t, 1)
		r.last = make(map[event.SourceID]Instant)
	}
	before, known := r.last[id]
	if gap := t - before; known && t > r.settle && (r.gap == 0 || gap < r.gap) {
		r.gap = gap
	}
	r.last[id] = t
}

// seen notes an error between the regular ones: after a step.
func (r *recorder) seen(t Instant, wrong clock.Offset) {
	if r.near == 0 && wrong.Abs() < 10*time.Millisecond {
		r.near = t
	}
	if r.close == 0 && wrong.Abs() < time.Millisecond {
		r.close = t
	}
	if wrong.Abs() >= time.Millisecond {
		r.large = t
	}
}

// record notes the error of one second and the bound that was stated for it,
// 0 for none.
func (r *recorder) record(t Instant, wrong clock.Offset, bound time.Duration) {
	r.end = t
	r.seen(t, wrong)
	if bound > 0 {
		r.bounded++
		r.beyond = max(r.beyond, float64(wrong.Abs())/float64(bound))
		if wrong.Abs() <= bound {
			r.covered++
		} else {
			if r.exposed == 0 {
				r.exposed = t
			}
			r.bare = t
		}
	}
	if t <= r.settle {
		return
	}
	if bound > 0 {
		r.synced++
		r.bounds += float64(bound)
	}
	r.sum += float64(wrong) * float64(wrong)
	r.errors = append(r.errors, int64(wrong.Abs()))
}

func (r *recorder) finish(res *Result) {
	if n := len(r.errors); n > 0 {
		slices.Sort(r.errors)
		res.RMSOffset = time.Duration(math.Round(math.Sqrt(r.sum / float64(n))))
		res.Max = time.Duration(r.errors[n-1])
		res.P99 = time.Duration(r.errors[(n-1)*99/100])
		res.Synced = float64(r.synced) / float64(n)
	}
	if r.synced > 0 {
		res.Bound = time.Duration(r.bounds / float64(r.synced))
	}
	res.Covered = 1
	if r.bounded > 0 {
		res.Covered = float64(r.covered) / float64(r.bounded)
	}
	if res.Packets > 0 {
		res.Interval = time.Duration(r.end) / time.Duration(res.Packets)
	}
	res.Exposed, res.Bare, res.Beyond = time.Duration(r.exposed), time.Duration(r.bare), r.beyond
	res.Gap = time.Duration(r.gap)
	res.Unlogged = res.Steps - res.Count(event.NoticeStep)
	res.First10ms = r.since(r.near)
	res.First1ms = r.since(r.close)
	res.Stay1ms = max(r.since(r.large+second), res.First1ms)
}

// since is the time from the first request to t; one that never came, t 0,
// lies after the end.
func (r *recorder) since(t Instant) time.Duration {
	if t == 0 {
		t = r.end + second
	}
	return time.Duration(max(0, t-r.first))
}

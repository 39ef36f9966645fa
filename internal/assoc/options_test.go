package assoc

import (
	"fmt"
	"testing"
	"time"

	"ntsd/internal/event"
	"ntsd/internal/ntptime"
)

// trip delivers a reply that took delay in all and shows an offset.
func (b *bench) trip(delay time.Duration, offset time.Duration) Verdict {
	b.t.Helper()
	req := b.poll()
	h := b.header(req)
	h.Receive = ntptime.FromWall(b.now.Wall.Add(delay/2 + offset))
	h.Transmit = h.Receive
	return b.deliver(event.Received{
		Source: 7, Request: req.Request, From: req.To, Data: h.Append(nil),
		Sent:     event.Stamp{At: b.now.Mono, Kind: event.StampKernel},
		Received: event.Stamp{At: b.now.Mono.Add(delay), Kind: event.StampKernel},
	})
}

// Chrony's test B: the round trip against the shortest one seen.
func TestMaxDelayRatio(t *testing.T) {
	const short = 10 * time.Millisecond
	for _, c := range []struct {
		ratio float64
		delay time.Duration
		want  Verdict
	}{
		{0, 40 * time.Millisecond, VerdictAccepted},
		{0.5, 40 * time.Millisecond, VerdictAccepted}, // as in chrony, below 1 it means nothing
		{2, 15 * time.Millisecond, VerdictAccepted},
		{2, 40 * time.Millisecond, VerdictDelayRatio},
	} {
		b := newBench(t, Config{MaxDelayRatio: c.ratio})
		for i := range 20 {
			if v := b.trip(short, 0); v != VerdictAccepted {
				t.Fatalf("sample %d: %v", i, v)
			}
		}
		if got := b.trip(c.delay, 0); got != c.want {
			t.Errorf("ratio %g, delay %v: %v, want %v", c.ratio, c.delay, got, c.want)
		}
		want := uint16(0b1111)
		if c.want != VerdictAccepted {
			want = 0b1011
		}
		if got := b.a.Last().Tests[2]; got != want {
			t.Errorf("ratio %g, delay %v: tests ABCD %04b, want %04b", c.ratio, c.delay, got, want)
		}
	}
	b := newBench(t, Config{MaxDelayRatio: 2})
	b.trip(short, 0)
	if got := b.trip(5*short, 0); got != VerdictAccepted {
		t.Errorf("too early to compare: %v", got)
	}
}

// Chrony's test C: the excess against the spread of the offsets, unless the
// offset itself is out of what the excess explains.
func TestMaxDelayDevRatio(t *testing.T) {
	for _, c := range []struct {
		ratio         float64
		delay, offset time.Duration
		want          Verdict
	}{
		{0, 30 * time.Millisecond, 0, VerdictAccepted},
		{2, 10100 * time.Microsecond, 0, VerdictAccepted},
		{2, 30 * time.Millisecond, 0, VerdictDelayDevRatio},
		{2, 30 * time.Millisecond, 10 * time.Millisecond, VerdictDelayDevRatio},
		{1e6, 30 * time.Millisecond, 0, VerdictAccepted},
		{2, 30 * time.Millisecond, time.Second, VerdictOutlier}, // the filter's to judge
	} {
		b := newBench(t, Config{MaxDelayDevRatio: c.ratio})
		for i := range 40 {
			jitter := time.Duration(i*7%16) * 10 * time.Microsecond
			if v := b.trip(10*time.Millisecond+jitter, jitter/2-40*time.Microsecond); v != VerdictAccepted {
				t.Fatalf("sample %d: %v", i, v)
			}
		}
		if got := b.trip(c.delay, c.offset); got != c.want {
			t.Errorf("ratio %g, delay %v, offset %v: %v, want %v", c.ratio, c.delay, c.offset, got, c.want)
		}
		want := uint16(0b1111)
		if c.want == VerdictDelayDevRatio {
			want = 0b1101
		}
		if got := b.a.Last().Tests[2]; got != want {
			t.Errorf("ratio %g, delay %v, offset %v: tests ABCD %04b, want %04b", c.ratio, c.delay, c.offset, got, want)
		}
	}
}

// The option filter: so many polls make one sample, lost ones included.
func TestFilterOption(t *testing.T) {
	b := newBench(t, Config{Filter: 5, MinPoll: 2, MaxPoll: 2})
	if v := b.trip(time.Millisecond, 0); v != VerdictAccepted {
		t.Fatalf("the first sample: %v; it must not wait", v)
	}
	for round := range 3 {
		for i, offset := range []time.Duration{3, -70, 0, 60} {
			if v := b.trip(time.Millisecond, offset*time.Millisecond); v != VerdictCollected {
				t.Errorf("round %d, sample %d: %v, want %v", round, i, v, VerdictCollected)
			}
		}
		if v := b.trip(time.Millisecond, 0); v != VerdictAccepted {
			t.Errorf("round %d, the fifth sample: %v", round, v)
		}
		if n := b.a.FilterStats().Samples; n != round+2 {
			t.Errorf("round %d: %d samples, want %d", round, n, round+2)
		}
	}
	b.trip(time.Millisecond, 0)
	for range 4 {
		b.poll()
	}
	if v := b.trip(time.Millisecond, 0); v != VerdictAccepted {
		t.Errorf("after four lost requests: %v", v)
	}
	if got := b.a.Reach() & 0x3f; got != 0b100001 {
		t.Errorf("reach %o, want 41 at its end", got)
	}
}

// A server that jumps is followed after four samples, or minsamples.
func TestMinSamples(t *testing.T) {
	for _, c := range []struct{ option, want int }{{0, 4}, {3, 4}, {12, 12}} {
		t.Run(fmt.Sprint(c.option), func(t *testing.T) {
			b := newBench(t, Config{MinSamples: c.option})
			for range 30 {
				b.trip(time.Millisecond, 0)
			}
			n := 1
			for ; b.trip(time.Millisecond, time.Second) == VerdictOutlier; n++ {
				if n > 64 {
					t.Fatal("never followed")
				}
			}
			if n != c.want {
				t.Errorf("followed with sample %d, want %d", n, c.want)
			}
		})
	}
}

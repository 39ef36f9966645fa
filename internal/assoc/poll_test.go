package assoc

import (
	"testing"
	"time"

	"ntsd/internal/event"
	"ntsd/internal/ntptime"
)

// settled returns an association that polls at its longest interval.
func settled(t *testing.T) *bench {
	b := newBench(t, Config{MinPoll: 6, MaxPoll: 9})
	for i := range 80 {
		req := b.poll()
		h := b.header(req)
		// Both ways queue alike, by up to 4 ms.
		r := ntptime.Timestamp(i*7%16) << 20
		h.Receive, h.Transmit = h.Receive-r, h.Transmit+r
		b.reply(req, h.Append(nil))
	}
	if got := b.a.Poll(); got != 9 {
		t.Fatalf("poll after 80 samples: got %d, want 9", got)
	}
	return b
}

// next waits for the next request and returns how long that took.
func (b *bench) next() (event.Send, time.Duration) {
	before := b.now.Mono
	req := b.poll()
	return req, b.now.Mono.Sub(before)
}

// TestLooksAgainAfterAnOutlier: a sample that the filter refuses is followed by
// the next one after the shortest interval, four of them by the shortest
// interval for good; a single fault changes nothing.
func TestLooksAgainAfterAnOutlier(t *testing.T) {
	b := settled(t)
	req := b.poll()
	h := b.header(req)
	h.Receive += 1 << 32
	h.Transmit += 1 << 32
	if v := b.reply(req, h.Append(nil)); v != VerdictOutlier {
		t.Fatalf("a reply that is a second off: got %v, want %v", v, VerdictOutlier)
	}
	req, d := b.next()
	if d > 67*time.Second || d < 64*time.Second {
		t.Errorf("next request after an outlier: got %v, want about 64s", d)
	}
	b.reply(req, b.header(req).Append(nil))
	if got := b.a.Poll(); got != 9 {
		t.Errorf("poll after one outlier: got %d, want 9", got)
	}
	for i := 1; ; i++ {
		req, _ = b.next()
		h := b.header(req)
		h.Receive += 1 << 32
		h.Transmit += 1 << 32
		if v := b.reply(req, h.Append(nil)); v == VerdictAccepted {
			if i != 4 || b.a.Poll() != 6 {
				t.Errorf("a server that jumped: accepted after %d samples at poll %d, want 4 and 6", i, b.a.Poll())
			}
			break
		}
	}
}

// TestLookAgain: when something has happened to the clock the next request
// comes as soon as the shortest interval allows, not sooner.
func TestLookAgain(t *testing.T) {
	b := settled(t)
	req := b.poll()
	b.reply(req, b.header(req).Append(nil))
	b.pass(20 * time.Second)
	b.a.LookAgain(b.now)
	if _, d := b.next(); d < 44*time.Second || d > 47*time.Second {
		t.Errorf("20 s after a request: the next one in %v, want about 44s", d)
	}
	b.reply(b.sent[len(b.sent)-1], b.header(b.sent[len(b.sent)-1]).Append(nil))
	b.pass(300 * time.Second)
	b.a.LookAgain(b.now)
	if _, d := b.next(); d > time.Second {
		t.Errorf("300 s after a request: the next one in %v, want at once", d)
	}
}

// TestSlowDown: an address that does not answer is asked less and less often,
// more slowly while whoever asks knows next to nothing yet.
func TestSlowDown(t *testing.T) {
	for samples, want := range map[int]int{0: slowStart, 1: slowStart, knownSamples: lostPolls + slowDown} {
		b := newBench(t, Config{MinPoll: 6, MaxPoll: 10})
		for range samples {
			req := b.poll()
			b.reply(req, b.header(req).Append(nil))
		}
		if got := b.a.Poll(); got != 6 {
			t.Fatalf("poll after %d samples: got %d, want 6", samples, got)
		}
		missed := 0
		for b.a.Poll() == 6 {
			b.poll()
			missed = b.a.Misses()
		}
		if missed != want {
			t.Errorf("after %d samples: got a longer interval after %d losses, want %d", samples, missed, want)
		}
	}
}

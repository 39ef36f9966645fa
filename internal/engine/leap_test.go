package engine

import (
	"crypto/sha1"
	"fmt"
	"testing"
	"time"

	"ntsd/internal/event"
	"ntsd/internal/leaplist"
	"ntsd/internal/wire"
)

// leaps returns a list with a leap second at the end of the day on which tests
// begin.
func leaps(t *testing.T) *leaplist.List {
	t.Helper()
	const updated, expires, first, second = "3960835200", "4070908800", "3692217600", "4007750400" // 2027-01-01
	sum := sha1.Sum([]byte(updated + expires + first + "37" + second + "38"))
	text := fmt.Sprintf("#$ %s\n#@ %s\n%s 37\n%s 38\n#h %x %x %x %x %x\n", updated, expires, first, second,
		sum[:4], sum[4:8], sum[8:12], sum[12:16], sum[16:])
	l, err := leaplist.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestLeapFromList: where no server announces it, the list does; and TAI-UTC
// comes from nowhere else.
func TestLeapFromList(t *testing.T) {
	for _, c := range []struct {
		list bool
		says wire.Leap
		want event.Leap
		tai  int32
	}{
		{false, wire.LeapNone, event.LeapNone, 0},
		{true, wire.LeapNone, event.LeapInsert, 37},
		{true, wire.LeapDelete, event.LeapDelete, 37}, // the servers know better
	} {
		w := newWorld(t, 61, 0)
		w.serve("a.test", addr(1), server{change: func(h *wire.Header) { h.Leap = c.says }})
		cfg := sources(plainSource("a.test"))
		if c.list {
			cfg.Leaps = leaps(t)
		}
		w.start(cfg)
		w.run(10 * time.Minute)
		if got := w.eng.System(w.now).Leap; got != c.want {
			t.Errorf("%+v: leap %v", c, got)
		}
		if w.status.TAI != c.tai || w.status.Leap != c.want {
			t.Errorf("%+v: the kernel was told %+v", c, w.status)
		}
	}
}

// TestPrecision: a clock whose precision is told is believed no better.
func TestPrecision(t *testing.T) {
	var bound [2]time.Duration
	for i, precision := range []time.Duration{0, 4 * time.Millisecond} {
		w := newWorld(t, 62, 0)
		w.serve("a.test", addr(1), server{})
		cfg := sources(plainSource("a.test"))
		cfg.Precision = precision
		w.start(cfg)
		w.run(10 * time.Minute)
		bound[i] = w.source(0).Last.Dispersion
	}
	if got := bound[1] - bound[0]; (got - 8*time.Millisecond).Abs() > 10*time.Microsecond {
		t.Errorf("dispersion %v, with a precision of 4 ms %v: want 8 ms more", bound[0], bound[1])
	}
}

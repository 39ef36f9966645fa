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

// leaps returns a list that expires in 2029, with changes of TAI-UTC to 38 at
// these times, in seconds since 1900.
func leaps(t *testing.T, changes ...string) *leaplist.List {
	t.Helper()
	const updated, expires = "3960835200", "4070908800"
	digits, lines := updated+expires, ""
	for i, at := range append([]string{"3692217600"}, changes...) {
		digits += at + fmt.Sprint(37+i)
		lines += fmt.Sprintf("%s %d\n", at, 37+i)
	}
	sum := sha1.Sum([]byte(digits))
	text := fmt.Sprintf("#$ %s\n#@ %s\n%s#h %x %x %x %x %x\n", updated, expires, lines,
		sum[:4], sum[4:8], sum[8:12], sum[12:16], sum[16:])
	l, err := leaplist.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Changes of TAI-UTC, in seconds since 1900: one at the end of the day on which
// tests begin, one at the end of the month after it.
const (
	endOfYear    = "4007750400" // 2027-01-01
	endOfJanuary = "4010428800" // 2027-02-01
)

// TestLeapFromList: where no server announces it, the list does; and TAI-UTC
// comes from nowhere else. What it knows no majority contradicts.
func TestLeapFromList(t *testing.T) {
	for _, c := range []struct {
		list *leaplist.List
		says wire.Leap
		want event.Leap
		tai  int32
	}{
		{nil, wire.LeapNone, event.LeapNone, 0},
		{nil, wire.LeapInsert, event.LeapInsert, 0},
		{leaps(t, endOfYear), wire.LeapNone, event.LeapInsert, 37},
		{leaps(t, endOfYear), wire.LeapDelete, event.LeapInsert, 37},
		{leaps(t), wire.LeapInsert, event.LeapNone, 37},
	} {
		w := newWorld(t, 61, 0)
		w.serve("a.test", addr(1), server{change: func(h *wire.Header) { h.Leap = c.says }})
		cfg := with(plainSource("a.test"))
		cfg.Leaps = c.list
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

// TestLeapOnAnotherDay: that all servers announce a leap second on a day that has
// none is told neither the kernel nor our clients, be it the last day of a month;
// the list may know of one.
func TestLeapOnAnotherDay(t *testing.T) {
	for _, c := range []struct {
		day  time.Duration // after 2026-12-31
		list *leaplist.List
		want event.Leap
	}{
		{0, nil, event.LeapInsert},
		{1, nil, event.LeapNone},
		{31, nil, event.LeapNone}, // 2027-01-31
		{31, leaps(t, endOfJanuary), event.LeapInsert},
		{181, nil, event.LeapInsert}, // 2027-06-30
		{181, leaps(t), event.LeapNone},
	} {
		w := newWorld(t, 63, 0)
		w.now.Mono = w.now.Mono.Add(c.day * 24 * time.Hour)
		w.now.Wall = w.now.Wall.Add(c.day * 24 * time.Hour)
		cfg := with()
		for i := range 3 {
			name := fmt.Sprintf("s%d.test", i)
			w.serve(name, addr(i+1), server{change: func(h *wire.Header) { h.Leap = wire.LeapInsert }})
			cfg.Sources = append(cfg.Sources, plainSource(name))
		}
		cfg.Leaps = c.list
		w.start(cfg)
		w.run(10 * time.Minute)
		if got := w.eng.System(w.now); got.Leap != c.want || got.Stratum == 0 || w.status.Leap != c.want {
			t.Errorf("day %d, with a list: %t: clients are told %v, the kernel %v, want %v", c.day, c.list != nil, got.Leap, w.status.Leap, c.want)
		}
	}
}

// TestPrecision: a clock whose precision is told is believed no better.
func TestPrecision(t *testing.T) {
	var bound [2]time.Duration
	for i, precision := range []time.Duration{0, 4 * time.Millisecond} {
		w := newWorld(t, 62, 0)
		w.serve("a.test", addr(1), server{})
		cfg := with(plainSource("a.test"))
		cfg.Precision = precision
		w.start(cfg)
		w.run(10 * time.Minute)
		bound[i] = w.source(0).Last.Dispersion
	}
	if got := bound[1] - bound[0]; (got - 8*time.Millisecond).Abs() > 10*time.Microsecond {
		t.Errorf("dispersion %v, with a precision of 4 ms %v: want 8 ms more", bound[0], bound[1])
	}
}

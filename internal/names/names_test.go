package names

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
)

// A name that fails is asked for ever less often; the reason is news once; old
// addresses stand in after three seconds of each question.
func TestLookup(t *testing.T) {
	l := Lookup{Name: "time.example"}
	now := clock.Reading{Mono: 10e9}
	if l.Ask(now) || l.Deadline() != clock.Never {
		t.Error("asks for what nobody wants")
	}
	l.Wanted = true
	var waits []time.Duration
	for range 8 {
		if !l.Ask(now) || l.Ask(now) {
			t.Fatal("it should ask, once")
		}
		if l.StandIn(now) {
			t.Error("stands in at once")
		}
		now.Mono = l.Deadline()
		if !l.StandIn(now) || l.StandIn(now) || l.Deadline() != clock.Never {
			t.Error("it should stand in, once")
		}
		if news := l.Failed(now, event.Resolved{Temporary: true, Reason: "dead"}); news != (len(waits) == 0) {
			t.Errorf("failure %d is news: %t", len(waits)+1, news)
		}
		waits = append(waits, l.Deadline().Sub(now.Mono))
		now.Mono = l.Deadline()
	}
	s := time.Second
	if want := []time.Duration{2 * s, 4 * s, 8 * s, 16 * s, 32 * s, 64 * s, 64 * s, 64 * s}; !slices.Equal(waits, want) {
		t.Errorf("waits: got %v, want %v", waits, want)
	}
	l.Ask(now)
	l.Answered(now)
	if l.Wanted || l.Running || l.Reason != "" || l.Last != now.Mono || l.Deadline() != clock.Never {
		t.Errorf("after an answer: %+v", l)
	}
	for l.Wanted = true; l.failures < maxFailures; l.Failed(now, event.Resolved{Reason: "gone"}) {
		l.Hurry()
	}
	if got := l.Deadline().Sub(now.Mono); got != retryMaxGone {
		t.Errorf("a name that does not exist: got %v, want %v", got, retryMaxGone)
	}
	if l.Hurry(); !l.Ask(now) {
		t.Error("hurried: it should ask")
	}
}

func TestHosts(t *testing.T) {
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	h := NewHosts([]event.Host{{Name: "old", Addrs: []netip.Addr{a}}})
	if got := h.Of("old"); !slices.Equal(got, []netip.Addr{a}) || h.Of("new") != nil {
		t.Errorf("got %v and %v", got, h.Of("new"))
	}
	h.Remember("old", []netip.Addr{b, a})
	if got := h.Of("old"); !slices.Equal(got, []netip.Addr{b, a}) || len(h.List()) != 1 {
		t.Errorf("after an answer: got %v of %v", got, h.List())
	}
	for i := range 2 * maxHosts {
		h.Remember(fmt.Sprint(i), slices.Repeat([]netip.Addr{a}, 2*maxAddrs))
	}
	if n := len(h.List()); n != maxHosts || h.Of("old") != nil || len(h.Of(fmt.Sprint(2*maxHosts-1))) != maxAddrs {
		t.Errorf("%d names, want %d, the oldest gone, each with at most %d addresses", n, maxHosts, maxAddrs)
	}
}

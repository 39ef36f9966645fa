package discipline

import (
	"os"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/filter"
	"ntsd/internal/leaplist"
)

// announced returns a plant whose servers say, at noon, that this day ends with
// a leap second.
func announced(t *testing.T, mode LeapMode, leap event.Leap) *plant {
	t.Helper()
	p := newPlant(t, Config{Threshold: time.Second / 2, Limit: 1, LeapMode: mode}, 0, 20e-6, true)
	p.hear(leap)
	return p
}

// hear is an update from servers that are right.
func (p *plant) hear(leap event.Leap) {
	p.do(p.d.HandleUpdate(p.reading(), Update{Estimate: filter.Estimate{Line: p.truth, RateSD: 1e-9}, Leap: leap}, nil))
}

// until runs to the given time before midnight, or after.
func (p *plant) until(d time.Duration) {
	midnight := start.Midnight()
	p.run(p.truth.MonoAt(midnight.Add(d)).Sub(p.now))
}

// civil is what happens to true time at a leap second.
func (p *plant) civil(by time.Duration) {
	p.truth = p.truth.From(p.now)
	p.truth.At.Wall = p.truth.At.Wall.Add(by)
}

// TestOwnLeapSecond: the kernel is not told; at the end of the day the clock is
// stepped or slewed, or not, and nothing happens a second time.
func TestOwnLeapSecond(t *testing.T) {
	for _, c := range []struct {
		name  string
		mode  LeapMode
		leap  event.Leap
		by    time.Duration
		steps int
		within,
		wrong time.Duration // soon after, 1 s later
	}{
		{"step insert", LeapStep, event.LeapInsert, -time.Second, 1, time.Millisecond, 0},
		{"step delete", LeapStep, event.LeapDelete, time.Second, 1, time.Millisecond, 0},
		{"slew insert", LeapSlew, event.LeapInsert, -time.Second, 0, time.Millisecond, time.Second},
		{"slew delete", LeapSlew, event.LeapDelete, time.Second, 0, time.Millisecond, time.Second},
		{"ignore insert", LeapIgnore, event.LeapInsert, -time.Second, 0, 1100 * time.Millisecond, time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := announced(t, c.mode, c.leap)
			for _, s := range p.statuses {
				if s.Leap != event.LeapNone {
					t.Errorf("the kernel was told: %+v", s)
				}
			}
			if p.d.Stats().Leap != c.leap || p.count(event.NoticeLeap) != 1 {
				t.Errorf("leap %d, notices %+v: want it announced", p.d.Stats().Leap, p.notices)
			}
			when := time.Duration(0)
			if c.leap == event.LeapDelete {
				when = -time.Second
			}
			p.until(when - 10*time.Millisecond)
			if p.wrong().Abs() > time.Millisecond {
				t.Errorf("before: wrong by %v", p.wrong().Duration())
			}
			p.run(10 * time.Millisecond)
			p.civil(c.by)
			p.run(100 * time.Millisecond)
			if got := p.wrong().Abs(); got > c.wrong || c.wrong > 0 && got < c.wrong*9/10 {
				t.Errorf("right after: wrong by %v, want %v", got, c.wrong)
			}
			// While the second is inserted, and from servers that have not been
			// asked since, the announcement is heard again.
			p.run(300 * time.Millisecond)
			if c.mode != LeapIgnore {
				p.hear(c.leap)
			}
			p.run(time.Minute)
			if got := p.wrong().Abs(); got > c.within || p.steps != c.steps || p.d.Stats().Leap != event.LeapNone {
				t.Errorf("later: wrong by %v, %d steps, leap %d; want %v, %d, none", got, p.steps, p.d.Stats().Leap, c.within, c.steps)
			}
			if p.count(event.NoticeInterference) != 0 {
				t.Errorf("taken for interference: %+v", p.notices)
			}
		})
	}
}

// TestLeapOfAnotherDay: who announces one a month ahead is not heard yet, and
// the kernel, which would insert it at any midnight, is not told.
func TestLeapOfAnotherDay(t *testing.T) {
	for _, mode := range []LeapMode{LeapSystem, LeapStep} {
		p := newPlant(t, Config{LeapMode: mode}, 0, 0, true)
		p.truth.At.Wall = p.truth.At.Wall.Add(-24 * time.Hour)
		p.wall.At.Wall = p.wall.At.Wall.Add(-24 * time.Hour)
		p.hear(event.LeapInsert)
		if l := p.d.Stats().Leap; l != event.LeapNone || p.statuses[len(p.statuses)-1].Leap != event.LeapNone || p.count(event.NoticeLeap) != 0 {
			t.Errorf("mode %d: leap %d, %+v", mode, l, p.statuses)
		}
		p.run(25 * time.Hour)
		p.hear(event.LeapInsert)
		if l := p.d.Stats().Leap; l != event.LeapInsert || p.count(event.NoticeLeap) != 1 {
			t.Errorf("mode %d: leap %d on the day itself", mode, l)
		}
	}
}

// TestLeapOfTheTrueDay: which day it is the servers say, not a clock that is wrong
// by a day.
func TestLeapOfTheTrueDay(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		truth, clock time.Duration // from the day that may have one
		want         event.Leap
	}{
		{0, -day, event.LeapInsert},
		{-day, 0, event.LeapNone},
	} {
		p := newPlant(t, Config{}, 0, 0, true)
		p.truth.At.Wall, p.wall.At.Wall = p.truth.At.Wall.Add(c.truth), p.wall.At.Wall.Add(c.clock)
		p.hear(event.LeapInsert)
		if got := p.d.Stats().Leap; got != c.want {
			t.Errorf("true day %v, the clock's %v: leap %d, want %d", c.truth, c.clock, got, c.want)
		}
		// The kernel goes by its own clock, and would insert one there.
		if got := p.statuses[len(p.statuses)-1].Leap; got != event.LeapNone {
			t.Errorf("true day %v, the clock's %v: the kernel was told %d", c.truth, c.clock, got)
		}
	}
}

// TestLeapIsNotArmedTwice: in the inserted second the day has not ended, and
// the kernel would insert another one.
func TestLeapIsNotArmedTwice(t *testing.T) {
	p := announced(t, LeapSystem, event.LeapInsert)
	p.until(0)
	p.wall.At = p.reading()
	p.wall.At.Wall = p.wall.At.Wall.Add(-time.Second)
	p.civil(-time.Second)
	p.run(200 * time.Millisecond)
	if s := p.statuses[len(p.statuses)-1]; s.Leap != event.LeapNone {
		t.Errorf("the kernel's flag stays: %+v", s)
	}
	p.hear(event.LeapInsert)
	if s := p.statuses[len(p.statuses)-1]; s.Leap != event.LeapNone || p.wrong().Abs() > time.Millisecond {
		t.Errorf("armed again: %+v, wrong by %v", s, p.wrong().Duration())
	}
}

// TestKernelWithoutLeapSecond: a kernel that makes none is not waited for.
func TestKernelWithoutLeapSecond(t *testing.T) {
	for _, leap := range []event.Leap{event.LeapInsert, event.LeapDelete} {
		p := announced(t, LeapSystem, leap)
		p.until(-2 * time.Second)
		n := 0
		for end := p.now.Add(10 * time.Second); p.now < end && n < 1000; n++ {
			p.now = min(end, max(p.now, p.d.NextDeadline()))
			p.do(p.d.HandleTimer(p.reading(), nil))
		}
		if n > 10 {
			t.Errorf("leap %d: %d timers in ten seconds", leap, n)
		}
	}
}

// TestKernelLeapIsSeenAtOnce: until somebody looks, what is said of the clock is
// a second off.
func TestKernelLeapIsSeenAtOnce(t *testing.T) {
	for leap, when := range map[event.Leap]time.Duration{event.LeapInsert: 0, event.LeapDelete: -time.Second} {
		p := announced(t, LeapSystem, leap)
		p.until(when - time.Second)
		looked := false
		for end := p.truth.MonoAt(start.Midnight().Add(when + 200*time.Millisecond)); p.d.NextDeadline() < end; {
			p.now = max(p.now, p.d.NextDeadline())
			looked = looked || p.reading().Wall > start.Midnight().Add(when)
			p.do(p.d.HandleTimer(p.reading(), nil))
		}
		if !looked {
			t.Errorf("leap %d: nobody looks soon after it; next at %v", leap, p.d.NextDeadline())
		}
	}
}

// TestModeChangesBeforeLeap: a leap second that was ours becomes the kernel's.
func TestModeChangesBeforeLeap(t *testing.T) {
	p := announced(t, LeapStep, event.LeapInsert)
	p.until(-time.Minute)
	p.d.HandleConfig(Config{LeapMode: LeapSystem})
	n := 0
	for end := p.now.Add(2 * time.Minute); p.now < end && n < 1000; n++ {
		p.now = min(end, max(p.now, p.d.NextDeadline()))
		p.do(p.d.HandleTimer(p.reading(), nil))
	}
	if n > 20 || p.steps != 0 {
		t.Errorf("%d timers, %d steps; want a few, none", n, p.steps)
	}
}

// TestTAI: the kernel gets TAI-UTC from the list, but not next to a midnight,
// where it may be changing it.
func TestTAI(t *testing.T) {
	text, err := os.ReadFile("../leaplist/testdata/leap-seconds.list")
	if err != nil {
		t.Fatal(err)
	}
	list, err := leaplist.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at   string
		list *leaplist.List
		want int32
	}{
		{"2016-12-31T12:00:00Z", list, 36},
		{"2016-12-31T23:59:54Z", list, 36},
		{"2016-12-31T23:59:56Z", list, 0},
		{"2017-01-01T00:00:04Z", list, 0},
		{"2017-01-01T00:00:06Z", list, 37},
		{"2026-06-28T12:00:00Z", list, 0}, // it has expired
		{"2017-01-01T12:00:00Z", nil, 0},
	} {
		x, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		p := newPlant(t, Config{Leaps: c.list}, 0, 0, true)
		p.truth.At.Wall, p.wall.At.Wall = clock.WallTime(x), clock.WallTime(x)
		p.hear(event.LeapNone)
		if got := p.statuses[len(p.statuses)-1].TAI; got != c.want {
			t.Errorf("%s: TAI-UTC %d, want %d", c.at, got, c.want)
		}
	}
}

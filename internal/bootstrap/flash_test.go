package bootstrap

import (
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
)

// The flash is written soon after the time was trusted if what it holds is of no
// use, else a day later, and then once a day.
func TestFlash(t *testing.T) {
	const at = clock.Wall(1_800_000_000e9)
	for _, c := range []struct {
		name  string
		holds clock.Wall
		low   bool
		want  time.Duration
	}{
		{"empty", 0, false, writeSoon},
		{"old", at.Add(-writeEvery - 1), false, writeSoon},
		{"fresh", at.Add(-time.Hour), false, writeEvery},
		{"fresh, but the reserve was spent", at.Add(-time.Hour), true, writeSoon},
	} {
		f := NewFlash(&event.Boot{Time: c.holds})
		now := clock.Reading{Mono: 100e9, Wall: at}
		if f.NextDeadline() != clock.Never {
			t.Errorf("%s: wants to be written before any time was trusted", c.name)
		}
		due := f.Due(now, at, c.low)
		if wait := f.NextDeadline().Sub(now.Mono); due || wait != c.want {
			t.Errorf("%s: due now %t, then after %v, want %v", c.name, due, wait, c.want)
		}
		now.Mono = f.NextDeadline()
		if !f.Due(now, at, c.low) {
			t.Errorf("%s: not due when it should be", c.name)
		}
		f.Written(now, &event.Persist{State: event.Boot{Time: at}})
		if f.Due(now, at, true) || f.NextDeadline() != now.Mono.Add(writeEvery) || f.Holds().Time != at {
			t.Errorf("%s: after a write: next at %v, holds %v", c.name, f.NextDeadline(), f.Holds().Time)
		}
	}
}

// A reserve is not filled again within the hour, and none of it is asked for where
// there is no flash.
func TestFlashFilled(t *testing.T) {
	const at = clock.Wall(1_800_000_000e9)
	f := NewFlash(&event.Boot{Time: at})
	if f.Old(at.Add(fillApart-1)) || !f.Old(at.Add(fillApart)) {
		t.Errorf("got old %t a moment before and %t at %v, want false and true", f.Old(at.Add(fillApart-1)), f.Old(at.Add(fillApart)), fillApart)
	}
	later := at.Add(fillApart)
	f.Written(clock.Reading{}, &event.Persist{State: event.Boot{Time: later}, Fill: true})
	if f.Old(later) {
		t.Error("old just after it was filled")
	}
	var none Flash
	if none.On() || none.Due(clock.Reading{}, at, true) || none.NextDeadline() != clock.Never {
		t.Error("a machine without flash wants to write")
	}
}

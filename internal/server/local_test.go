package server

import (
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
)

func TestLocal(t *testing.T) {
	never := System{Leap: event.LeapUnsynchronised, Precision: -20}
	good := goodSystem() // distance 13 ms
	far := goodSystem()
	far.RootDispersion = 2 * time.Second
	house := Local{Enabled: true, Stratum: 10, Distance: time.Second}
	activate := house
	activate.Activate = 20 * time.Millisecond
	wait := house
	wait.WaitSynced = 300 * time.Second
	type step struct {
		after time.Duration
		sys   System
		local bool
	}
	for name, c := range map[string]struct {
		l     Local
		steps []step
	}{
		"off":               {Local{Stratum: 10}, []step{{0, never, false}, {0, good, false}}},
		"never known":       {house, []step{{0, never, true}, {time.Second, good, false}, {time.Hour, never, true}}},
		"synchronised":      {house, []step{{0, good, false}, {0, far, true}, {0, good, false}}},
		"not before it was": {activate, []step{{0, never, false}, {0, far, false}, {0, good, false}, {0, never, true}}},
		"a while after": {wait, []step{
			{0, never, true},
			{0, good, false},
			{299 * time.Second, never, false},
			{time.Second, never, true},
		}},
	} {
		var s LocalState
		now := clock.Reading{Wall: arrival()}
		for i, step := range c.steps {
			now.Mono, now.Wall = now.Mono.Add(step.after), now.Wall.Add(step.after)
			got := s.Apply(c.l, step.sys, now)
			if !step.local {
				if got != step.sys {
					t.Errorf("%s, step %d: got %+v, want the clock's own", name, i, got)
				}
				continue
			}
			want := System{
				Stratum: 10, Precision: step.sys.Precision,
				ReferenceID: localReferenceID(), ReferenceTime: now.Wall.Add(-64 * time.Second),
			}
			if got != want {
				t.Errorf("%s, step %d: got %+v, want %+v", name, i, got, want)
			}
		}
	}
}

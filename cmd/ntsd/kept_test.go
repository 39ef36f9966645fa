package main

import (
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/linux/sysclock"
)

// told is a clock that remembers what it was told.
type told struct {
	*sysclock.DryRun
	last sysclock.Status
}

func (c *told) SetStatus(s sysclock.Status) error {
	c.last = s
	return nil
}

// TestRTCSync: with rtcsync the kernel is told that it is synchronised, and so
// copies its time to the real-time clock every eleven minutes; without, never.
// The error bounds, leap second and TAI-UTC it gets in either case.
func TestRTCSync(t *testing.T) {
	dry, err := sysclock.OpenDryRun(clock.Offset(0))
	if err != nil {
		t.Fatal(err)
	}
	for _, rtcSync := range []bool{true, false} {
		for _, synchronised := range []bool{true, false} {
			c := &told{DryRun: dry}
			err := kept{c, rtcSync}.SetStatus(event.SetStatus{
				Synchronised: synchronised, Leap: event.LeapDelete, MaxError: time.Millisecond, EstError: 3, TAI: 37,
			})
			want := sysclock.Status{
				Synchronised: rtcSync && synchronised, Leap: sysclock.LeapDelete, MaxError: time.Millisecond, EstError: 3, TAI: 37,
			}
			if err != nil || c.last != want {
				t.Errorf("rtcsync %t: the kernel was told %+v (%v), want %+v", rtcSync, c.last, err, want)
			}
		}
	}
}

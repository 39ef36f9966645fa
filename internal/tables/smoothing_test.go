package tables

import (
	"strings"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/smooth"
	"ntsd/internal/snapshot"
	"ntsd/internal/status"
)

// The example of chronyc's manual page.
func TestSmoothingAsChronyc(t *testing.T) {
	r := status.FromSnapshot(snapshot.Snapshot{Smoothing: smooth.Report{
		Enabled: true, Active: true, Offset: 1000268817, Rate: clock.RatePPM(-0.142859), Wander: clock.RatePPM(-0.01),
		LastUpdate: 17800 * time.Millisecond, Remaining: 19988400 * time.Millisecond,
	}}, status.Info{})
	const want = `Active         : Yes 
Offset         : +1.000268817 seconds
Frequency      : -0.142859 ppm
Wander         : -0.010000 ppm per second
Last update    : 17.8 seconds ago
Remaining time : 19988.4 seconds
`
	var b strings.Builder
	if err := Smoothing(&b, r, Options{}); err != nil || b.String() != want {
		t.Errorf("got (%v)\n%s\nwant\n%s", err, b.String(), want)
	}
	b.Reset()
	r.Smoothing.LeapOnly = true
	const csv = "Yes,(leap second only),1.000268817,-0.142859,-0.010000,17.8,19988.4\n"
	if err := Smoothing(&b, r, Options{CSV: true}); err != nil || b.String() != csv {
		t.Errorf("CSV: got %q (%v), want %q", b.String(), err, csv)
	}
}

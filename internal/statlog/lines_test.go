package statlog

import (
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/filter"
	"ntsd/internal/ntptime"
	"ntsd/internal/snapshot"
	"ntsd/internal/standing"
	"ntsd/internal/wire"
)

// recorded returns a line of a file that chronyd 4.3 or NTPsec's ntpd 1.2.2, of
// Debian 12, wrote in a network namespace: two daemons that asked a third, on one
// machine, so that offsets are some microseconds.
func recorded(t *testing.T, file string, number int) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.SplitAfter(string(text), "\n")[number]
}

func second(hour, minute, second, ms int) clock.Wall {
	return clock.WallTime(time.Date(2026, 11, 22, hour, minute, second, ms*1e6, time.UTC))
}

// reply is the one of which the recorded lines tell.
func reply() measurement {
	return measurement{
		source: snapshot.Source{
			Addr: netip.MustParseAddr("2001:db8::1"), Mark: '?', Reach: 1, Poll: 0,
			Last: standing.Exchange{
				Valid: true, Local: netip.MustParseAddr("2001:db8::3"), Tests: [3]uint16{7, 7, 15}, Sent: event.StampKernel, Received: event.StampKernel,
				Header: wire.Header{Version: 4, Mode: wire.ModeServer, Stratum: 2, Precision: -25, ReferenceID: wire.ReferenceID{127, 127, 1, 1}},
			},
		},
	}
}

// TestChronyMeasurements, and those that follow: the same numbers give the same
// line, to the byte.
func TestChronyMeasurements(t *testing.T) {
	m := reply()
	m.arrived = second(10, 1, 53, 900)
	x := &m.source.Last
	x.Offset, x.Delay, x.Dispersion = -3414, 10920, 248 // chrony keeps fractions of a nanosecond
	want := strings.Replace(recorded(t, "chrony-4.3-measurements.log", 3), "2.476e-07", "2.480e-07", 1)
	if got := string(appendMeasurements(nil, &m)); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	x.Interleaved, x.Sent, x.Tests[2] = true, event.StampDaemon, 0b0111
	if got := string(appendMeasurements(nil, &m)); !strings.Contains(got, " 111 111 0111 ") || !strings.HasSuffix(got, " 4I D K\n") {
		t.Errorf("interleaved: got %q", got)
	}
}

func TestChronyStatistics(t *testing.T) {
	m := reply()
	m.arrived, m.stress = second(10, 1, 57, 0), 0.014
	s := &m.source
	s.Stats = filter.Stats{StdDev: 2387, Samples: 5, Runs: 3, Skew: clock.RatePPM(10.07)}
	s.Offset, s.SD, s.Residual = -2290, 2708, clock.RatePPM(-0.6058)
	if got, want := string(appendStatistics(nil, &m)), recorded(t, "chrony-4.3-statistics.log", 6); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestChronyTracking(t *testing.T) {
	u := update{at: second(10, 1, 57, 100), who: "2001:db8::1", combined: 1, sd: 2708, maxError: 107800}
	u.tracking = snapshot.Tracking{
		Stratum: 3, Frequency: clock.RatePPM(1.467), Skew: clock.RatePPM(10.739),
		LastOffset: -2291, Correction: 5352 - 2291, RootDelay: 30020, RootDisp: 12050,
	}
	if got, want := string(appendTracking(nil, &u)), recorded(t, "chrony-4.3-tracking.log", 5); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	u = update{at: second(10, 1, 53, 0), who: "0.0.0.0", tracking: snapshot.Tracking{Leap: event.LeapUnsynchronised}}
	if got := string(appendTracking(nil, &u)); !strings.HasPrefix(got, "2026-11-22 10:01:53 0.0.0.0          0      0.000") || !strings.Contains(got, " ?  0 ") {
		t.Errorf("unsynchronised: got %q", got)
	}
}

// TestBanners: chrony's, rule and all.
func TestBanners(t *testing.T) {
	for k, file := range map[kind]string{measurements: "chrony-4.3-measurements.log", statistics: "chrony-4.3-statistics.log", tracking: "chrony-4.3-tracking.log"} {
		want := recorded(t, file, 0) + recorded(t, file, 1) + recorded(t, file, 2)
		if got := string(k.appendBanner(nil)); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
		}
	}
	if got := peerstats.appendBanner(nil); got != nil {
		t.Errorf("peerstats: got %q", got)
	}
}

func TestNTPsecLoopstats(t *testing.T) {
	u := update{at: second(10, 2, 4, 262), poll: 3}
	u.tracking = snapshot.Tracking{Correction: 93800, RMSOffset: 60}
	if got, want := string(appendLoopstats(nil, &u)), recorded(t, "ntpsec-1.2.2-loopstats", 2); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	u.tracking = snapshot.Tracking{Correction: -1500, RMSOffset: 2e6, Frequency: clock.RatePPM(-13.77819), Skew: clock.RatePPM(0.01338)}
	if got, want := string(appendLoopstats(nil, &u)), "61366 36124.262 -0.000001500 -13.778190 0.002000000 0.013380 3\n"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestNTPsecPeerstats(t *testing.T) {
	m := reply()
	m.arrived = second(10, 1, 55, 262)
	s := &m.source
	s.Offset, s.Last.Delay, s.Last.Dispersion, s.Stats.StdDev = 58364, 139640, 7937500061, 0
	// NTPsec calls a plain server authentic, and then again not: see ntpq -c as.
	want := strings.Replace(recorded(t, "ntpsec-1.2.2-peerstats", 1), " b014 ", " 9014 ", 1)
	if got := string(appendPeerstats(nil, &m)); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	s.Auth.NTS, s.Last.Authenticated, s.Mark = true, true, '*'
	if got := string(appendPeerstats(nil, &m)); !strings.Contains(got, " f61a ") {
		t.Errorf("NTS, followed: got %q", got)
	}
}

func TestNTPsecRawstats(t *testing.T) {
	m := reply()
	h := &m.source.Last.Header
	at := func(ns int64) clock.Wall { return clock.WallUnix(4004330515-2208988800, ns) }
	m.sent, m.arrived = at(262216639), at(262886680)
	h.Receive, h.Transmit = ntptime.FromWall(at(262344823)), ntptime.FromWall(at(262875224))
	got, want := string(appendRawstats(nil, &m)), recorded(t, "ntpsec-1.2.2-rawstats", 1)
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	h.Stratum, h.ReferenceID, m.lost, m.bogus, m.source.Last.Tests[1] = 0, wire.ReferenceID{'I', 'N', 'I', 'T'}, 2, 1, 0b101
	m.source.Last.Local = netip.Addr{}
	if got := string(appendRawstats(nil, &m)); !strings.HasSuffix(got, " 0 4 4 16 0 -25 0.000000 0.000000 .INIT. 2 1 20\n") || !strings.Contains(got, " 2001:db8::1 - ") {
		t.Errorf("unsynchronised: got %q", got)
	}
}

func TestClockstats(t *testing.T) {
	m := measurement{arrived: second(0, 8, 45, 624), source: snapshot.Source{Name: "GPS(0)"}}
	m.source.Last.Offset, m.source.Last.Dispersion = -1500, 1000
	if got, want := string(appendClockstats(nil, &m)), "61366 525.624 GPS(0) -0.000001500 0.000001000\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestDays: Julian days and dates are right on both sides of every end of time.
func TestDays(t *testing.T) {
	for _, c := range []struct {
		at        clock.Wall
		mjd, date string
	}{
		{clock.WallUnix(0, 0), "40587 0.000", "1970-01-01 00:00:00"},
		{clock.WallUnix(-1, 5e8), "40586 86399.500", "1969-12-31 23:59:59"},
		{clock.WallUnix(1<<31-1, 999999999), "65442 11647.999", "2038-01-19 03:14:07"},
		{clock.WallUnix(1<<31, 0), "65442 11648.000", "2038-01-19 03:14:08"},
		{clock.WallUnix(2085978496, 0), "64730 23296.000", "2036-02-07 06:28:16"},
		{clock.WallUnix(4102444800, 0), "88069 0.000", "2100-01-01 00:00:00"},
	} {
		if got := string(appendMJD(nil, c.at)); got != c.mjd {
			t.Errorf("%v: got %q, want %q", c.at.Time(), got, c.mjd)
		}
		if got := string(appendDate(nil, c.at)); got != c.date {
			t.Errorf("%v: got %q, want %q", c.at.Time(), got, c.date)
		}
	}
	if got := string(appendStamp(nil, ntptime.Timestamp(1<<64-1))); got != "0.000000000" {
		t.Errorf("the end of an era: got %q, want the next one", got)
	}
}

func TestLost(t *testing.T) {
	for reach, want := range map[uint8]int{0b1: 0, 0b11: 0, 0b101: 1, 0b10001: 3, 0b10000001: 6, 0b11111111: 0} {
		if got := lost(reach); got != want {
			t.Errorf("reach %b: got %d, want %d", reach, got, want)
		}
	}
}

package ntpq

import (
	"encoding/json"
	"strings"
	"testing"

	"ntsd/internal/status"
	"ntsd/internal/status/captured"
	"ntsd/internal/tables"
)

// sources are those of testdata/peer-outputs/ntpq-p.txt, in the signs of package
// status.
func sources() []status.Source {
	source := func(name, addr, mark string, last status.Ago, delay, offset, jitter float64) status.Source {
		return status.Source{
			Ident:  status.Ident{Name: name, Address: addr, Kind: "server"},
			Sample: status.Sample{Mark: mark, PollLog2: 4, Reach: 7, LastRx: last},
			Stats:  status.Stats{Samples: 3, EstimatedOffsetS: -offset, StdDevS: jitter},
			NTP:    &status.NTPData{Stratum: 1, ReferenceID: "00000000", DelayS: delay},
		}
	}
	a := source("nts.test", "10.66.0.1", "+", 3, 0.00013845, 0.000057097, 0.000019488)
	a.Auth = status.Auth{Mode: "nts", Cookies: 8, KeyID: 1}
	return []status.Source{a, source("nts1.test", "10.66.1.1", "*", 2, 0.000053221, 0.000017707, 0.000014279)}
}

// TestNtpqPeers compares with what ntpq 1.2.2 of NTPsec printed for the same
// numbers, byte for byte.
func TestNtpqPeers(t *testing.T) {
	peers := Peers(&status.Report{Sources: sources()})
	for name, o := range map[string]tables.Options{"ntpq-p": {}, "ntpq-pn": {Numeric: true}} {
		var b strings.Builder
		if err := Render(&b, peers, o); err != nil {
			t.Fatal(err)
		}
		if got, want := b.String(), captured.Printed(t, name); got != want {
			t.Errorf("%s:\n got\n%s\nwant\n%s", name, got, want)
		}
	}
}

// TestNtpqNTS is the same for its counters.
func TestNtpqNTS(t *testing.T) {
	var b strings.Builder
	if err := RenderNTS(&b, NTSOf(status.NTSClient{Sent: 8, Good: 8, KEGood: 1}, new(status.ServerStats)), tables.Options{}); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), captured.Printed(t, "ntpq-nts"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestPeerWithoutReply: every state that a source can be in before it answers
// has its letters, and nothing is made up.
func TestPeerWithoutReply(t *testing.T) {
	for _, c := range []struct {
		source status.Source
		want   string
	}{
		{status.Source{Ident: status.Ident{Name: "a", Kind: "server"}}, " a .DNS. 16 u - 64 0 0.0000 0.0000 0.0000"},
		{status.Source{Ident: status.Ident{Name: "a", Kind: "pool"}}, " a .POOL. 16 p - 64 0 0.0000 0.0000 0.0000"},
		{status.Source{Ident: status.Ident{Name: "a", Address: "::1", Kind: "pool"}}, " a .INIT. 16 u - 64 0 0.0000 0.0000 0.0000"},
		{status.Source{Ident: status.Ident{Name: "a", Address: "::1", Kind: "server"}, Auth: status.Auth{Mode: "nts"}}, " a .NTS. 16 0 - 64 0 0.0000 0.0000 0.0000"},
		{status.Source{Ident: status.Ident{Name: "a", Address: "::1", Kind: "server"}, Auth: status.Auth{Mode: "nts", KeyID: 1, Cookies: 12}}, " a .INIT. 16 9 - 64 0 0.0000 0.0000 0.0000"},
		{status.Source{Ident: status.Ident{Name: "a", Address: "::1", Kind: "server"}, NTP: &status.NTPData{ReferenceID: "00000000"}}, " a .INIT. 16 u - 64 0 0.0000 0.0000 0.0000"},
		{status.Source{Ident: status.Ident{Name: "a", Address: "::1", Kind: "server"}, NTP: &status.NTPData{ReferenceID: "52415445"}}, " a .RATE. 16 u - 64 0 0.0000 0.0000 0.0000"},
		{status.Source{Ident: status.Ident{Name: "GPS", Address: "71.80.83.0", Kind: "refclock"}, NTP: &status.NTPData{ReferenceID: "47505300"}}, " GPS .GPS. 0 l - 64 0 0.0000 0.0000 0.0000"},
		{status.Source{Ident: status.Ident{Name: "a", Address: "::1", Kind: "peer"}}, " a .INIT. 16 s - 64 0 0.0000 0.0000 0.0000"},
	} {
		c.source.PollLog2, c.source.LastRx = 6, status.Never
		var b strings.Builder
		if err := Render(&b, []Peer{PeerOf(&c.source)}, tables.Options{}); err != nil {
			t.Fatal(err)
		}
		line := strings.Split(b.String(), "\n")[2]
		if got := " " + strings.Join(strings.Fields(line), " "); got != c.want {
			t.Errorf("got  %q\nwant %q", got, c.want)
		}
	}
}

func TestTallies(t *testing.T) {
	for mark, want := range map[string]string{"*": "*", "+": "+", "-": "-", "x": "x", "~": " ", "?": " ", "": " "} {
		if got := PeerOf(&status.Source{Sample: status.Sample{Mark: mark}}).Tally; got != want {
			t.Errorf("mark %q: got tally %q, want %q", mark, got, want)
		}
	}
}

// TestMilliseconds has the widths that ntpq's own formatting chooses.
func TestMilliseconds(t *testing.T) {
	for _, c := range []struct {
		seconds float64
		want    string
	}{
		{0, "  0.0000"},
		{0.00013845, "  0.1384"},
		{0.9999, "999.9000"},
		{1.5, "1500.000"},
		{12.3456789, "12345.68"},
		{123.456789, "123456.8"},
		{1234.56789, " 1234567"},
		{1e9, "99999999"},
		{-0.0999, "-99.9000"},
		{-0.5, "-500.000"},
		{-1.5, "-1500.00"},
		{-12.5, "-12500.0"},
		{-125, " -125000"},
		{-1e9, "-9999999"},
	} {
		if got := Milliseconds(c.seconds); got != c.want {
			t.Errorf("%v s: got %q, want %q", c.seconds, got, c.want)
		}
	}
}

func TestIntervals(t *testing.T) {
	for seconds, want := range map[int64]string{
		-1: "-", 0: "-", 1: "1", 2048: "2048", 2049: "34m", 17971: "300m", 18000: "300m", 18031: "5h", 345600: "96h", 360000: "4d", 864000: "10d",
	} {
		if got := interval(seconds); got != want {
			t.Errorf("%d s: got %q, want %q", seconds, got, want)
		}
	}
}

func TestReferenceIDs(t *testing.T) {
	for _, c := range []struct {
		id      string
		stratum int
		want    string
	}{
		{"47505300", 1, "GPS"},
		{"00000000", 1, "...."},
		{"0A420001", 2, "10.66.0.1"},
		{"52415445", 0, "RATE"},
		{"4722073D", 1, "G...="[:4]},
		{"zz", 1, "...."},
	} {
		if got := RefIDText(c.id, c.stratum); got != c.want {
			t.Errorf("%s at stratum %d: got %q, want %q", c.id, c.stratum, got, c.want)
		}
	}
}

// TestForMachines: CSV and JSON have every column.
func TestForMachines(t *testing.T) {
	peers := Peers(&status.Report{Sources: sources()})
	var b strings.Builder
	if err := Render(&b, peers[:1], tables.Options{CSV: true}); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), "+,10.66.0.1,....,1,8,3,16,7,0.138450,0.057097,0.019488\n"; got != want {
		t.Errorf("CSV: got %q, want %q", got, want)
	}
	text, err := json.Marshal(peers[0])
	if err != nil {
		t.Fatal(err)
	}
	want := `{"tally":"+","remote":"nts.test","address":"10.66.0.1","refid":"....","stratum":1,"type":"8","last_rx_ago_s":3,` +
		`"poll_s":16,"reach":7,"delay_s":0.00013845,"offset_s":0.000057097,"jitter_s":0.000019488}`
	if string(text) != want {
		t.Errorf("JSON: got %s, want %s", text, want)
	}
}

// TestServerCounters: each of the server's counts is in its place.
func TestServerCounters(t *testing.T) {
	s := status.ServerStats{
		Authenticated: 10, Verdicts: map[string]uint64{"drop_random": 1, "nak": 2, "drop_nts": 3, "drop_format": 4},
		Cookies: status.CookieCounts{Made: 20, Opened: 11, OpenedOld: 12, OpenedOld2: 13, OpenedOlder: 14, Expired: 15, Bad: 16},
		KE:      status.KECounts{Good: 5, Bad: 1, Handshake: 2, Slow: 4, Displaced: 8, Refused: 16, Crowded: 32},
	}
	var b strings.Builder
	if err := RenderNTS(&b, NTSOf(status.NTSClient{Bad: 7, KEBad: 6}, &s), tables.Options{CSV: true}); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), "0,0,7,11,9,10,20,11,12,13,14,15,16,0,6,5,15\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

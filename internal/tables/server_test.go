package tables

import (
	"strings"
	"testing"

	"ntsd/internal/status"
)

// The expected texts are chronyc 4.8's own, of a server with these numbers.
func TestServerStatsAsChronyc(t *testing.T) {
	s := status.ServerStats{
		Received: 30, Authenticated: 14, Interleaved: 12, Held: 14, HeldSpanS: 126.7,
		DaemonTX: 18, KernelRX: 30, KernelTX: 12,
	}
	const want = `NTP packets received       : 30
NTP packets dropped        : 0
Command packets received   : 0
Command packets dropped    : 0
Client log records dropped : 0
NTS-KE connections accepted: 0
NTS-KE connections dropped : 0
Authenticated NTP packets  : 14
Interleaved NTP packets    : 12
NTP timestamps held        : 14
NTP timestamp span         : 126
NTP daemon RX timestamps   : 0
NTP daemon TX timestamps   : 18
NTP kernel RX timestamps   : 30
NTP kernel TX timestamps   : 12
NTP hardware RX timestamps : 0
NTP hardware TX timestamps : 0
`
	var b strings.Builder
	if err := ServerStats(&b, s, Options{}); err != nil || b.String() != want {
		t.Errorf("serverstats: got (%v)\n%s\nwant\n%s", err, b.String(), want)
	}
	b.Reset()
	const csv = "30,0,0,0,0,0,0,14,12,14,126,0,18,30,12,0,0\n"
	if err := ServerStats(&b, s, Options{CSV: true}); err != nil || b.String() != csv {
		t.Errorf("serverstats -c: got %q (%v), want %q", b.String(), err, csv)
	}
	b.Reset()
	s.Ports, s.Verdicts, s.Unsent = []uint16{123, 1123}, map[string]uint64{"answered": 2, "drop_mode": 30, "nak": 0}, 1
	if err := ServerStats(&b, s, Options{Verbose: true}); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"port 123, 1123.\ndrop_mode ", "\nanswered ", "could not leave"} {
		if !strings.Contains(b.String(), part) {
			t.Errorf("serverstats -v: no %q in\n%s", part, b.String())
		}
	}
}

func TestClientsAsChronyc(t *testing.T) {
	clients := []status.Client{{Address: "10.66.0.2", Requests: 30, IntervalS: 2.1, LastS: 3.9}}
	const want = `Hostname                      NTP   Drop Int IntL Last     Cmd   Drop Int  Last
===============================================================================
10.66.0.2                      30      0   1   -     3       0      0   -     -
`
	var b strings.Builder
	if err := Clients(&b, clients, Options{}); err != nil || b.String() != want {
		t.Errorf("clients: got (%v)\n%s\nwant\n%s", err, b.String(), want)
	}
	b.Reset()
	const csv = "10.66.0.2,30,0,1,127,3,0,0,127,4294967295\n"
	if err := Clients(&b, clients, Options{CSV: true}); err != nil || b.String() != csv {
		t.Errorf("clients -c: got %q (%v), want %q", b.String(), err, csv)
	}
	b.Reset()
	clients[0].Requests, clients[0].LastS, clients[0].KE, clients[0].KEDropped, clients[0].KEIntervalS, clients[0].KELastS = 0, -1, 3, 1, 64, 76
	const keys = `Hostname                      NTP   Drop Int IntL Last  NTS-KE   Drop Int  Last
===============================================================================
10.66.0.2                       0      0   1   -     -       3      1   6    76
`
	if err := ClientsKE(&b, clients, Options{}); err != nil || b.String() != keys {
		t.Errorf("clients -k: got (%v)\n%s\nwant\n%s", err, b.String(), keys)
	}
	b.Reset()
	const keysCSV = "10.66.0.2,0,0,1,127,4294967295,3,1,6,76\n"
	if err := ClientsKE(&b, clients, Options{CSV: true}); err != nil || b.String() != keysCSV {
		t.Errorf("clients -k -c: got %q (%v), want %q", b.String(), err, keysCSV)
	}
	b.Reset()
	clients = []status.Client{{Address: "2001:db8:1234:5678:9abc:def0:1234:5678", Requests: 9, Dropped: 4, NTS: true, Interleaved: true}}
	if err := Clients(&b, clients, Options{Verbose: true}); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"2001:db8:1234:5678:9abc:>       9      4  -10  -10 ", "NTS", "interleaved", "4 of 9"} {
		if !strings.Contains(b.String(), part) {
			t.Errorf("clients -v: no %q in\n%s", part, b.String())
		}
	}
}

func TestAccessAsChronyc(t *testing.T) {
	for _, c := range []struct {
		access  status.Access
		verbose bool
		want    string
	}{
		{status.Access{Allowed: true}, false, "208 Access allowed\n"},
		{status.Access{}, false, "209 Access denied\n"},
		{status.Access{Rule: "10.0.0.0/8", Serving: true}, true, "209 Access denied\ndecided by the subnet 10.0.0.0/8\n"},
		{status.Access{}, true, "209 Access denied\nno section 'allow' names its subnet\nbut no port is served\n"},
	} {
		var b strings.Builder
		if err := Access(&b, c.access, Options{Verbose: c.verbose}); err != nil || b.String() != c.want {
			t.Errorf("%+v: got %q (%v), want %q", c.access, b.String(), err, c.want)
		}
	}
}

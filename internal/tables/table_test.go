package tables

import (
	"encoding/json"
	"errors"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/snapshot"
	"ntsd/internal/standing"
	"ntsd/internal/status"
	"ntsd/internal/status/captured"
)

// TestUnsynchronised follows chronyc's documented output before the first
// update.
func TestUnsynchronised(t *testing.T) {
	r := status.FromSnapshot(snapshot.Snapshot{Tracking: snapshot.Tracking{
		Stratum: 16, Leap: event.LeapUnsynchronised, RootDelay: time.Second, RootDisp: time.Second,
		Skew: clock.RatePPM(100), Residual: clock.RatePPM(1),
	}}, status.Info{})
	want := `Reference ID    : 00000000 ()
Stratum         : 0
Ref time (UTC)  : Thu Jan 01 00:00:00 1970
System time     : 0.000000000 seconds fast of NTP time
Last offset     : +0.000000000 seconds
RMS offset      : 0.000000000 seconds
Frequency       : 0.000 ppm slow
Residual freq   : +0.000 ppm
Skew            : 0.000 ppm
Root delay      : 1.000000000 seconds
Root dispersion : 1.000000000 seconds
Update interval : 0.0 seconds
Leap status     : Not synchronised
`
	if got := render(t, "tracking", r, Options{}); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// A source that never answered shows zeros, as chronyc's does; one without an
// address is shown on request only, and never without a name.
func TestSilentSources(t *testing.T) {
	s := captured.Snapshot()
	s.Unresolved = 1
	silent, unresolved := &s.Sources[0], &s.Sources[1]
	silent.LastRx, silent.Reach, silent.Mark, silent.Last = 0, 0, '?', standing.Exchange{}
	unresolved.Addr, unresolved.Name, unresolved.LastRx, unresolved.Mark = netip.Addr{}, "nowhere.example.net", 0, '?'
	unresolved.Why = "no such name"
	r := status.FromSnapshot(s, status.Info{})
	row := "^? 10.66.0.1                     0   4     0     -     +0ns[   +0ns] +/-    0ns\n"
	if got := render(t, "sources", r, Options{Numeric: true}); !strings.HasSuffix(got, "==\n"+row) {
		t.Errorf("got:\n%s\nwant the one row\n%s", got, row)
	}
	if got := render(t, "sources", r, Options{Numeric: true, All: true}); !strings.Contains(got, "^? nowhere.example.net ") {
		t.Errorf("-a: got:\n%s", got)
	}
	if got := render(t, "sources", r, Options{All: true, Verbose: true}); !strings.Contains(got, "no address known yet: no such name") {
		t.Errorf("-a -v: got:\n%s", got)
	}
	if got := render(t, "activity", r, Options{CSV: true}); got != "1,0,0,0,1\n" {
		t.Errorf("activity: got %q", got)
	}
	if got := render(t, "ntpdata", r, Options{}); !strings.Contains(got, "Local address   : [UNSPEC] (00000000)\n") {
		t.Errorf("ntpdata: got:\n%s", got)
	}
}

// Texts from certificates and servers must not drive the terminal, nor flood it.
func TestHostileValues(t *testing.T) {
	const flood = 2560 // bytes
	s := captured.Dressed()
	s.Sources[0].Score, s.Sources[0].Last.Asymmetry = math.NaN(), math.Inf(1)
	s.Sources[0].Auth.LastError = strings.Repeat("x", flood)
	s.Sources[0].Mark = 0x1b
	r := status.FromSnapshot(s, status.Info{})
	for _, c := range []string{"sources", "authdata", "ntpdata"} {
		got := render(t, c, r, Options{Verbose: true})
		if strings.ContainsRune(got, 0x1b) || len(got) > flood {
			t.Errorf("%s: escape or flood in\n%q", c, got)
		}
	}
}

func TestWords(t *testing.T) {
	r := status.FromSnapshot(captured.Dressed(), status.Info{Version: "1.0", Uptime: time.Hour, DryRun: true, Warnings: []string{"beware"}})
	got := render(t, "sources", r, Options{Verbose: true})
	for _, want := range []string{
		"10.66.0.1: ", "TLS 1.3, TLS_AES_128_GCM_SHA256, X25519MLKEM768 (post-quantum), key establishment took 31ms",
		"keys: AES-128-GCM-SIV, 128 bits, 1m 12s old; 8 cookies of 64 bytes", "certificate: CN=time.example.net", "(10 days left)",
		"key establishment with [2001:db8::1]:4460 failed: certificate expired; next attempt in 1m 30s", "not authenticated",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("sources -v lacks %q:\n%s", want, got)
		}
	}
	got = render(t, "tracking", r, Options{Verbose: true})
	for _, want := range []string{"synchronised by an authenticated source", "left alone", "beware", "up 1h"} {
		if !strings.Contains(got, want) {
			t.Errorf("tracking -v lacks %q:\n%s", want, got)
		}
	}
	const alone = "Reference alone : 0.000020000 seconds of dispersion; no majority vouches for so little\n"
	near := status.Report{Tracking: status.Tracking{Synchronised: true, RootDelayS: 40e-6, RootDispersionS: 8e-3, OwnDispersionS: 20e-6}}
	if got := render(t, "tracking", near, Options{}); !strings.HasSuffix(got, alone) {
		t.Errorf("a near source among far ones: got\n%s", got)
	}
	if near.Tracking.OwnDispersionS = 6e-3; strings.Contains(render(t, "tracking", near, Options{}), "Reference alone") {
		t.Error("a majority vouches for as much: the reference is told alone")
	}
	got = render(t, "tracking", status.Report{}, Options{Verbose: true})
	if !strings.Contains(got, "What is missing : no sources are configured\n") {
		t.Errorf("got:\n%s", got)
	}
	if got := render(t, "ntpdata", r, Options{Verbose: true}); !strings.Contains(got, "3 bad authenticator") {
		t.Errorf("ntpdata -v lacks the verdicts:\n%s", got)
	}
}

func TestValidity(t *testing.T) {
	c := &status.Certificate{NotBefore: 0, NotAfter: status.Time(100 * time.Hour)}
	for now, want := range map[time.Duration]string{
		-time.Hour: "not yet valid by this clock", 0: "4 days left", 60 * time.Hour: "40 hours left", 101 * time.Hour: "expired by this clock",
	} {
		if got := validity(status.Time(now), c); got != want {
			t.Errorf("at %v: got %q, want %q", now, got, want)
		}
	}
}

// full is a writer that has no room.
type full struct{}

var errFull = errors.New("disk full")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestWriteErrors(t *testing.T) {
	r := status.FromSnapshot(captured.Snapshot(), status.Info{})
	_, ntpdata := NTPdata(full{}, r, Options{}, "")
	for name, err := range map[string]error{
		"sources": Sources(full{}, r, Options{}), "tracking": Tracking(full{}, r, Options{}),
		"activity": Activity(full{}, r, Options{}), "ntpdata": ntpdata,
	} {
		if !errors.Is(err, errFull) {
			t.Errorf("%s: got %v, want %v", name, err, errFull)
		}
	}
}

// FuzzReport: whatever decodes as a report is rendered without a panic, in
// every form: an older client may meet a newer daemon.
func FuzzReport(f *testing.F) {
	seed, err := json.Marshal(status.FromSnapshot(captured.Dressed(), status.Info{}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"sources":[{"stratum":-1,"reach":-9,"last_rx_ago_s":1e3,"ntpdata":{"poll_log2":99,"precision_log2":-99}}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var r status.Report
		if json.Unmarshal(raw, &r) != nil {
			return
		}
		for _, o := range []Options{{}, {CSV: true}, {All: true, Verbose: true, Color: true}, {Numeric: true}, {NamesOnly: true}} {
			for _, c := range []string{"sources", "sourcestats", "selectdata", "authdata", "ntpdata", "tracking", "activity"} {
				render(t, c, r, o)
			}
		}
	})
}

// TestNothingKnown: of a source that never answered chronyc shows bounds that
// say so, not perfect ones.
func TestNothingKnown(t *testing.T) {
	r := status.Report{Sources: []status.Source{{Ident: status.Ident{Name: "a.example", Address: "192.0.2.1"}}}}
	var out strings.Builder
	if err := Sourcestats(&out, r, Options{CSV: true}); err != nil {
		t.Fatal(err)
	}
	if want := "192.0.2.1,0,0,0,0.000,2000.000,0.000000000,4.000000000\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

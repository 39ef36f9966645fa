package status

import (
	"encoding/json"
	"errors"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/engine"
	"ntsd/internal/event"
)

// dressed is a snapshot with everything that the captured one lacks.
func dressed() engine.Snapshot {
	s := snapshot()
	a := &s.Sources[0]
	a.Name, a.Operator, a.Kind = "time.example.net", "example.net", engine.KindPool
	a.Counters.Verdicts = []engine.VerdictCount{{Name: "bad authenticator", Count: 3}}
	a.Auth.KE = event.KEInfo{
		TLSVersion: "TLS 1.3", CipherSuite: "TLS_AES_128_GCM_SHA256", Group: "X25519MLKEM768", PostQuantum: true,
		Subject: "CN=time.example.net", Issuer: "CN=Test \x1b[2J CA", NotBefore: s.Now.Wall.Add(-time.Hour),
		NotAfter: s.Now.Wall.Add(10 * 24 * time.Hour), Duration: 31 * time.Millisecond,
	}
	a.Auth.KEAddr, a.Auth.KEPort = netip.MustParseAddr("2001:db8::1"), 4460
	a.Auth.LastError, a.Auth.NextKE = "certificate expired", s.Now.Mono+90*second
	a.Auth.MaxPlaceholders = 7
	return s
}

func TestJSONRoundTrip(t *testing.T) {
	want := FromSnapshot(dressed(), Info{
		Version: "1.0", PID: 7, Started: 1e18, Uptime: time.Hour, DryRun: true, Warnings: []string{"w"},
		Log: []LogLine{{Time: 2e18 + 1, Level: "info", Text: "t"}},
	})
	raw, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Report
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	for _, part := range []string{
		`"time":"2026-11-21T23:15:19Z"`, `"reference_time":"2026-11-21T23:15:17.029233339Z"`,
		`"last_ke_ago_s":72`, `"last_ke_ago_s":null`, `"leap":"normal"`, `"next_ke_in_s":90`, `"kind":"pool"`,
	} {
		if !strings.Contains(string(raw), part) {
			t.Errorf("JSON lacks %s:\n%s", part, raw)
		}
	}
}

// JSON's parts hold only what the command is about.
func TestJSONParts(t *testing.T) {
	r := FromSnapshot(dressed(), Info{})
	for command, want := range map[string]string{
		"sources": "adjusted_offset_s", "sourcestats": "std_dev_s", "selectdata": "interval_lo_s", "authdata": "cookies",
		"ntpdata": "counters", "tracking": "skew_ppm", "activity": "burst_online", "": "daemon",
	} {
		var b strings.Builder
		if err := JSON(&b, r, command, ""); err != nil {
			t.Fatal(err)
		}
		if !json.Valid([]byte(b.String())) || !strings.Contains(b.String(), `"`+want+`"`) {
			t.Errorf("%q lacks %s:\n%s", command, want, b.String())
		}
	}
	var b strings.Builder
	if err := JSON(&b, r, "ntpdata", "time.EXAMPLE.net"); err != nil || strings.Contains(b.String(), "10.66.1.1") {
		t.Errorf("a target does not restrict ntpdata: %v\n%s", err, b.String())
	}
	b.Reset()
	if err := JSON(&b, Report{}, "sources", ""); err != nil || b.String() != "[]\n" {
		t.Errorf("no sources: got %q, %v; want an empty list", b.String(), err)
	}
}

// TestUnsynchronised follows chronyc's documented output before the first
// update.
func TestUnsynchronised(t *testing.T) {
	r := FromSnapshot(engine.Snapshot{Tracking: engine.Tracking{
		Stratum: 16, Leap: event.LeapUnsynchronised, RootDelay: time.Second, RootDisp: time.Second,
		Skew: clock.RatePPM(100), Residual: clock.RatePPM(1),
	}}, Info{})
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
	s := snapshot()
	s.Unresolved = 1
	silent, unresolved := &s.Sources[0], &s.Sources[1]
	silent.LastRx, silent.Reach, silent.Mark, silent.Last = 0, 0, '?', engine.Exchange{}
	unresolved.Addr, unresolved.Name, unresolved.LastRx, unresolved.Mark = netip.Addr{}, "nowhere.example.net", 0, '?'
	unresolved.Why = "no such name"
	r := FromSnapshot(s, Info{})
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

func TestActivity(t *testing.T) {
	s := snapshot()
	s.Sources[0].Burst, s.Sources[1].Burst, s.Sources[1].Online = true, true, false
	if got, want := FromSnapshot(s, Info{}).Activity, (Activity{BurstOnline: 1, BurstOffline: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	s.Sources[0].Burst, s.Sources[1].Burst = false, false
	if got, want := FromSnapshot(s, Info{}).Activity, (Activity{Online: 1, Offline: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// Texts from certificates and servers must not drive the terminal, numbers
// must have a JSON form, and zero must not become minus zero.
func TestHostileValues(t *testing.T) {
	s := dressed()
	s.Sources[0].Score, s.Sources[0].Last.Asymmetry = math.NaN(), math.Inf(1)
	s.Sources[0].Auth.LastError = strings.Repeat("x", 10*maxText)
	s.Sources[0].Mark = 0x1b
	s.Tracking.Frequency = 0
	r := FromSnapshot(s, Info{})
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
	if math.Signbit(r.Tracking.FreqPPM) {
		t.Error("frequency: got minus zero")
	}
	for _, c := range []string{"sources", "authdata", "ntpdata"} {
		got := render(t, c, r, Options{Verbose: true})
		if strings.ContainsRune(got, 0x1b) || len(got) > 10*maxText {
			t.Errorf("%s: escape or flood in\n%q", c, got)
		}
	}
}

func TestWords(t *testing.T) {
	r := FromSnapshot(dressed(), Info{Version: "1.0", Uptime: time.Hour, DryRun: true, Warnings: []string{"beware"}})
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
	if got := render(t, "ntpdata", r, Options{Verbose: true}); !strings.Contains(got, "3 bad authenticator") {
		t.Errorf("ntpdata -v lacks the verdicts:\n%s", got)
	}
}

func TestValidity(t *testing.T) {
	c := &Certificate{NotBefore: 0, NotAfter: Time(100 * time.Hour)}
	for now, want := range map[time.Duration]string{
		-time.Hour: "not yet valid by this clock", 0: "4 days left", 60 * time.Hour: "40 hours left", 101 * time.Hour: "expired by this clock",
	} {
		if got := validity(Time(now), c); got != want {
			t.Errorf("at %v: got %q, want %q", now, got, want)
		}
	}
}

// full is a writer that has no room.
type full struct{}

var errFull = errors.New("disk full")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestWriteErrors(t *testing.T) {
	r := FromSnapshot(snapshot(), Info{})
	_, ntpdata := RenderNTPdata(full{}, r, Options{}, "")
	for name, err := range map[string]error{
		"sources": RenderSources(full{}, r, Options{}), "tracking": RenderTracking(full{}, r, Options{}),
		"activity": RenderActivity(full{}, r, Options{}), "ntpdata": ntpdata, "json": JSON(full{}, r, "sources", ""),
	} {
		if !errors.Is(err, errFull) {
			t.Errorf("%s: got %v, want %v", name, err, errFull)
		}
	}
}

// FuzzReport: whatever decodes as a report is rendered without a panic, in
// every form: an older client may meet a newer daemon.
func FuzzReport(f *testing.F) {
	seed, err := json.Marshal(FromSnapshot(dressed(), Info{}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"sources":[{"stratum":-1,"reach":-9,"last_rx_ago_s":1e3,"ntpdata":{"poll_log2":99,"precision_log2":-99}}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var r Report
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

// FuzzTime: every time survives its text form.
func FuzzTime(f *testing.F) {
	f.Add(int64(0))
	f.Add(int64(1795302917029233339))
	f.Add(int64(math.MinInt64))
	f.Fuzz(func(t *testing.T, ns int64) {
		text, err := Time(ns).MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back Time
		if err := back.UnmarshalText(text); err != nil || back != Time(ns) {
			t.Errorf("%s: got %d, %v; want %d", text, back, err, ns)
		}
	})
}

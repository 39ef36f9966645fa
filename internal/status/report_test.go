package status

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/status/captured"
)

func TestJSONRoundTrip(t *testing.T) {
	want := FromSnapshot(captured.Dressed(), Info{
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
	r := FromSnapshot(captured.Dressed(), Info{})
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

func TestActivity(t *testing.T) {
	s := captured.Snapshot()
	s.Sources[0].Burst, s.Sources[1].Burst, s.Sources[1].Online = true, true, false
	if got, want := FromSnapshot(s, Info{}).Activity, (Activity{BurstOnline: 1, BurstOffline: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	s.Sources[0].Burst, s.Sources[1].Burst = false, false
	if got, want := FromSnapshot(s, Info{}).Activity, (Activity{Online: 1, Offline: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestJSONBootstrap(t *testing.T) {
	var b strings.Builder
	if err := JSON(&b, FromSnapshot(captured.Climbing(), Info{FlashDay: 3, FlashTotal: 12}), "bootstrap", ""); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"phase": "confirming"`, `"floor": "2026-11-18T11:06:40Z"`, `"needed": 2`, `"confirmed": 1`, `"after_s": 0.123`, `"rung": "keys"`,
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in:\n%s", want, b.String())
		}
	}
}

// Numbers must have a JSON form, and zero must not become minus zero.
func TestHostileValues(t *testing.T) {
	s := captured.Dressed()
	s.Sources[0].Score, s.Sources[0].Last.Asymmetry = math.NaN(), math.Inf(1)
	s.Sources[0].Auth.LastError = strings.Repeat("x", 10*maxText)
	s.Tracking.Frequency = 0
	r := FromSnapshot(s, Info{})
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
	if math.Signbit(r.Tracking.FreqPPM) {
		t.Error("frequency: got minus zero")
	}
	if got := len(r.Sources[0].Auth.LastError); got > maxText {
		t.Errorf("last error: got %d bytes, want at most %d", got, maxText)
	}
}

// full is a writer that has no room.
type full struct{}

var errFull = errors.New("disk full")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestWriteErrors(t *testing.T) {
	r := FromSnapshot(captured.Snapshot(), Info{})
	if err := JSON(full{}, r, "sources", ""); !errors.Is(err, errFull) {
		t.Errorf("got %v, want %v", err, errFull)
	}
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

// TestNumbersWithoutNoise: a number in JSON has the decimals that were
// measured, not those of binary arithmetic.
func TestNumbersWithoutNoise(t *testing.T) {
	s := captured.Dressed()
	s.Tracking.Correction, s.Tracking.RMSOffset, s.Tracking.RootDelay = 1093, 21811*time.Nanosecond, 3*time.Nanosecond
	s.Tracking.Frequency, s.Tracking.Skew = clock.RatePPM(-12.3456789), clock.RatePPM(0.1+0.2)
	for i := range s.Sources {
		s.Sources[i].Adjusted, s.Sources[i].Measured, s.Sources[i].Score = 1093, -21811, 1./3
		s.Sources[i].Last.Asymmetry, s.Sources[i].Residual = 0.07+0.01, clock.RatePPM(1./7)
	}
	raw, err := json.Marshal(FromSnapshot(s, Info{Uptime: 15*time.Second + 21811}))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`"(\w+)":(-?[0-9.]+(?:e[-+][0-9]+)?)[,}]`).FindAllStringSubmatch(string(raw), -1) {
		digits, exponent, _ := strings.Cut(m[2], "e-")
		_, decimals, _ := strings.Cut(digits, ".")
		if len(decimals) > 9 || exponent != "" && len(exponent) > 2 {
			t.Errorf("%s: %s has too many digits", m[1], m[2])
		}
	}
	for _, want := range []string{`"adjusted_offset_s":-0.000001093,`, `"measured_offset_s":0.000021811,`, `"freq_ppm":12.345679,`, `"skew_ppm":0.3,`, `"score":0.333333,`} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("JSON lacks %s:\n%s", want, raw)
		}
	}
}

func TestIdentIs(t *testing.T) {
	id := Ident{Name: "ntp.example.net", Address: "2001:db8::1"}
	for target, want := range map[string]bool{
		"NTP.example.net": true, "2001:DB8:0::1": true, "2001:db8::1": true, "2001:db8::2": false, "": false,
	} {
		if got := id.Is(target); got != want {
			t.Errorf("Is(%q) = %v, want %v", target, got, want)
		}
	}
	if !(Ident{Address: "192.0.2.1"}).Is("::ffff:192.0.2.1") {
		t.Error("a mapped address is not recognised")
	}
}

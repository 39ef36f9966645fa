package status

import (
	"encoding/csv"
	"encoding/json"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"ntsd/internal/clock"
	"ntsd/internal/engine"
	"ntsd/internal/middlebox"
	"ntsd/internal/selection"
	"ntsd/internal/wire"
)

// TestLegendsKnowStates: the legends name each letter that a state can have,
// and no other.
func TestLegendsKnowStates(t *testing.T) {
	letters, marks := map[string]bool{}, map[string]bool{}
	for s := selection.State(0); s.String() != "unknown"; s++ {
		if s != selection.StateOrphan { // no candidate becomes one in this version
			letters[string(s.Letter())], marks[string(s.Mark())] = true, true
		}
	}
	for _, c := range []struct {
		legend, from, to string
		want             map[string]bool
	}{
		{selectdataLegend, "S  ", "COpts", letters},
		{sourcesLegend, "S  ", "Reach", marks},
	} {
		_, part, _ := strings.Cut(c.legend, c.from)
		part, _, _ = strings.Cut(part, c.to)
		got := map[string]bool{}
		for _, m := range regexp.MustCompile(`(?:^|\n   |  +)(\S) `).FindAllStringSubmatch(part, -1) {
			got[m[1]] = true
		}
		for l := range c.want {
			if !got[l] {
				t.Errorf("the legend lacks %s:\n%s", l, c.legend)
			}
		}
		for l := range got {
			if !c.want[l] {
				t.Errorf("the legend has %s, which no state uses:\n%s", l, c.legend)
			}
		}
	}
	for _, legend := range []string{selectdataLegend, sourcesLegend, sourcestatsLegend, authdataLegend} {
		for line := range strings.Lines(legend) {
			if len(line) > 81 {
				t.Errorf("wider than a terminal: %q", line)
			}
		}
	}
}

// TestNumbersWithoutNoise: a number in JSON has the decimals that were
// measured, not those of binary arithmetic.
func TestNumbersWithoutNoise(t *testing.T) {
	s := dressed()
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

func TestDiscardedReplies(t *testing.T) {
	s := dressed()
	s.Sources[0].Counters.Verdicts = []engine.VerdictCount{{Name: "accepted", Count: 7}, {Name: "NTS NAK", Count: 2}}
	got := render(t, "ntpdata", FromSnapshot(s, Info{}), Options{Verbose: true})
	if strings.Contains(got, "accepted") || !strings.Contains(got, "Discarded RX    : 2 NTS NAK\n") {
		t.Errorf("got:\n%s\nwant the NAKs and not what was accepted", got)
	}
}

func TestKeyWords(t *testing.T) {
	for _, c := range []struct {
		auth Auth
		want string
	}{
		{Auth{KeyBits: 128, AEADName: "A", LastKE: 60, MaxPlaceholders: 7}, "keys: A, 128 bits, 1m old; 0 cookies of 0 bytes"},
		{Auth{KeyBits: 128, AEADName: "A", LastKE: Never, MaxPlaceholders: 7}, "keys: A, 128 bits, kept from an earlier run; 0 cookies of 0 bytes"},
		{Auth{KeyBits: 128, Path: &middlebox.Finding{Longest: 332, Lost: 540}, MaxPlaceholders: 2}, "longer than 332 bytes get no reply, for something on the way drops them: at most 2 of 7 spare cookies"},
		{Auth{KeyBits: 128, Path: &middlebox.Finding{Longest: 228, Lost: 332}}, "longer than 228 bytes get no reply, for something on the way drops them: at most 0 of 7"},
		{Auth{Path: &middlebox.Finding{Longest: 48, Lost: 228, Closed: true}}, "longer than 48 bytes get no reply, for something on the way drops them: the shortest with NTS has 228"},
		{Auth{}, "no keys yet"},
		{Auth{Attempts: 1, NextKE: 9, KEAddress: "192.0.2.1", KEPort: 4460}, "key establishment with 192.0.2.1:4460 under way; next attempt in 9s"},
		{Auth{Attempts: 3, NextKE: Never, LastError: "refused"}, "key establishment failed: refused; 3 attempts"},
		{Auth{KeyBits: 128, TLS: &TLS{Version: "TLS 1.3", Group: "X25519"}}, "X25519 (not post-quantum)"},
	} {
		c.auth.Mode = "nts"
		got := strings.Join(authWords(&Report{}, &Source{Auth: c.auth}), "\n")
		if !strings.Contains(got, c.want) {
			t.Errorf("%+v: got\n%s\nwant %q in it", c.auth, got, c.want)
		}
		if lost := strings.Contains(got, "get no reply"); lost != (c.auth.Path != nil) {
			t.Errorf("%+v: got\n%s", c.auth, got)
		}
	}
}

// TestSaidOnce: the reason of a failed key establishment stands in one line
// only, and without the names of packages.
func TestSaidOnce(t *testing.T) {
	s := dressed()
	a := &s.Sources[0]
	a.State, a.Letter, a.LastRx = selection.StateNotReady, 'M', 0
	a.Why, a.Auth.LastError = "ntske: certificate expired", "ntske: certificate expired"
	got := render(t, "sources", FromSnapshot(s, Info{}), Options{Verbose: true})
	if strings.Count(got, "certificate expired") != 1 || strings.Contains(got, "ntske") ||
		!strings.Contains(got, "10.66.0.1: has no sample yet\n     key establishment with") {
		t.Errorf("got:\n%s", got)
	}
}

// TestStateWords: what is said of each state is a sentence about the source,
// names the option that decides where one does, and says nothing twice.
func TestStateWords(t *testing.T) {
	seen := map[string]bool{}
	for s := selection.State(0); s.String() != "unknown"; s++ {
		src := Source{
			Ident: Ident{Name: "a", Address: "192.0.2.1"}, Sample: Sample{Online: s != selection.StateOffline, ErrorBoundS: 4},
			Selection: Selection{Letter: string(s.Letter()), State: s.String(), Why: s.String()},
		}
		src.Stats.StdDevS = 2
		got := stateWords(&Report{}, &src)[0]
		if seen[got] || strings.Count(got, s.String()) != 1 {
			t.Errorf("%v: got %q", s, got)
		}
		seen[got] = true
		want := map[selection.State]string{
			selection.StateNoSelect: "authselectmode", selection.StateDistant: "4000ms is above maxdistance",
			selection.StateJittery: "2000ms is above maxjitter",
		}[s]
		if !strings.Contains(got, want) {
			t.Errorf("%v: got %q, want %q in it", s, got, want)
		}
	}
	src := Source{Ident: Ident{Address: "192.0.2.1"}, Selection: Selection{Letter: "N", State: "not to be selected"}}
	src.Selection.Configured.NoSelect = true
	if got := stateWords(nil, &src)[0]; got != "not to be selected: option noselect (offline)" {
		t.Errorf("got %q", got)
	}
}

func TestTrouble(t *testing.T) {
	source := func(name, letter, why string) Source {
		return Source{
			Ident: Ident{Name: name, Address: "192.0.2.1"}, Sample: Sample{Online: true},
			Selection: Selection{Letter: letter, State: "does not answer", Why: why},
		}
	}
	ignored := source("n", "N", "")
	ignored.Selection.State, ignored.Selection.Configured.NoSelect = "not to be selected", true
	for _, c := range []struct {
		sources []Source
		want    string
	}{
		{nil, "no sources are configured"},
		{[]Source{source("a", "S", "")}, "a: does not answer"},
		{[]Source{source("a", "M", "certificate expired"), source("b", "M", "certificate expired")}, "all 2 sources: certificate expired"},
		{[]Source{source("a", "S", "x"), source("b", "M", "y"), source("c", "M", "y")}, "2 of 3 sources: y; a: x"},
		{[]Source{source("a", "S", "x"), source("b", "M", "y"), source("c", "M", "z"), source("d", "M", "u"), source("e", "M", "v")}, "a: x; b: y; c: z; and 2 more"},
		{[]Source{ignored, ignored, source("a", "S", "x")}, "a: x; 2 of 3 sources: not to be selected: option noselect"},
		{[]Source{source("a", "*", "")}, "a: selected, but has not set the clock yet"},
	} {
		r := Report{Sources: c.sources}
		if got := r.Trouble(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
		if r.Tracking.Synchronised = true; r.Trouble() != "" {
			t.Errorf("synchronised: got %q, want nothing", r.Trouble())
		}
	}
	got := render(t, "tracking", Report{}, Options{Verbose: true})
	if !strings.Contains(got, "What is missing : no sources are configured\n") {
		t.Errorf("got:\n%s", got)
	}
}

// hostile is what a server or a certificate might call itself.
const hostile = "a,\"b\"\r\n\x1b[2J\u009b31m\u202ec\xff"

// TestHostileNames: no text from elsewhere moves a cursor, a line or a field.
func TestHostileNames(t *testing.T) {
	s := dressed()
	for i := range s.Sources {
		a := &s.Sources[i]
		a.Name, a.Operator, a.Why = hostile, hostile, hostile
		a.Auth.LastError, a.Auth.KE.Subject, a.Auth.KE.Issuer = hostile, hostile, hostile
		a.Auth.KE.TLSVersion, a.Auth.KE.CipherSuite, a.Auth.KE.Group = hostile, hostile, hostile
		a.Last.Header.ReferenceID = wire.ReferenceID{',', '"', '\n', 0x1b}
	}
	s.Tracking.ReferenceName = hostile
	info := Info{Warnings: []string{hostile}, Log: []LogLine{{Level: hostile, Text: hostile}}}
	r := FromSnapshot(s, info)
	plain := FromSnapshot(dressed(), Info{Warnings: []string{"w"}})
	for _, c := range []string{"sources", "sourcestats", "selectdata", "authdata", "ntpdata", "tracking"} {
		for _, o := range []Options{{}, {NamesOnly: true}, {Verbose: true}, {CSV: true}, {CSV: true, NamesOnly: true}} {
			got := render(t, c, r, o)
			for _, bad := range got {
				if bad != '\n' && !unicode.IsPrint(bad) {
					t.Errorf("%s %+v: %U in\n%q", c, o, bad, got)
					break
				}
			}
			if o.Verbose {
				continue // what is wrong may take a line more
			}
			if want := strings.Count(render(t, c, plain, o), "\n"); strings.Count(got, "\n") != want {
				t.Errorf("%s %+v: got\n%swant %d lines", c, o, got, want)
			}
			if o.CSV {
				checkFields(t, got, render(t, c, plain, o))
			}
		}
	}
	var b strings.Builder
	if err := JSON(&b, r, "", ""); err != nil || strings.ContainsAny(b.String(), "\x1b\u009b\u202e") {
		t.Errorf("JSON: %v\n%q", err, b.String())
	}
}

// checkFields: got has as many fields in each line as want has.
func checkFields(t *testing.T, got, want string) {
	t.Helper()
	fields := func(text string) (n []int) {
		in := csv.NewReader(strings.NewReader(text))
		in.FieldsPerRecord = -1
		records, err := in.ReadAll()
		if err != nil {
			t.Errorf("%v in\n%s", err, text)
		}
		for _, r := range records {
			n = append(n, len(r))
		}
		return n
	}
	if g, w := fields(got), fields(want); !slices.Equal(g, w) {
		t.Errorf("got %d fields, want %d:\n%s", g, w, got)
	}
}

// TestLongNames: names are cut in letters, not in bytes, with or without an
// address; addresses are never cut, and move the columns as chronyc's do.
func TestLongNames(t *testing.T) {
	const v6 = "2001:db8:1111:2222:3333:4444:5555:6666"
	s := snapshot()
	long, cut := strings.Repeat("ü", 30), strings.Repeat("ü", 24)+">"
	s.Sources[0].Name, s.Sources[0].Addr = long, netip.MustParseAddr(v6)
	s.Sources[1].Name, s.Sources[1].Addr = long, netip.Addr{}
	r := FromSnapshot(s, Info{})
	for c, pad := range map[string]string{"sources": "   1   4", "sourcestats": "   8   7", "selectdata": " Y -----", "authdata": "  NTS "} {
		for _, o := range []Options{{All: true}, {All: true, Numeric: true}} {
			got := render(t, c, r, o)
			if strings.Count(got, cut+" ") == 0 || strings.Contains(got, long) {
				t.Errorf("%s %+v: names not cut in\n%s", c, o, got)
			}
			if o.Numeric && !strings.Contains(got, v6+pad) {
				t.Errorf("%s: no %q in\n%s", c, v6+pad, got)
			}
		}
		if got := render(t, c, r, Options{NamesOnly: true, All: true}); strings.Count(got, long) != 2 {
			t.Errorf("%s -N: got\n%s", c, got)
		}
	}
}

func TestNarrow(t *testing.T) {
	s := snapshot()
	s.Sources[0].Name = "time.of.many.letters.example.net"
	var b strings.Builder
	if err := RenderNarrow(&b, FromSnapshot(s, Info{}), Options{}, 40); err != nil {
		t.Fatal(err)
	}
	want := `MS Name/IP address           Rch  Offset
========================================
^* time.of.many.letters.exa> 377  +133ns
^? 10.66.1.1                 377 -4675ns
`
	if b.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", b.String(), want)
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

// TestReferenceClockRows: a reference clock is marked and named as in chronyc,
// and has no row in authdata.
func TestReferenceClockRows(t *testing.T) {
	r := Report{Sources: []Source{
		{Ident: Ident{Name: "GPS", Address: "71.80.83.0", Kind: KindRefClock}, Sample: Sample{Mark: "*"}},
		{Ident: Ident{Name: "192.0.2.1", Address: "192.0.2.1", Kind: "server"}, Sample: Sample{Mark: "+"}},
	}}
	for _, o := range []Options{{}, {Numeric: true}, {NamesOnly: true}, {CSV: true}, {Verbose: true}} {
		var sources, auth strings.Builder
		if err := RenderSources(&sources, r, o); err != nil {
			t.Fatal(err)
		}
		if err := RenderAuthdata(&auth, r, o); err != nil {
			t.Fatal(err)
		}
		if got := sources.String(); !strings.Contains(got, "#* GPS ") && !strings.Contains(got, "#,*,GPS,") || strings.Contains(got, "71.80") {
			t.Errorf("%+v: sources:\n%s", o, got)
		}
		if got := auth.String(); strings.Contains(got, "GPS") || !strings.Contains(got, "192.0.2.1") {
			t.Errorf("%+v: authdata:\n%s", o, got)
		}
	}
	if len(r.Sources) != 2 {
		t.Error("the report was changed")
	}
}

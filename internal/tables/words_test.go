package tables

import (
	"encoding/csv"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"ntsd/internal/middlebox"
	"ntsd/internal/selection"
	"ntsd/internal/standing"
	"ntsd/internal/status"
	"ntsd/internal/status/captured"
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
		{sourcesLegend, "S  ", "Poll", marks},
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
	for _, legend := range []string{selectdataLegend, sourcesLegend, sourcestatsLegend, authdataLegend, clientsLegend} {
		for line := range strings.Lines(legend) {
			if len(line) > 81 {
				t.Errorf("wider than a terminal: %q", line)
			}
		}
	}
}

func TestDiscardedReplies(t *testing.T) {
	s := captured.Dressed()
	s.Sources[0].Counters.Verdicts = []standing.VerdictCount{{Name: "accepted", Count: 7}, {Name: "NTS NAK", Count: 2}}
	got := render(t, "ntpdata", status.FromSnapshot(s, status.Info{}), Options{Verbose: true})
	if strings.Contains(got, "accepted") || !strings.Contains(got, "Discarded RX    : 2 NTS NAK\n") {
		t.Errorf("got:\n%s\nwant the NAKs and not what was accepted", got)
	}
}

func TestKeyWords(t *testing.T) {
	for _, c := range []struct {
		auth status.Auth
		want string
	}{
		{status.Auth{KeyBits: 128, AEADName: "A", LastKE: 60, MaxPlaceholders: 7}, "keys: A, 128 bits, 1m old; 0 cookies of 0 bytes"},
		{status.Auth{KeyBits: 128, AEADName: "A", LastKE: status.Never, MaxPlaceholders: 7}, "keys: A, 128 bits, kept from an earlier run; 0 cookies of 0 bytes"},
		{status.Auth{KeyBits: 128, Path: &middlebox.Finding{Longest: 332, Lost: 540}, MaxPlaceholders: 2}, "longer than 332 bytes get no reply, for something on the way drops them: at most 2 of 7 spare cookies"},
		{status.Auth{KeyBits: 128, Path: &middlebox.Finding{Longest: 228, Lost: 332}}, "longer than 228 bytes get no reply, for something on the way drops them: at most 0 of 7"},
		{status.Auth{Path: &middlebox.Finding{Longest: 48, Lost: 228, Closed: true}}, "longer than 48 bytes get no reply, for something on the way drops them: the shortest with NTS has 228"},
		{status.Auth{}, "no keys yet"},
		{status.Auth{Attempts: 1, NextKE: 9, KEAddress: "192.0.2.1", KEPort: 4460}, "key establishment with 192.0.2.1:4460 under way; next attempt in 9s"},
		{status.Auth{Attempts: 3, NextKE: status.Never, LastError: "refused"}, "key establishment failed: refused; 3 attempts"},
		{status.Auth{KeyBits: 128, TLS: &status.TLS{Version: "TLS 1.3", Group: "X25519"}}, "X25519 (not post-quantum)"},
	} {
		c.auth.Mode = "nts"
		got := strings.Join(authWords(&status.Report{}, &status.Source{Auth: c.auth}), "\n")
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
	s := captured.Dressed()
	a := &s.Sources[0]
	a.State, a.Letter, a.LastRx = selection.StateNotReady, 'M', 0
	a.Why, a.Auth.LastError = "ntske: certificate expired", "ntske: certificate expired"
	got := render(t, "sources", status.FromSnapshot(s, status.Info{}), Options{Verbose: true})
	if strings.Count(got, "certificate expired") != 1 || strings.Contains(got, "ntske") ||
		!strings.Contains(got, "10.66.0.1: has no sample yet\n     key establishment with") {
		t.Errorf("got:\n%s", got)
	}
}

// hostile is what a server or a certificate might call itself.
const hostile = "a,\"b\"\r\n\x1b[2J\u009b31m\u202ec\xff"

// TestHostileNames: no text from elsewhere moves a cursor, a line or a field.
func TestHostileNames(t *testing.T) {
	s := captured.Dressed()
	for i := range s.Sources {
		a := &s.Sources[i]
		a.Name, a.Operator, a.Why = hostile, hostile, hostile
		a.Auth.LastError, a.Auth.KE.Subject, a.Auth.KE.Issuer = hostile, hostile, hostile
		a.Auth.KE.TLSVersion, a.Auth.KE.CipherSuite, a.Auth.KE.Group = hostile, hostile, hostile
		a.Last.Header.ReferenceID = wire.ReferenceID{',', '"', '\n', 0x1b}
	}
	s.Tracking.ReferenceName = hostile
	info := status.Info{Warnings: []string{hostile}, Log: []status.LogLine{{Level: hostile, Text: hostile}}}
	r := status.FromSnapshot(s, info)
	plain := status.FromSnapshot(captured.Dressed(), status.Info{Warnings: []string{"w"}})
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
	if err := status.JSON(&b, r, "", ""); err != nil || strings.ContainsAny(b.String(), "\x1b\u009b\u202e") {
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
	s := captured.Snapshot()
	long, cut := strings.Repeat("ü", 30), strings.Repeat("ü", 24)+">"
	s.Sources[0].Name, s.Sources[0].Addr = long, netip.MustParseAddr(v6)
	s.Sources[1].Name, s.Sources[1].Addr = long, netip.Addr{}
	r := status.FromSnapshot(s, status.Info{})
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
	s := captured.Snapshot()
	s.Sources[0].Name = "time.of.many.letters.example.net"
	var b strings.Builder
	if err := Narrow(&b, status.FromSnapshot(s, status.Info{}), Options{}, 40); err != nil {
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

func TestNarrowAuth(t *testing.T) {
	s := captured.Snapshot()
	s.Sources[0].Name = "time.of.many.letters.example.net"
	var b strings.Builder
	if err := NarrowAuth(&b, status.FromSnapshot(s, status.Info{}), Options{}, 40); err != nil {
		t.Fatal(err)
	}
	want := `Name/IP address           Mode  NAK Cook
========================================
time.of.many.letters.exa>  NTS    0    8
10.66.1.1                    -    0    0
`
	if b.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", b.String(), want)
	}
}

// TestReferenceClockRows: a reference clock is marked and named as in chronyc,
// and has no row in authdata.
func TestReferenceClockRows(t *testing.T) {
	r := status.Report{Sources: []status.Source{
		{Ident: status.Ident{Name: "GPS", Address: "71.80.83.0", Kind: status.KindRefClock}, Sample: status.Sample{Mark: "*"}},
		{Ident: status.Ident{Name: "192.0.2.1", Address: "192.0.2.1", Kind: "server"}, Sample: status.Sample{Mark: "+"}},
	}}
	for _, o := range []Options{{}, {Numeric: true}, {NamesOnly: true}, {CSV: true}, {Verbose: true}} {
		var sources, auth strings.Builder
		if err := Sources(&sources, r, o); err != nil {
			t.Fatal(err)
		}
		if err := Authdata(&auth, r, o); err != nil {
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

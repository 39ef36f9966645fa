package tables

import (
	"strings"
	"testing"

	"ntsd/internal/bootstrap"
	"ntsd/internal/status"
	"ntsd/internal/status/captured"
)

func TestBootstrap(t *testing.T) {
	r := status.FromSnapshot(captured.Climbing(), status.Info{FlashDay: 3, FlashTotal: 12})
	var b strings.Builder
	if err := Bootstrap(&b, r, Options{}); err != nil {
		t.Fatal(err)
	}
	want := `Mode            : ladder
State           : confirming: the clock is set on trial, certificates are checked again
No time before  : Wed Nov 18 11:06:40 2026 (the build)
Clock at start  : Thu Jan 01 00:00:12 1970
Operators       : 2 of 3 must agree: a.example, b.example, c.example
Agreeing        : 2, of them 1 under strict certificates: a.example, b.example
Waiting for     : 2 of 3 operators agree

   After  Rung       Source                     What was tried, and what came of it
===============================================================================
  0.000s - floor                                 no time before 2026-11-18
  0.123s + keys       ntp1.a.example             keys?[2J
  7.000s - reply      a-name-that-is-much-too->  says 1999
`
	if got := b.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	b.Reset()
	if err := Bootstrap(&b, r, Options{CSV: true}); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), "ladder,confirming,1795000000.000000000,3,2,2,1,2 of 3 operators agree\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if words := strings.Join(trackingWords(&r), "\n"); !strings.Contains(words, "12 files written to flash (3 in a day)") {
		t.Errorf("no count in:\n%s", words)
	}
}

// The modes without a ladder say what that means.
func TestBootstrapOff(t *testing.T) {
	for mode, want := range map[bootstrap.Mode]string{
		bootstrap.ModeStrict:          "off: certificates are judged by the clock as it is",
		bootstrap.ModeNoCertTimeCheck: "off: certificates count whatever their dates",
		bootstrap.ModeLadder:          "off: no NTS server by name counts",
	} {
		s := captured.Snapshot()
		s.Bootstrap = bootstrap.Status{Mode: mode, Need: 1}
		var b strings.Builder
		if err := Bootstrap(&b, status.FromSnapshot(s, status.Info{}), Options{}); err != nil {
			t.Fatal(err)
		}
		if got := b.String(); !strings.Contains(got, want) || strings.Count(got, "\n") != 2 {
			t.Errorf("%v: got:\n%s\nwant %q and nothing else", mode, got, want)
		}
	}
}

// Keys on trial say so.
func TestKeysOnTrial(t *testing.T) {
	s := captured.Snapshot()
	s.Sources[0].Auth.OnTrial = true
	r := status.FromSnapshot(s, status.Info{})
	if words := strings.Join(authWords(&r, &r.Sources[0]), "\n"); !r.Sources[0].Auth.OnTrial || !strings.Contains(words, "on trial") {
		t.Errorf("got %s", words)
	}
}

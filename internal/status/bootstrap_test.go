package status

import (
	"strings"
	"testing"

	"ntsd/internal/bootstrap"
	"ntsd/internal/clock"
)

// climbing is a router in the middle of the ladder.
func climbing() Report {
	s := snapshot()
	s.Tracking.Synchronised = false
	s.Bootstrap = bootstrap.Status{
		Mode: bootstrap.ModeLadder, Phase: bootstrap.PhaseConfirming,
		Started: clock.Reading{Mono: 900 * second, Wall: clock.WallUnix(12, 0)},
		Floor:   clock.WallUnix(1795000000, 0), FloorFrom: "the build",
		Operators: []string{"a.example", "b.example", "c.example"}, Need: 2, Agreeing: []string{"a.example", "b.example"}, Strict: 1,
		Waiting: "2 of 3 operators agree",
		Journal: []bootstrap.Entry{
			{At: 900 * second, Rung: bootstrap.RungFloor, Text: "no time before 2026-11-18"},
			{At: 900*second + 123456789, Rung: bootstrap.RungKeys, Source: "ntp1.a.example", OK: true, Text: "keys\x1b[2J"},
			{At: 907 * second, Rung: bootstrap.RungReply, Source: "a-name-that-is-much-too-long.c.example", Text: "says 1999"},
		},
	}
	return FromSnapshot(s, Info{FlashDay: 3, FlashTotal: 12})
}

func TestRenderBootstrap(t *testing.T) {
	var b strings.Builder
	if err := RenderBootstrap(&b, climbing(), Options{}); err != nil {
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
	if err := RenderBootstrap(&b, climbing(), Options{CSV: true}); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), "ladder,confirming,1795000000.000000000,3,2,2,1,2 of 3 operators agree\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	b.Reset()
	if err := JSON(&b, climbing(), "bootstrap", ""); err != nil {
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

// The modes without a ladder say what that means.
func TestBootstrapOff(t *testing.T) {
	for mode, want := range map[bootstrap.Mode]string{
		bootstrap.ModeStrict:          "off: certificates are judged by the clock as it is",
		bootstrap.ModeNoCertTimeCheck: "off: certificates count whatever their dates",
		bootstrap.ModeLadder:          "off: no NTS server by name counts",
	} {
		s := snapshot()
		s.Bootstrap = bootstrap.Status{Mode: mode, Need: 1}
		var b strings.Builder
		if err := RenderBootstrap(&b, FromSnapshot(s, Info{}), Options{}); err != nil {
			t.Fatal(err)
		}
		if got := b.String(); !strings.Contains(got, want) || strings.Count(got, "\n") != 2 {
			t.Errorf("%v: got:\n%s\nwant %q and nothing else", mode, got, want)
		}
	}
}

// What the ladder waits for comes first among the reasons, and the flash's
// writes are counted.
func TestBootstrapIsTheTrouble(t *testing.T) {
	r := climbing()
	if got := r.Troubles()[0]; got != "the first time: 2 of 3 operators agree" {
		t.Errorf("got %q", got)
	}
	if r.Tracking.FlashDay != 3 || r.Tracking.FlashWrites != 12 {
		t.Errorf("flash writes: got %d in a day, %d in all", r.Tracking.FlashDay, r.Tracking.FlashWrites)
	}
	if words := strings.Join(trackingWords(&r), "\n"); !strings.Contains(words, "12 files written to flash (3 in a day)") {
		t.Errorf("no count in:\n%s", words)
	}
}

// Keys on trial say so.
func TestKeysOnTrial(t *testing.T) {
	s := snapshot()
	s.Sources[0].Auth.OnTrial = true
	r := FromSnapshot(s, Info{})
	if words := strings.Join(authWords(&r, &r.Sources[0]), "\n"); !r.Sources[0].Auth.OnTrial || !strings.Contains(words, "on trial") {
		t.Errorf("got %s", words)
	}
}

package status

import (
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/engine"
	"ntsd/internal/event"
	"ntsd/internal/selection"
	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

// peerOutput returns what chronyc printed: the file without its first line
// (the command) and its last (the exit status).
func peerOutput(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile("../../testdata/peer-outputs/chronyc-" + name + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(raw), "\n")
	i := strings.LastIndex(text, "# rc=")
	if i < 0 {
		t.Fatalf("%s: no exit status line", name)
	}
	return text[:i]
}

// second is the unit of the fixtures on both timescales.
const second = clock.Mono(time.Second)

// snapshot is the state that testdata/peer-outputs was captured from, in the
// engine's own signs: a positive offset is a slow clock.
func snapshot() engine.Snapshot {
	now := clock.Reading{Mono: 1000 * second, Wall: clock.WallUnix(1795302919, 0)}
	ref := clock.WallUnix(1795302915, 625990504)
	header := wire.Header{
		Version: 4, Mode: wire.ModeServer, Stratum: 1, Poll: 4, Precision: -27,
		ReferenceID: wire.ReferenceID{0x7f, 0x7f, 1, 1},
	}
	local := netip.MustParseAddr("10.66.0.2")
	exchange := engine.Exchange{
		Valid: true, Header: header, Local: local, ReferenceTime: ref, Dispersion: 17,
		Tests: [3]uint16{7, 7, 15}, Sent: event.StampKernel, Received: event.StampKernel,
	}
	a := engine.SourceState{
		ID: 1, Name: "10.66.0.1", Addr: netip.MustParseAddr("10.66.0.1"), Port: 123,
		State: selection.StateSelected, Mark: '*', Letter: '*',
		Effective: selection.Options{Trust: true, Require: true},
		Online:    true, Reach: 0xff, Stratum: 1, Poll: 4, LastRx: now.Mono - 2*second,
		Adjusted: -133, Measured: -167, ErrorBound: 6451,
		Stats:    filterStats(8, 7, 71, 0.035, 353),
		Residual: 0, Offset: 0, Score: 1, Lo: -6618, Hi: 6284,
		Last: exchange,
		Counters: engine.Counters{
			Sent: 8, Received: 8, Valid: 8, Good: 8, KernelSent: 8, KernelReceived: 8,
		},
		Auth: engine.Auth{
			NTS: true, KeyID: 1, AEAD: siv.AES128GCMSIV, KeyBits: 128, KEKnown: true,
			LastKE: now.Mono - 72*second, Cookies: 8, CookieLen: 64,
		},
	}
	a.Last.Offset, a.Last.Delay, a.Last.Response = -167, 12868, 76204
	a.Last.Authenticated = true
	b := engine.SourceState{
		ID: 2, Name: "10.66.1.1", Addr: netip.MustParseAddr("10.66.1.1"), Port: 123,
		State: selection.StateUntrusted, Mark: '?', Letter: 'T',
		Online: true, Reach: 0xff, Stratum: 1, Poll: 4, LastRx: now.Mono - 18*second,
		Adjusted: 4675, Measured: 4645, ErrorBound: 1418,
		Stats:    filterStats(8, 5, 57, 0.035, 315),
		Residual: clock.RatePPM(0.007), Offset: 4913, Score: 1, Lo: 2755, Hi: 6765,
		Last: exchange,
		Counters: engine.Counters{
			Sent: 9, Received: 9, Valid: 9, Good: 8, KernelSent: 9, KernelReceived: 9,
		},
	}
	b.Last.Offset, b.Last.Delay, b.Last.Response = 4645, 2802, 63266
	b.Last.Interleaved = true
	return engine.Snapshot{
		Now:     now,
		Sources: []engine.SourceState{a, b},
		Tracking: engine.Tracking{
			Synchronised: true, ReferenceID: wire.ReferenceID{0x0a, 0x42, 0, 1},
			ReferenceName: a.Name, ReferenceAddr: a.Addr, Stratum: 2,
			ReferenceTime: clock.WallUnix(1795302917, 29233339),
			Correction:    -3873, LastOffset: -34, RMSOffset: 318,
			Frequency: clock.RatePPM(-0.005), Skew: clock.RatePPM(0.037),
			RootDelay: 12868, RootDisp: 3584, Interval: 16300 * time.Millisecond,
			Authenticated: true, Updates: 8,
		},
	}
}

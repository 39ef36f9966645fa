// Package captured holds snapshots of the engine for tests of what is made of
// them: the state that the files of testdata/peer-outputs were captured from, and
// others derived from it.
package captured

import (
	"net/netip"
	"time"

	"ntsd/internal/bootstrap"
	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/filter"
	"ntsd/internal/selection"
	"ntsd/internal/siv"
	"ntsd/internal/snapshot"
	"ntsd/internal/standing"
	"ntsd/internal/upstream"
	"ntsd/internal/wire"
)

// second is the unit of the fixtures on both timescales.
const second = clock.Mono(time.Second)

// Snapshot is the state that testdata/peer-outputs was captured from, in the
// engine's own signs: a positive offset is a slow clock.
func Snapshot() snapshot.Snapshot {
	now := clock.Reading{Mono: 1000 * second, Wall: clock.WallUnix(1795302919, 0)}
	ref := clock.WallUnix(1795302915, 625990504)
	header := wire.Header{
		Version: 4, Mode: wire.ModeServer, Stratum: 1, Poll: 4, Precision: -27,
		ReferenceID: wire.ReferenceID{0x7f, 0x7f, 1, 1},
	}
	local := netip.MustParseAddr("10.66.0.2")
	exchange := standing.Exchange{
		Valid: true, Header: header, Local: local, ReferenceTime: ref, Dispersion: 17,
		Tests: [3]uint16{7, 7, 15}, Sent: event.StampKernel, Received: event.StampKernel,
	}
	a := snapshot.Source{
		ID: 1, Name: "10.66.0.1", Addr: netip.MustParseAddr("10.66.0.1"), Port: 123,
		State: selection.StateSelected, Mark: '*', Letter: '*',
		Effective: selection.Options{Trust: true, Require: true},
		Online:    true, Reach: 0xff, Stratum: 1, Poll: 4, LastRx: now.Mono - 2*second,
		Adjusted: -133, Measured: -167, ErrorBound: 6451,
		Stats:    filterStats(8, 7, 71, 0.035, 353),
		Residual: 0, Offset: 0, Score: 1, Lo: -6618, Hi: 6284,
		Last: exchange,
		Counters: standing.Counters{
			Sent: 8, Received: 8, Valid: 8, Good: 8, KernelSent: 8, KernelReceived: 8,
		},
		Auth: standing.Auth{
			NTS: true, KeyID: 1, AEAD: siv.AES128GCMSIV, KeyBits: 128, KEKnown: true,
			LastKE: now.Mono - 72*second, Cookies: 8, CookieLen: 64,
		},
	}
	a.Last.Offset, a.Last.Delay, a.Last.Response = -167, 12868, 76204
	a.Last.Authenticated = true
	b := snapshot.Source{
		ID: 2, Name: "10.66.1.1", Addr: netip.MustParseAddr("10.66.1.1"), Port: 123,
		State: selection.StateUntrusted, Mark: '?', Letter: 'T',
		Online: true, Reach: 0xff, Stratum: 1, Poll: 4, LastRx: now.Mono - 18*second,
		Adjusted: 4675, Measured: 4645, ErrorBound: 1418,
		Stats:    filterStats(8, 5, 57, 0.035, 315),
		Residual: clock.RatePPM(0.007), Offset: 4913, Score: 1, Lo: 2755, Hi: 6765,
		Last: exchange,
		Counters: standing.Counters{
			Sent: 9, Received: 9, Valid: 9, Good: 8, KernelSent: 9, KernelReceived: 9,
		},
	}
	b.Last.Offset, b.Last.Delay, b.Last.Response = 4645, 2802, 63266
	b.Last.Interleaved = true
	return snapshot.Snapshot{
		Now:     now,
		Sources: []snapshot.Source{a, b},
		Tracking: snapshot.Tracking{
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

// Dressed is a snapshot with everything that the captured one lacks.
func Dressed() snapshot.Snapshot {
	s := Snapshot()
	a := &s.Sources[0]
	a.Name, a.Operator, a.Kind = "time.example.net", "example.net", upstream.Pool
	a.Counters.Verdicts = []standing.VerdictCount{{Name: "bad authenticator", Count: 3}}
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

// Climbing is a router in the middle of the ladder.
func Climbing() snapshot.Snapshot {
	s := Snapshot()
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
	return s
}

func filterStats(samples, runs, spanS int, skewPPM float64, sd time.Duration) filter.Stats {
	return filter.Stats{
		Samples: samples, Runs: runs, Span: time.Duration(spanS) * time.Second,
		Skew: clock.RatePPM(skewPPM), StdDev: sd,
	}
}

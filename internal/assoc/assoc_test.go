package assoc

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/ntptime"
	"ntsd/internal/wire"
)

// TestRequestTellsNothing: draft-ietf-ntp-data-minimization.
func TestRequestTellsNothing(t *testing.T) {
	b := newBench(t, Config{})
	first, second := b.poll(), b.poll()
	want, _ := hex.DecodeString("23000020" + "0000000000000000" + "00000000" + "000000000000000000000000000000000000000000000000")
	if !bytes.Equal(first.Data[:40], want) || len(first.Data) != 48 {
		t.Errorf("request % x", first.Data)
	}
	if bytes.Equal(first.Data[40:], second.Data[40:]) {
		t.Error("two requests have one transmit timestamp")
	}
}

func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		want   Verdict
		name   string
		header func(*wire.Header)
		event  func(*event.Received)
		config func(*Config)
		reach  uint8
		tests  [3]uint16 // of valid replies
	}{
		{want: VerdictAccepted, reach: 1, tests: [3]uint16{7, 7, 15}},
		{want: VerdictStale, event: func(e *event.Received) { e.Request++ }},
		{want: VerdictAddress, event: func(e *event.Received) { e.From = netip.MustParseAddrPort("192.0.2.2:123") }},
		{want: VerdictAddress, name: "port", event: func(e *event.Received) { e.From = netip.MustParseAddrPort("192.0.2.1:124") }},
		{
			want: VerdictAccepted, name: "mapped", reach: 1, tests: [3]uint16{7, 7, 15},
			event: func(e *event.Received) { e.From = netip.MustParseAddrPort("[::ffff:192.0.2.1]:123") },
		},
		{want: VerdictMalformed, event: func(e *event.Received) { e.Data = e.Data[:47] }},
		{want: VerdictVersion, header: func(h *wire.Header) { h.Version = 5 }},
		{want: VerdictVersion, name: "zero", header: func(h *wire.Header) { h.Version = 0 }},
		{want: VerdictAccepted, name: "version 3", reach: 1, tests: [3]uint16{7, 7, 15}, header: func(h *wire.Header) { h.Version = 3 }},
		{want: VerdictMode, header: func(h *wire.Header) { h.Mode = wire.ModeSymmetricPassive }},
		{want: VerdictOrigin, header: func(h *wire.Header) { h.Origin++ }},
		{want: VerdictOrigin, name: "zero", header: func(h *wire.Header) { h.Origin = 0 }},
		{want: VerdictTimestamp, name: "receive", header: func(h *wire.Header) { h.Receive = 0 }},
		{want: VerdictTimestamp, name: "transmit", header: func(h *wire.Header) { h.Transmit = 0 }},
		{want: VerdictRate, header: func(h *wire.Header) { h.Stratum, h.ReferenceID = 0, wire.KissRate.ReferenceID() }},
		{want: VerdictDenied, name: "deny", header: func(h *wire.Header) { h.Stratum, h.ReferenceID = 0, wire.KissDeny.ReferenceID() }},
		{want: VerdictDenied, name: "rstr", header: func(h *wire.Header) { h.Stratum, h.ReferenceID = 0, wire.KissRSTR.ReferenceID() }},
		// What ntpsec 1.2.2 says before it is synchronised.
		{want: VerdictUnsynchronised, name: "INIT", tests: [3]uint16{7, 5, 15}, header: func(h *wire.Header) {
			h.Leap, h.Stratum, h.ReferenceID = wire.LeapUnknown, 0, wire.ReferenceID{'I', 'N', 'I', 'T'}
		}},
		{want: VerdictKiss, name: "NAK to a plain request", header: func(h *wire.Header) { h.Stratum, h.ReferenceID = 0, wire.KissNTSN.ReferenceID() }},
		{want: VerdictUnsynchronised, name: "leap", tests: [3]uint16{7, 5, 15}, header: func(h *wire.Header) { h.Leap = wire.LeapUnknown }},
		{want: VerdictUnsynchronised, name: "stratum 16", tests: [3]uint16{7, 5, 15}, header: func(h *wire.Header) { h.Stratum = 16 }},
		{want: VerdictDistance, tests: [3]uint16{7, 6, 15}, header: func(h *wire.Header) { h.RootDelay = ntptime.ShortFrom(32 * time.Second) }},
		{want: VerdictDistance, name: "dispersion", tests: [3]uint16{7, 6, 15}, header: func(h *wire.Header) { h.RootDispersion = ntptime.ShortFrom(16 * time.Second) }},
		{want: VerdictReference, tests: [3]uint16{7, 6, 15}, header: func(h *wire.Header) { h.ReferenceTime = h.Transmit + 1<<32 }},
		{want: VerdictLoop, reach: 1, tests: [3]uint16{7, 7, 14}, header: func(h *wire.Header) { h.ReferenceID = wire.ReferenceID{192, 0, 2, 99} }},
		// MD5 of 2001:db8::99, RFC 5905 section 7.3.
		{
			want: VerdictLoop, name: "v6", reach: 1, tests: [3]uint16{7, 7, 14},
			header: func(h *wire.Header) { h.ReferenceID = ReferenceID(netip.MustParseAddr("2001:db8::99")) },
			event:  func(e *event.Received) { e.Local = netip.MustParseAddr("2001:db8::99") },
		},
		{
			want: VerdictAccepted, name: "stratum 1 is no loop", reach: 1, tests: [3]uint16{7, 7, 15},
			header: func(h *wire.Header) { h.Stratum, h.ReferenceID = 1, wire.ReferenceID{192, 0, 2, 99} },
		},
		{want: VerdictStamp, reach: 1, tests: [3]uint16{7, 7, 7}, event: func(e *event.Received) { e.Sent.Kind = event.StampNone }},
		{want: VerdictStamp, name: "order", reach: 1, tests: [3]uint16{7, 7, 7}, event: func(e *event.Received) { e.Received.At = e.Sent.At - 1 }},
		{want: VerdictOrder, reach: 1, tests: [3]uint16{7, 7, 7}, header: func(h *wire.Header) { h.Receive = h.Transmit + 1<<20 }},
		{want: VerdictNegative, reach: 1, tests: [3]uint16{7, 7, 7}, header: func(h *wire.Header) { h.Receive = h.Transmit - 1<<28 }},
		{want: VerdictDelay, reach: 1, tests: [3]uint16{7, 7, 7}, config: func(c *Config) { c.MaxDelay = 9 * time.Millisecond }},
		{want: VerdictDelay, name: "default", reach: 1, tests: [3]uint16{7, 7, 7}, event: func(e *event.Received) { e.Received.At = e.Sent.At.Add(4 * time.Second) }},
		{want: VerdictOutlier, name: "same time", reach: 3, tests: [3]uint16{7, 7, 15}, event: func(e *event.Received) { e.Sent.At, e.Received.At = 0, 1 }},
	} {
		t.Run(c.want.String()+" "+c.name, func(t *testing.T) {
			cfg := Config{}
			if c.config != nil {
				c.config(&cfg)
			}
			b := newBench(t, cfg)
			if c.want == VerdictOutlier {
				req := b.poll()
				b.reply(req, b.header(req).Append(nil))
			}
			req := b.poll()
			h := b.header(req)
			if c.header != nil {
				c.header(&h)
			}
			ev := event.Received{
				Source: 7, Request: req.Request, From: req.To, Local: netip.MustParseAddr("192.0.2.99"),
				Sent:     event.Stamp{At: b.now.Mono, Kind: event.StampKernel},
				Received: event.Stamp{At: b.now.Mono.Add(10 * time.Millisecond), Kind: event.StampKernel},
				Data:     h.Append(nil),
			}
			if c.event != nil {
				c.event(&ev)
			}
			if got := b.deliver(ev); got != c.want {
				t.Fatalf("verdict %q, want %q", got, c.want)
			}
			if got := b.a.Reach(); got != c.reach {
				t.Errorf("reach %o, want %o", got, c.reach)
			}
			if x := b.a.Last(); x.Valid != (c.tests != [3]uint16{}) || x.Tests != c.tests {
				t.Errorf("tests %v, want %v", x.Tests, c.tests)
			}
			n := uint64(0)
			for _, v := range b.a.Counters().Verdicts {
				if v.Name == c.want.String() {
					n = v.Count
				}
			}
			if n != 1 {
				t.Errorf("counted %d times, want once", n)
			}
		})
	}
}

func TestSecondReplyIsADuplicate(t *testing.T) {
	b := newBench(t, Config{})
	req := b.poll()
	data := b.header(req).Append(nil)
	if v := b.reply(req, data); v != VerdictAccepted {
		t.Fatalf("first: %v", v)
	}
	if v := b.reply(req, data); v != VerdictDuplicate {
		t.Errorf("second: %v, want duplicate", v)
	}
	b.poll()
	if v := b.reply(req, data); v != VerdictStale {
		t.Errorf("after the next request: %v, want stale", v)
	}
}

func TestMeasurement(t *testing.T) {
	b := newBench(t, Config{})
	b.now.Wall = b.now.Wall.Add(-time.Hour) // slow by an hour
	req := b.poll()
	h := b.header(req)
	h.Receive = ntptime.FromWall(b.now.Wall.Add(time.Hour + 4*time.Millisecond))
	h.Transmit = ntptime.FromWall(b.now.Wall.Add(time.Hour + 6*time.Millisecond))
	if v := b.reply(req, h.Append(nil)); v != VerdictAccepted {
		t.Fatal(v)
	}
	x := b.a.Last()
	if d := x.Offset.Duration() - time.Hour; d.Abs() > time.Nanosecond {
		t.Errorf("offset %v, want 1h", x.Offset.Duration())
	}
	if d := x.Delay - 8*time.Millisecond; d.Abs() > time.Nanosecond || (x.Response-2*time.Millisecond).Abs() > time.Nanosecond {
		t.Errorf("delay %v response %v, want 8ms 2ms", x.Delay, x.Response)
	}
}

// TestCorrection: what is known of a lopsided path is taken off, with chrony's
// sign: a server whose requests take longer seems to be ahead.
func TestCorrection(t *testing.T) {
	const lopsided = 100 * time.Microsecond
	b := newBench(t, Config{Correction: clock.Offset(-lopsided / 2)})
	req := b.poll()
	h := b.header(req)
	h.Receive = ntptime.FromWall(b.now.Wall.Add(5*time.Millisecond + lopsided/2))
	h.Transmit = h.Receive
	if v := b.reply(req, h.Append(nil)); v != VerdictAccepted {
		t.Fatal(v)
	}
	if x := b.a.Last(); x.Offset.Duration().Abs() > time.Nanosecond || (x.Delay-10*time.Millisecond).Abs() > time.Nanosecond {
		t.Errorf("offset %v, delay %v; want 0 and 10ms", x.Offset.Duration(), x.Delay)
	}
}

// TestEras: the pivot, not a clock that starts in 1970 or a dead battery's
// 2099, says which era a timestamp is of.
func TestEras(t *testing.T) {
	floor := clock.WallUnix(1_780_000_000, 0) // 2026
	for _, truth := range []clock.Wall{
		clock.WallUnix(1_790_000_000, 0),
		clock.WallUnix(2_085_978_495, 0), // the last second of era 0
		clock.WallUnix(2_085_978_497, 0), // the first of era 1 has the timestamp that means "unknown"
		clock.WallUnix(2_147_483_648, 0), // past 32 bits
		clock.WallUnix(3_000_000_000, 0),
	} {
		for _, wall := range []clock.Wall{0, clock.WallUnix(4_070_908_800, 0), truth} {
			b := newBench(t, Config{})
			b.env.Pivot = floor
			b.now.Wall = wall
			req := b.poll()
			h := b.header(req)
			at := ntptime.FromWall(truth)
			h.Receive, h.Transmit, h.ReferenceTime = at, at, at-1<<33
			if v := b.reply(req, h.Append(nil)); v != VerdictAccepted {
				t.Fatal(v)
			}
			if got := b.now.Wall.Add(b.a.Last().Offset.Duration()).Sub(truth).Abs(); got > time.Second {
				t.Errorf("clock %v, server %v: off by %v", wall.Time(), truth.Time(), got)
			}
		}
	}
}

func TestBurstEndsAfterFourSamplesOrEightRequests(t *testing.T) {
	b := newBench(t, Config{IBurst: true})
	var at []clock.Mono
	for range 11 {
		req := b.poll()
		at = append(at, b.now.Mono)
		b.reply(req, b.header(req).Append(nil))
	}
	// Four samples end the burst; the other four of its eight requests and two
	// more are spread so that the oscillator's rate becomes known.
	intervals := [...]float64{2, 2, 2, 4, 6, 9, 13.5, 20.25, 30.375, 64}
	for i := 1; i < 11; i++ {
		want := clock.OffsetSeconds(intervals[i-1]).Duration()
		if d := at[i].Sub(at[i-1]); (d - want).Abs() > want/32 {
			t.Errorf("interval %d = %v, want about %v", i, d, want)
		}
	}
	b = newBench(t, Config{IBurst: true})
	at = nil
	for range 20 {
		b.poll()
		at = append(at, b.now.Mono)
	}
	for i := 1; i < 20; i++ {
		if d := at[i].Sub(at[i-1]); (d < 3*time.Second) != (i < 8) {
			t.Errorf("without replies: interval %d = %v", i, d)
		}
	}
	if d := at[19].Sub(at[18]); d < 120*time.Second {
		t.Errorf("a dead server is polled every %v", d)
	}
}

func TestRateIsPersistent(t *testing.T) {
	b := newBench(t, Config{IBurst: true})
	for want := ntptime.Exponent(7); want <= 12; want++ {
		req := b.poll()
		h := b.header(req)
		h.Stratum, h.ReferenceID, h.Poll = 0, wire.KissRate.ReferenceID(), 0
		b.reply(req, h.Append(nil))
		b.reply(req, h.Append(nil)) // a flood is one kiss
		if got := b.a.Poll(); got != min(want, 10) {
			t.Fatalf("poll %d, want %d", got, min(want, 10))
		}
	}
	for range 50 {
		req := b.poll()
		b.reply(req, b.header(req).Append(nil))
	}
	if got := b.a.Poll(); got != 10 {
		t.Errorf("poll %d after good replies, want 10", got)
	}
	if n := b.notices(event.NoticeKiss); n != 1 {
		t.Errorf("%d notices, want 1", n)
	}
}

func TestDenySlowsDownUntilAReplyComes(t *testing.T) {
	b := newBench(t, Config{IBurst: true})
	req := b.poll()
	h := b.header(req)
	h.Stratum, h.ReferenceID = 0, wire.KissDeny.ReferenceID()
	b.reply(req, h.Append(nil))
	if b.a.Poll() != deniedPoll || !b.a.Dead() {
		t.Errorf("poll %d dead %t, want %d true", b.a.Poll(), b.a.Dead(), deniedPoll)
	}
	req = b.poll()
	b.reply(req, b.header(req).Append(nil))
	if b.a.Poll() != 6 || b.a.Dead() {
		t.Errorf("poll %d dead %t, want 6 false", b.a.Poll(), b.a.Dead())
	}
}

func TestReach(t *testing.T) {
	b := newBench(t, Config{})
	var want uint8
	for i := range 30 {
		req := b.poll()
		if i%3 != 0 {
			b.reply(req, b.header(req).Append(nil))
			want = want<<1 | 1
		} else {
			want <<= 1
		}
		b.pass(replyWindow)
		b.take(b.a.HandleTimer(b.now, nil))
		if got := b.a.Reach(); got != want {
			t.Fatalf("poll %d: reach %o, want %o", i, got, want)
		}
	}
}

// TestPollAllocations pins what a poll costs: a router has little memory to
// collect.
func TestPollAllocations(t *testing.T) {
	const most = 4 // packet, boxed actions
	b := newBench(t, Config{})
	out := make([]event.Action, 0, 8)
	if n := testing.AllocsPerRun(100, func() {
		b.now.Mono = b.a.NextDeadline()
		out = b.a.HandleTimer(b.now, out[:0])
	}); n > most {
		t.Errorf("%v allocations per plain poll, want at most %d", n, most)
	}
}

func TestVerdictsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for v := range numVerdicts {
		if s := v.String(); s == "" || seen[s] {
			t.Errorf("verdict %d is called %q", v, s)
		} else {
			seen[s] = true
		}
	}
}

func TestOfflineKeepsSession(t *testing.T) {
	b := newBench(t, Config{NTS: true, IBurst: true})
	b.ke()
	req := b.poll()
	b.take(b.a.SetOnline(b.now, false, nil))
	if v := b.reply(req, b.authentic(req, b.header(req))); v != VerdictStale {
		t.Errorf("reply while offline: %v, want stale", v)
	}
	if b.a.NextDeadline() != clock.Never {
		t.Error("an offline association has a deadline")
	}
	b.pass(time.Hour)
	b.take(b.a.SetOnline(b.now, true, nil))
	req = b.poll()
	if v := b.reply(req, b.authentic(req, b.header(req))); v != VerdictAccepted || count[event.StartKE](b) != 1 {
		t.Errorf("after coming online: %v, %d key establishments", v, count[event.StartKE](b))
	}
}

// ke runs the first key establishment.
func (b *bench) ke() {
	b.t.Helper()
	b.pass(b.a.NextDeadline().Sub(b.now.Mono))
	b.take(b.a.HandleTimer(b.now, nil))
	b.establish()
}

// The last sample may be off by half of its way there and back, and by what
// the server says of its own; a lucky sample before it changes nothing.
func TestBoundOfLastSample(t *testing.T) {
	b := newBench(t, Config{})
	if got := b.a.Bound(); got != 0 {
		t.Errorf("before any sample: got %v, want 0", got)
	}
	for _, delay := range []time.Duration{time.Millisecond, 40 * time.Millisecond} {
		req := b.poll()
		h := b.header(req)
		h.RootDelay, h.RootDispersion = ntptime.ShortFrom(4*time.Millisecond), ntptime.ShortFrom(3*time.Millisecond)
		b.deliver(event.Received{
			Source: 7, Request: req.Request, From: req.To, Data: h.Append(nil),
			Sent:     event.Stamp{At: b.now.Mono, Kind: event.StampKernel},
			Received: event.Stamp{At: b.now.Mono.Add(delay), Kind: event.StampKernel},
		})
		want := delay/2 + 5*time.Millisecond
		if got := b.a.Bound(); got < want || got > want+50*time.Microsecond {
			t.Errorf("after a round trip of %v: got %v, want %v and a little", delay, got, want)
		}
	}
}

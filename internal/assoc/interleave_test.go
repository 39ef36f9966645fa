package assoc

import (
	"net/netip"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/ntptime"
	"ntsd/internal/wire"
)

// What package interleave has: how many replies in basic mode end the asking, for how
// many requests, and how many requests ask about one exchange.
const (
	tries = 4
	pause = 256
	asks  = 4
)

// stamping is a server that writes its transmit timestamps early and knows only
// later when its replies really left, which is the bench's truth: the packets
// take 4 ms there and back, the server answers after 1 ms, and the program
// believes to be done early before that.
type stamping struct {
	early time.Duration
	left  map[ntptime.Timestamp]ntptime.Timestamp // by receive timestamp
	basic bool                                    // it has no other mode
}

func newStamping(early time.Duration) *stamping {
	return &stamping{early: early, left: make(map[ntptime.Timestamp]ntptime.Timestamp)}
}

// exchange lets a request be answered, and delivers the reply.
func (s *stamping) exchange(b *bench, req event.Send) Verdict {
	return b.reply(req, s.sealed(b, req))
}

func (s *stamping) sealed(b *bench, req event.Send) []byte {
	h := s.answer(b, req)
	if b.a.cfg.NTS {
		return b.authentic(req, h)
	}
	return h.Append(nil)
}

func (s *stamping) answer(b *bench, req event.Send) wire.Header {
	in, err := wire.ParseHeader(req.Data)
	if err != nil {
		b.t.Fatal(err)
	}
	h := b.header(req)
	h.Receive = ntptime.FromWall(b.now.Wall.Add(4 * time.Millisecond))
	left := b.now.Wall.Add(6 * time.Millisecond)
	h.Transmit = ntptime.FromWall(left.Add(-s.early))
	if old, ok := s.left[in.Origin]; ok && !s.basic && in.Receive != in.Transmit {
		delete(s.left, in.Origin) // it is told once
		h.Origin, h.Transmit = in.Receive, old
	}
	s.left[h.Receive] = ntptime.FromWall(left)
	return h
}

// sentHeader returns the header of the request.
func sentHeader(t *testing.T, s event.Send) wire.Header {
	t.Helper()
	h, err := wire.ParseHeader(s.Data)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// The first exchange is measured in basic mode; each later reply tells when the
// one before really left.
func TestInterleaved(t *testing.T) {
	for _, nts := range []bool{false, true} {
		b := newBench(t, Config{XLeave: true, NTS: nts})
		s := newStamping(500 * time.Microsecond)
		if nts {
			b.ke()
		}
		for i := range 6 {
			req := b.poll()
			if h := sentHeader(t, req); i == 0 && (h.Origin != 0 || h.Receive != 0) || i > 0 && (h.Origin == 0 || h.Receive == 0) {
				t.Errorf("request %d: origin %x, receive %x", i, uint64(h.Origin), uint64(h.Receive))
			}
			if v := s.exchange(b, req); v != VerdictAccepted {
				t.Fatalf("reply %d: %v", i, v)
			}
			x := b.a.Last()
			offset, delay := -250*time.Microsecond, 8500*time.Microsecond
			if i > 0 {
				offset, delay = 0, 8*time.Millisecond
			}
			if (x.Offset.Duration()-offset).Abs() > 2 || (x.Delay-delay).Abs() > 2 || x.Interleaved != (i > 0) {
				t.Errorf("nts %t, reply %d: offset %v delay %v interleaved %t, want %v %v %t",
					nts, i, x.Offset.Duration(), x.Delay, x.Interleaved, offset, delay, i > 0)
			}
			// The second reply is about the first exchange: a better sample in
			// place of its first one.
			if n := b.a.FilterStats().Samples; n != max(1, i) {
				t.Errorf("after reply %d: %d samples, want %d", i, n, max(1, i))
			}
		}
		if got := b.a.Reach(); got != 0o77 {
			t.Errorf("reach %o, want 77", got)
		}
	}
}

// Between two replies the estimate does without the time at which the last one
// left: it takes the server to be as quick as at best.
func TestInterleavedLooksAhead(t *testing.T) {
	b := newBench(t, Config{XLeave: true, MinPoll: 6, MaxPoll: 6})
	s := newStamping(0)
	for i := range 20 {
		s.exchange(b, b.poll())
		e, ok := b.a.Estimate(b.now.Mono)
		want := max(1, i)
		if i >= 2 {
			want++ // from the second measured response on
		}
		if !ok || e.Samples != want || b.a.FilterStats().Samples != max(1, i) {
			t.Errorf("after reply %d: an estimate of %d samples (%t) over %d, want %d", i, e.Samples, ok, b.a.FilterStats().Samples, want)
		}
	}
	// The server's clock has drifted by 2 us: known with this reply already.
	before, _ := b.a.Estimate(b.now.Mono)
	req := b.poll()
	h := s.answer(b, req)
	h.Receive += ntptime.Timestamp(2 << 32 / 1_000_000)
	b.reply(req, h.Append(nil))
	after, _ := b.a.Estimate(b.now.Mono)
	if moved := after.Line.WallAt(b.now.Mono).Sub(before.Line.WallAt(b.now.Mono)); moved < clock.Offset(100) {
		t.Errorf("a drift by 2 us moved the estimate by %v", moved.Duration())
	}
	// A basic reply is all there is to know.
	clear(s.left)
	s.exchange(b, b.poll())
	got, _ := b.a.Estimate(b.now.Mono)
	if want, _ := b.a.filter.Estimate(b.now.Mono); got != want {
		t.Errorf("after a reply in basic mode: %+v, want the filter's %+v", got, want)
	}
}

// A request that asks about a reply shows nothing else: fresh random timestamps,
// the server's own one, and the address that it must leave from.
func TestInterleavedRequestsTellLittle(t *testing.T) {
	b := newBench(t, Config{XLeave: true})
	s := newStamping(0)
	seen := map[ntptime.Timestamp]bool{}
	var told ntptime.Timestamp
	for i := range 5 {
		req := b.poll()
		h := sentHeader(t, req)
		if h.Origin != told {
			t.Errorf("request %d: origin %x, want the server's %x", i, uint64(h.Origin), uint64(told))
		}
		if want := (wire.Header{Version: 4, Mode: wire.ModeClient, Precision: 0x20, Origin: h.Origin, Receive: h.Receive, Transmit: h.Transmit}); h != want {
			t.Errorf("request %d: %+v tells more than it must", i, h)
		}
		if i > 0 && (seen[h.Receive] || h.Receive == h.Transmit || req.From != netip.MustParseAddr("192.0.2.99")) {
			t.Errorf("request %d: receive %x again, or from %v", i, uint64(h.Receive), req.From)
		}
		if seen[h.Transmit] {
			t.Errorf("request %d: transmit %x again", i, uint64(h.Transmit))
		}
		seen[h.Receive], seen[h.Transmit] = true, true
		reply := s.answer(b, req)
		told = reply.Receive
		b.reply(req, reply.Append(nil))
	}
}

// Without the option a request tells nothing, whatever came before.
func TestNotInterleaved(t *testing.T) {
	b := newBench(t, Config{})
	s := newStamping(0)
	for i := range 3 {
		req := b.poll()
		if h := sentHeader(t, req); h.Origin != 0 || h.Receive != 0 || req.From.IsValid() {
			t.Errorf("request %d: origin %x, receive %x, from %v", i, uint64(h.Origin), uint64(h.Receive), req.From)
		}
		s.exchange(b, req)
	}
}

// A server without the mode is measured in basic mode at every poll, and after
// a few it is no longer asked.
func TestInterleavedServerWithoutIt(t *testing.T) {
	b := newBench(t, Config{XLeave: true})
	s := newStamping(0)
	s.basic = true
	asked := 0
	for i := range 40 {
		req := b.poll()
		if sentHeader(t, req).Origin != 0 {
			asked++
		}
		if v := s.exchange(b, req); v != VerdictAccepted {
			t.Fatalf("reply %d: %v", i, v)
		}
	}
	if asked != tries {
		t.Errorf("asked %d times, want %d", asked, tries)
	}
	// In the end it is tried again: the server has learnt it.
	s.basic = false
	for range pause {
		s.exchange(b, b.poll())
	}
	if !b.a.Last().Interleaved {
		t.Error("never tried again")
	}
}

// A server that has forgotten answers in basic mode: measured at once, and the
// exchange is not measured twice.
func TestInterleavedServerForgets(t *testing.T) {
	b := newBench(t, Config{XLeave: true})
	s := newStamping(500 * time.Microsecond)
	for range 30 {
		s.exchange(b, b.poll())
	}
	clear(s.left)
	for i, want := range []struct {
		verdict     Verdict
		interleaved bool
	}{{VerdictAccepted, false}, {VerdictKnown, true}, {VerdictAccepted, true}} {
		if v := s.exchange(b, b.poll()); v != want.verdict || b.a.Last().Interleaved != want.interleaved {
			t.Errorf("reply %d: %v interleaved %t, want %v %t", i, v, b.a.Last().Interleaved, want.verdict, want.interleaved)
		}
	}
	if got := b.a.Reach(); got != 0xff {
		t.Errorf("reach %o, want 377", got)
	}
}

// Lost packets: the next request asks about the same exchange, a few times; then
// it begins anew.
func TestInterleavedLoss(t *testing.T) {
	for lost := range asks + 2 {
		b := newBench(t, Config{XLeave: true, MinPoll: 4, MaxPoll: 4})
		s := newStamping(0)
		for range 4 {
			s.exchange(b, b.poll())
		}
		want := b.a.Last().Header.Receive
		for range lost {
			b.poll()
		}
		req := b.poll()
		if lost >= asks {
			want = 0
		}
		if h := sentHeader(t, req); h.Origin != want {
			t.Errorf("after %d lost: origin %x, want %x", lost, uint64(h.Origin), uint64(want))
		}
		if v := s.exchange(b, req); v != VerdictAccepted || b.a.Last().Interleaved != (want != 0) {
			t.Errorf("after %d lost: %v, interleaved %t", lost, v, b.a.Last().Interleaved)
		}
	}
}

// A reply that tells of an exchange which was forgotten meanwhile measures nothing:
// what is shown of the server stays, its keys are not doubted, and it was reached.
func TestInterleavedForgotten(t *testing.T) {
	for name, forget := range map[string]func(*bench){
		"a leap second": func(b *bench) {
			b.a.HandleLeap(clock.Offset(time.Second))
			b.now.Wall = b.now.Wall.Add(time.Second)
		},
		"a link": func(b *bench) { b.a.SetOnline(b.now, true, nil) },
	} {
		b := newBench(t, Config{XLeave: true, NTS: true, MinPoll: 4, MaxPoll: 4})
		b.env.Bounds = Bounds{On: true, Floor: epoch.Add(-time.Hour), MaxTrip: time.Second}
		s := newStamping(0)
		b.onTrial(false)
		for range 3 {
			s.exchange(b, b.poll())
		}
		before := b.a.Last()
		req := b.poll()
		forget(b)
		v := s.exchange(b, req)
		if x := b.a.Last(); v != VerdictStamp || x != before || b.a.Reach()&1 == 0 {
			t.Errorf("%s: %v, reach %o, last %+v; want %v, the server reached and %+v", name, v, b.a.Reach(), x, VerdictStamp, before)
		}
		if v := s.exchange(b, b.poll()); v != VerdictAccepted {
			t.Errorf("%s: the next reply: %v", name, v)
		}
	}
}

// What is no reply to the last request changes nothing of what is awaited.
func TestInterleavedForgeries(t *testing.T) {
	b := newBench(t, Config{XLeave: true})
	s := newStamping(0)
	for range 3 {
		s.exchange(b, b.poll())
	}
	req := b.poll()
	before := b.a.xleave
	good := s.answer(b, req)
	for name, forge := range map[string]func(*wire.Header){
		"origin zero":             func(h *wire.Header) { h.Origin = 0 },
		"origin of the request":   func(h *wire.Header) { h.Origin = b.a.Last().Header.Receive },
		"neither of the two":      func(h *wire.Header) { h.Origin++ },
		"no transmit timestamp":   func(h *wire.Header) { h.Transmit = 0 },
		"another protocol's mode": func(h *wire.Header) { h.Mode = wire.ModeSymmetricPassive },
	} {
		h := good
		forge(&h)
		if v := b.reply(req, h.Append(nil)); v == VerdictAccepted || b.a.xleave != before {
			t.Errorf("%s: %v, or the exchange before it is forgotten", name, v)
		}
	}
	if v := b.reply(req, good.Append(nil)); v != VerdictAccepted || !b.a.Last().Interleaved {
		t.Errorf("the true reply: %v", v)
	}
	if v := b.reply(req, good.Append(nil)); v != VerdictDuplicate {
		t.Errorf("once more: %v, want %v", v, VerdictDuplicate)
	}
}

// A transmit time that cannot be, of a server that mixes its replies up, is no
// sample.
func TestInterleavedNonsense(t *testing.T) {
	for _, c := range []struct {
		want Verdict
		by   time.Duration
	}{{VerdictOrder, -3 * time.Millisecond}, {VerdictNegative, 20 * time.Millisecond}} {
		b := newBench(t, Config{XLeave: true})
		s := newStamping(0)
		for range 3 {
			s.exchange(b, b.poll())
		}
		for rx, tx := range s.left {
			s.left[rx] = ntptime.FromWall(tx.Wall(epoch).Add(c.by))
		}
		if v := s.exchange(b, b.poll()); v != c.want {
			t.Errorf("left %v too late: %v, want %v", c.by, v, c.want)
		}
	}
}

// What was asked about is forgotten before the reply comes: it is a reply, and
// no sample.
func TestInterleavedForgottenMeanwhile(t *testing.T) {
	b := newBench(t, Config{XLeave: true})
	s := newStamping(0)
	for range 3 {
		s.exchange(b, b.poll())
	}
	req := b.poll()
	n := b.a.FilterStats().Samples
	b.a.HandleLeap(0)
	if v := s.exchange(b, req); v != VerdictStamp || b.a.FilterStats().Samples != n || b.a.Reach() != 0xf {
		t.Errorf("%v, %d samples, reach %o; want %v, %d, 17", v, b.a.FilterStats().Samples, b.a.Reach(), VerdictStamp, n)
	}
	if v := s.exchange(b, b.poll()); v != VerdictAccepted || !b.a.Last().Interleaved {
		t.Errorf("the next one: %v, interleaved %t", v, b.a.Last().Interleaved)
	}
}

// The reference time of the server may be newer than the reply before.
func TestInterleavedReferenceTime(t *testing.T) {
	b := newBench(t, Config{XLeave: true})
	s := newStamping(0)
	for i := range 4 {
		req := b.poll()
		h := s.answer(b, req)
		h.ReferenceTime = h.Receive - 1
		if v := b.reply(req, h.Append(nil)); v != VerdictAccepted || !b.a.Synchronised() {
			t.Errorf("reply %d: %v", i, v)
		}
	}
}

// What the clock was stepped by since the exchange is not part of its offset.
func TestInterleavedOffsetIsOfItsTime(t *testing.T) {
	b := newBench(t, Config{XLeave: true})
	s := newStamping(0)
	s.exchange(b, b.poll())
	b.now.Wall = b.now.Wall.Add(-time.Hour) // slow from here on
	s.left = map[ntptime.Timestamp]ntptime.Timestamp{b.a.Last().Header.Receive: ntptime.FromWall(epoch.Add(b.now.Mono.Sub(1e9) + 6*time.Millisecond))}
	if v := s.exchange(b, b.poll()); v != VerdictAccepted || b.a.Last().Offset.Abs() > time.Microsecond {
		t.Errorf("%v: offset %v, want 0 as it was then", v, b.a.Last().Offset.Duration())
	}
}

// Another place in the network must not be linked to this one.
func TestInterleavedForgetsPlaces(t *testing.T) {
	for name, move := range map[string]func(*bench){
		"offline":     func(b *bench) { b.take(b.a.SetOnline(b.now, false, nil)); b.take(b.a.SetOnline(b.now, true, nil)) },
		"online":      func(b *bench) { b.take(b.a.SetOnline(b.now, true, nil)) },
		"leap second": func(b *bench) { b.a.HandleLeap(clock.Offset(time.Second)) },
		"option":      func(b *bench) { b.a.HandleConfig(Config{MinPoll: 6, MaxPoll: 6}) },
		"server":      func(b *bench) { b.a.moveTo(netip.MustParseAddrPort("192.0.2.3:123")) },
	} {
		b := newBench(t, Config{XLeave: true})
		s := newStamping(0)
		for range 3 {
			s.exchange(b, b.poll())
		}
		move(b)
		if h := sentHeader(t, b.poll()); h.Origin != 0 || h.Receive != 0 {
			t.Errorf("%s: the next request tells of %x", name, uint64(h.Origin))
		}
	}
	// Our own address is known when the socket is open: the request does not
	// leave, and the next one does at once.
	b := newBench(t, Config{XLeave: true})
	s := newStamping(0)
	for range 3 {
		s.exchange(b, b.poll())
	}
	req := b.poll()
	b.a.HandleSendFailed(event.SendFailed{Source: 7, Request: req.Request, Reason: "moved", Moved: true})
	before := b.now.Mono
	again := b.poll()
	if h := sentHeader(t, again); h.Origin != 0 || again.From.IsValid() || b.now.Mono != before {
		t.Errorf("after another address: origin %x from %v, %v later", uint64(h.Origin), again.From, b.now.Mono.Sub(before))
	}
	s.exchange(b, again)
	if got := b.a.Reach(); got != 0xf {
		t.Errorf("reach %o, want 17: nothing was lost", got)
	}
}

package interleave

import (
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/ntptime"
	"ntsd/internal/wire"
)

// random returns timestamps that are all different.
func random() func() ntptime.Timestamp {
	n := ntptime.Timestamp(1 << 40)
	return func() ntptime.Timestamp { n++; return n }
}

func stamped(sent, received time.Duration) *event.Received {
	return &event.Received{
		Sent:     event.Stamp{At: clock.Mono(sent), Kind: event.StampKernel},
		Received: event.Stamp{At: clock.Mono(received), Kind: event.StampKernel},
	}
}

// The times of the example of the package's text: four of one exchange.
func TestExchange(t *testing.T) {
	var s State
	next := random()
	first := wire.Header{Transmit: 7}
	if s.Ask(&first, true, next); first.Origin != 0 || first.Receive != 0 {
		t.Errorf("first request: %+v, want basic mode", first)
	}
	at := func(d time.Duration) ntptime.Timestamp { return ntptime.FromWall(clock.Wall(1_800_000_000e9 + d)) }
	reply := wire.Header{Origin: 7, Receive: at(0), Transmit: at(time.Millisecond)}
	ev := stamped(0, 10*time.Millisecond)
	now := clock.Reading{Mono: clock.Mono(11 * time.Millisecond)}
	x := s.Subject(now, ev, &reply)
	if s.Is(&reply) || (x.Response-time.Millisecond).Abs() > time.Nanosecond || x.There != at(0) || x.Sent != ev.Sent {
		t.Errorf("first reply: %+v", x)
	}
	s.Remember(now, ev, &reply, true, true)

	second := wire.Header{Transmit: 8}
	s.Ask(&second, true, next)
	if second.Origin != at(0) || second.Receive == 0 || second.Receive == second.Transmit {
		t.Fatalf("second request: %+v, want one about the first reply", second)
	}
	reply = wire.Header{Origin: second.Receive, Receive: at(time.Second), Transmit: at(3 * time.Millisecond)}
	x = s.Subject(clock.Reading{Mono: clock.Mono(time.Second)}, stamped(time.Second, 2*time.Second), &reply)
	if !s.Is(&reply) || !s.Sampled() || (x.Response-3*time.Millisecond).Abs() > time.Nanosecond || x.There != at(0) || x.Sent != ev.Sent || x.Received != ev.Received || x.Now != now {
		t.Errorf("second reply: %+v, want the times of the first exchange, 3 ms at the server", x)
	}
}

// Whoever does not want it, or has no stamps of the kernel, does not ask.
func TestBasicOnly(t *testing.T) {
	bare := stamped(0, 1)
	bare.Received.Kind = event.StampNone
	for name, c := range map[string]struct {
		on bool
		ev *event.Received
	}{"off": {false, stamped(0, 1)}, "no stamp": {true, bare}} {
		var s State
		s.Remember(clock.Reading{}, c.ev, &wire.Header{Receive: 5}, c.on, true)
		hdr := wire.Header{Transmit: 1}
		if s.Ask(&hdr, true, random()); s.Known() || hdr.Origin != 0 {
			t.Errorf("%s: asks about %x", name, uint64(hdr.Origin))
		}
	}
}

// A server that has no interleaved mode is asked a few times, then left alone for
// many requests.
func TestPause(t *testing.T) {
	var s State
	next := random()
	asked := func() bool {
		hdr := wire.Header{Transmit: next()}
		s.Ask(&hdr, true, next)
		reply := wire.Header{Origin: hdr.Transmit, Receive: next(), Transmit: next()}
		s.Remember(clock.Reading{}, stamped(0, 1), &reply, true, true)
		return hdr.Origin != 0
	}
	asked()
	for round := range 3 {
		for i := range tries {
			if !asked() {
				t.Fatalf("round %d: request %d does not ask", round, i)
			}
		}
		for i := range pause {
			if asked() {
				t.Fatalf("round %d: request %d of the pause asks", round, i)
			}
		}
	}
}

// One reply in interleaved mode among those in basic mode: the server has it.
func TestSeldom(t *testing.T) {
	var s State
	next := random()
	for i := range 10 * tries {
		hdr := wire.Header{Transmit: next()}
		s.Ask(&hdr, true, next)
		if i > 0 && hdr.Origin == 0 {
			t.Fatalf("request %d does not ask", i)
		}
		reply := wire.Header{Origin: hdr.Transmit, Receive: next(), Transmit: next()}
		if i%tries == tries-1 {
			reply.Origin = hdr.Receive
		}
		s.Remember(clock.Reading{}, stamped(0, 1), &reply, true, true)
	}
}

// What the server tells of an exchange gets older: after a few losses it begins anew.
func TestLost(t *testing.T) {
	var s State
	next := random()
	s.Remember(clock.Reading{}, stamped(0, 1), &wire.Header{Receive: 5}, true, true)
	for i := range lost + 2 {
		hdr := wire.Header{Transmit: next()}
		if s.Ask(&hdr, true, next); (hdr.Origin == 5) != (i < lost) {
			t.Errorf("request %d: origin %x", i, uint64(hdr.Origin))
		}
	}
}

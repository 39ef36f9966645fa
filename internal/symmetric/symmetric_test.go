package symmetric

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/ntptime"
	"ntsd/internal/wire"
)

// side is one of two that talk.
type side struct {
	State
	name     string
	clock    ntptime.Timestamp // makes timestamps that grow
	sent     map[ntptime.Timestamp]bool
	heard    map[ntptime.Timestamp]ntptime.Timestamp // what arrived by its receive timestamp: the packet's name
	latest   ntptime.Timestamp
	measured map[ntptime.Timestamp]bool // own packets that were measured
}

func newSide(name string, start ntptime.Timestamp) *side {
	return &side{
		name: name, clock: start, sent: map[ntptime.Timestamp]bool{}, heard: map[ntptime.Timestamp]ntptime.Timestamp{},
		measured: map[ntptime.Timestamp]bool{},
	}
}

func (s *side) tick() ntptime.Timestamp {
	s.clock += 1 << 20
	return s.clock
}

// packet returns the next one. Receive timestamps are remembered by the arrival.
func (s *side) packet() wire.Header {
	var h wire.Header
	if origin, at, ok := s.Answer(); ok {
		h.Origin, h.Receive = origin, ntptime.Timestamp(at)
	}
	h.Transmit = s.tick()
	s.latest = h.Transmit
	s.sent[h.Transmit] = true
	s.Sent(h.Transmit)
	return h
}

// take receives a packet and checks what is measured.
func (s *side) take(t *testing.T, h wire.Header) Verdict {
	t.Helper()
	at := s.tick()
	v := s.Receive(&h, clock.Mono(at))
	if v == Measure {
		if h.Origin != s.latest || s.measured[s.latest] {
			t.Fatalf("%s measures %+v, latest %x, measured before: %v", s.name, h, s.latest, s.measured[s.latest])
		}
		s.measured[s.latest] = true
	}
	s.heard[at] = h.Transmit
	return v
}

// TestTwoSides: whoever sends first, both measure once for each packet after the
// first exchange.
func TestTwoSides(t *testing.T) {
	a, b := newSide("a", 1<<40), newSide("b", 1<<63) // eras do not matter
	for i := range 10 {
		va := b.take(t, a.packet())
		vb := a.take(t, b.packet())
		want := []Verdict{Bogus, Measure}
		if i > 0 {
			want = []Verdict{Measure, Measure}
		}
		if va != want[0] || vb != want[1] {
			t.Errorf("round %d: b %v, a %v; want %v", i, va, vb, want)
		}
	}
}

// TestWire: lost, repeated, late and old packets, in any order: no packet of ours
// is measured twice, none by an answer to another one, and when the wire is good
// again both measure.
func TestWire(t *testing.T) {
	for seed := range uint64(50) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 9))
			sides := []*side{newSide("a", 1<<40), newSide("b", 5<<50)}
			var flying, old [2][]wire.Header // towards a and b
			for range 400 {
				i := r.IntN(2)
				switch r.IntN(5) {
				case 0, 1:
					h := sides[i].packet()
					flying[1-i] = append(flying[1-i], h)
					old[1-i] = append(old[1-i], h)
				case 2: // lost
					if n := len(flying[i]); n > 0 {
						flying[i] = flying[i][:n-1]
					}
				case 3: // repeated, whenever it was sent, or sent back
					from := old[i]
					if r.IntN(4) == 0 {
						from = old[1-i]
					}
					if len(from) > 0 {
						sides[i].take(t, from[r.IntN(len(from))])
					}
				default:
					if n := len(flying[i]); n > 0 {
						k := r.IntN(n)
						sides[i].take(t, flying[i][k])
						flying[i] = append(flying[i][:k], flying[i][k+1:]...)
					}
				}
			}
			good := 0
			for range 6 {
				if sides[1].take(t, sides[0].packet()) == Measure {
					good++
				}
				if sides[0].take(t, sides[1].packet()) == Measure {
					good++
				}
			}
			if good < 8 {
				t.Errorf("%d of 12 packets are measured on a good wire", good)
			}
		})
	}
}

func TestReceive(t *testing.T) {
	const sent = 1 << 40
	for _, c := range []struct {
		name string
		hdr  wire.Header
		want Verdict
		next ntptime.Timestamp // what our next packet answers
	}{
		{"answer", wire.Header{Origin: sent, Receive: 5, Transmit: 6}, Measure, 6},
		{"to another packet", wire.Header{Origin: sent - 1, Receive: 5, Transmit: 6}, Bogus, 6},
		{"to none", wire.Header{Transmit: 6}, Bogus, 6},
		{"without transmit timestamp", wire.Header{Origin: sent, Receive: 5}, Missing, 0},
		{"without receive timestamp", wire.Header{Origin: sent, Transmit: 6}, Missing, 6},
		{"our own", wire.Header{Origin: 3, Receive: 4, Transmit: sent}, Bogus, 0},
		{"of a stranger who knows nothing", wire.Header{Origin: 0, Receive: 5, Transmit: 6}, Bogus, 6},
	} {
		var s State
		s.Sent(sent)
		if got := s.Receive(&c.hdr, 7); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
		if origin, at, ok := s.Answer(); origin != c.next || ok != (c.next != 0) || ok && at != 7 {
			t.Errorf("%s: answers %v of %v, want %v", c.name, origin, at, c.next)
		}
		if c.want == Measure {
			if got := s.Receive(&c.hdr, 8); got != Duplicate {
				t.Errorf("%s again: got %v", c.name, got)
			}
		}
	}
}

// TestReplay: a packet that was valid once does not take the place of a newer
// one, nor is it measured again.
func TestReplay(t *testing.T) {
	var s State
	s.Sent(100)
	old := wire.Header{Origin: 100, Receive: 5, Transmit: 6}
	s.Receive(&old, 1)
	s.Sent(200)
	if got := s.Receive(&old, 2); got != Duplicate {
		t.Errorf("before the next: got %v", got)
	}
	next := wire.Header{Origin: 200, Receive: 15, Transmit: 16}
	s.Receive(&next, 3)
	if got := s.Receive(&old, 4); got != Bogus {
		t.Errorf("after it: got %v", got)
	}
	if origin, at, _ := s.Answer(); origin != 16 || at != 3 {
		t.Errorf("then the answer is to %v of %v", origin, at)
	}
	again := wire.Header{Origin: 200, Receive: 15, Transmit: 17}
	if got := s.Receive(&again, 5); got != Duplicate {
		t.Errorf("a second answer: got %v", got)
	}
	if origin, _, _ := s.Answer(); origin != 17 {
		t.Errorf("the other side's latest packet is not answered, but %v", origin)
	}
	late := wire.Header{Origin: 200, Receive: 14, Transmit: 12}
	if got := s.Receive(&late, 6); got != Duplicate {
		t.Errorf("an answer that was overtaken: got %v", got)
	}
	if origin, _, _ := s.Answer(); origin != 17 {
		t.Errorf("it is answered: %v", origin)
	}
}

func TestPrecision(t *testing.T) {
	for d, want := range map[time.Duration]ntptime.Exponent{0: -22, 200: -22, time.Microsecond: -19, time.Millisecond: -9, time.Second: 0, time.Hour: 0} {
		if got := Precision(d); got != want {
			t.Errorf("%v: got %v, want %v", d, got, want)
		}
	}
}

func TestBlur(t *testing.T) {
	const stamp = 0x0123456789abcdef
	for precision, want := range map[ntptime.Exponent]ntptime.Timestamp{
		-22: 0x0123456789abcfff, -31: 0x0123456789abcdef, 0: 0x01234567ffffffff, -128: 0x0123456789abcdef, 32: 0x01234567ffffffff,
	} {
		if got := Blur(stamp, precision, ^ntptime.Timestamp(0)); got != want {
			t.Errorf("%v: got %x, want %x", precision, got, want)
		}
		if got := Blur(stamp, precision, 0); got > stamp || stamp-got >= 1<<32 {
			t.Errorf("%v: got %x", precision, got)
		}
	}
}

func TestInterval(t *testing.T) {
	const d = 10 * time.Second
	for _, c := range []struct {
		name         string
		elapsed      time.Duration
		ours, theirs uint8
		want         time.Duration
	}{
		{"we are nearer, it has not spoken yet", 2 * time.Second, 2, 3, 11 * time.Second},
		{"we are nearer, it has just spoken", 9500 * time.Millisecond, 2, 3, d},
		{"it is nearer", 9500 * time.Millisecond, 3, 2, d},
		{"equals, halfway", 5 * time.Second, 2, 2, d},
		{"equals, too close to us", 8 * time.Second, 2, 2, 11 * time.Second},
		{"equals, just after us", time.Second, 2, 2, d},
		{"it is not synchronised", time.Second, 2, 0, 11 * time.Second},
		{"we are not", time.Second, 0, 2, d},
		{"neither is", 8 * time.Second, 0, 16, 11 * time.Second},
	} {
		if got := interval(d, c.elapsed, c.ours, c.theirs); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

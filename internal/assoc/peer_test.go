package assoc

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/mac"
	"ntsd/internal/ntptime"
	"ntsd/internal/wire"
)

// peerSide is one end of a symmetric association in virtual time.
type peerSide struct {
	a      *Assoc
	env    Env
	addr   netip.AddrPort
	offset time.Duration // of its wall clock from true time
	rate   clock.Rate    // of its oscillator against true time
	known  bool          // it knows that rate
	header wire.Header   // what it says of its clock
	sent   event.Stamp
	worst  time.Duration // error of its samples
	good   int
}

// peerWorld is two of them and what is between.
type peerWorld struct {
	t       *testing.T
	rng     *rand.Rand
	sides   [2]*peerSide
	now     time.Duration // true time
	loss    float64
	attack  func(from int, data []byte) [][]byte // what arrives ahead of a packet
	flying  []flight
	packets [2]int
}

type flight struct {
	at   time.Duration
	to   int
	data []byte
}

const (
	peerEpoch = clock.Wall(1_798_704_000_000_000_000)
	peerDelay = 5 * time.Millisecond
)

// reading is what a side's clocks show at true time t: the oscillator runs at
// 1-rate, so that rate is the correction it needs.
func (s *peerSide) reading(t time.Duration) clock.Reading {
	return clock.Reading{Mono: clock.Mono(1e9 + t - s.rate.Over(t)), Wall: peerEpoch.Add(t + s.offset)}
}

func newPeerWorld(t *testing.T, seed uint64, key *mac.Secret, poll ntptime.Exponent) *peerWorld {
	w := &peerWorld{t: t, rng: rand.New(rand.NewPCG(seed, 4))}
	for i := range w.sides {
		s := &peerSide{
			addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + i)}), 123), known: true,
			rate:   clock.RatePPM(float64(20 - 60*i)),
			header: wire.Header{Stratum: 2, Precision: -20, ReferenceID: wire.ReferenceID{198, 51, 100, 1}},
		}
		s.env = Env{Rand: w, Self: func(now clock.Reading) wire.Header {
			h := s.header
			h.ReferenceTime = ntptime.FromWall(now.Wall) - 1<<36
			return h
		}}
		w.sides[i] = s
	}
	for i, s := range w.sides {
		s.a = New(Config{
			ID: event.SourceID(1 + i), Addr: w.sides[1-i].addr.Addr(), Port: 123, LocalPort: 123, Key: key, MinPoll: poll, MaxPoll: poll,
		}, &s.env, s.reading(0))
	}
	return w
}

func (w *peerWorld) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(w.rng.Uint32())
	}
	return len(b), nil
}

// run lets true time pass, a tenth of a second at a time.
func (w *peerWorld) run(d time.Duration) {
	for end := w.now + d; w.now < end; w.now += 100 * time.Millisecond {
		for i := 0; i < len(w.flying); {
			if f := w.flying[i]; f.at <= w.now {
				w.flying = slices.Delete(w.flying, i, i+1)
				w.deliver(f)
				continue
			}
			i++
		}
		for i, s := range w.sides {
			now := s.reading(w.now)
			if s.known {
				s.env.Rate, s.env.RateSD = s.rate, clock.RatePPM(0.1)
			}
			if now.Mono >= s.a.NextDeadline() {
				w.perform(i, s.a.HandleTimer(now, nil))
			}
		}
	}
}

func (w *peerWorld) perform(from int, actions []event.Action) {
	s := w.sides[from]
	for _, a := range actions {
		switch a := a.(type) {
		case event.Send:
			if a.LocalPort != 123 || a.To != w.sides[1-from].addr {
				w.t.Fatalf("got %+v", a)
			}
			s.sent = event.Stamp{At: s.reading(w.now).Mono, Kind: event.StampKernel}
			w.packets[from]++
			if w.attack != nil {
				for _, data := range w.attack(from, a.Data) {
					w.flying = append(w.flying, flight{w.now + peerDelay, 1 - from, data})
				}
			}
			if w.rng.Float64() >= w.loss {
				w.flying = append(w.flying, flight{w.now + peerDelay, 1 - from, a.Data})
			}
		case event.CloseSocket:
			w.t.Errorf("side %d stops to listen", from)
		}
	}
}

func (w *peerWorld) deliver(f flight) {
	s := w.sides[f.to]
	at := s.reading(f.at)
	out, v := s.a.HandleReceived(s.reading(w.now), event.Received{
		Source: s.a.ID(), From: w.sides[1-f.to].addr, Local: s.addr.Addr(), Sent: s.sent,
		Received: event.Stamp{At: at.Mono, Kind: event.StampKernel}, Data: f.data,
	}, nil)
	w.perform(f.to, out)
	if v == VerdictAccepted {
		s.good++
		want := w.sides[1-f.to].offset - s.offset
		x := s.a.Last()
		s.worst = max(s.worst, (x.Offset.Duration() - want).Abs(), (x.Delay - 2*peerDelay).Abs())
	}
}

func peerKey() *mac.Secret {
	return &mac.Secret{ID: 3, Type: mac.AES128, Value: []byte("0123456789abcdef")}
}

// TestPeersMeasureEachOther: two symmetric associations find each other's offset
// and the delay, once per poll, however long lies between their packets; one of
// their oscillators is 60 ppm off the other.
func TestPeersMeasureEachOther(t *testing.T) {
	for _, c := range []struct {
		name  string
		strat [2]uint8
		key   *mac.Secret
		loss  float64
	}{
		{"equals", [2]uint8{2, 2}, peerKey(), 0},
		{"without a key", [2]uint8{2, 2}, nil, 0},
		{"one is nearer", [2]uint8{2, 3}, peerKey(), 0},
		{"lossy", [2]uint8{2, 2}, peerKey(), 0.2},
	} {
		for seed := range uint64(5) {
			t.Run(fmt.Sprint(c.name, " seed ", seed), func(t *testing.T) {
				w := newPeerWorld(t, seed, c.key, 6)
				w.sides[0].header.Stratum, w.sides[1].header.Stratum = c.strat[0], c.strat[1]
				w.sides[0].offset, w.sides[1].offset, w.loss = 300*time.Millisecond, -time.Hour, c.loss
				w.run(2 * time.Hour)
				for i, s := range w.sides {
					least := w.packets[i] * 9 / 10
					if c.loss > 0 {
						least = w.packets[i] / 3
					}
					if s.good < least || w.packets[i] < 90 || w.packets[i] > 120 {
						t.Errorf("side %d: %d samples of %d packets", i, s.good, w.packets[i])
					}
					// The precision in the packets, and a tenth of a ppm of a poll interval.
					if s.worst > 20*time.Microsecond {
						t.Errorf("side %d: a sample is off by %v", i, s.worst)
					}
					if s.a.Authenticated() != (c.key != nil) || s.a.Last().Header.Mode != wire.ModeSymmetricActive {
						t.Errorf("side %d: authenticated %v, mode %v", i, s.a.Authenticated(), s.a.Last().Header.Mode)
					}
				}
				if c.loss == 0 && w.sides[0].a.Reach() != 0xff {
					t.Errorf("reach %o", w.sides[0].a.Reach())
				}
			})
		}
	}
}

// TestPeersKeepPace: the two send equally often, as often as the one that wants
// it more, but not more often than the other allows.
func TestPeersKeepPace(t *testing.T) {
	w := newPeerWorld(t, 1, peerKey(), 8)
	s := w.sides[1]
	s.a = New(Config{ID: 2, Addr: w.sides[0].addr.Addr(), Port: 123, LocalPort: 123, Key: peerKey(), MinPoll: 4, MaxPoll: 4}, &s.env, s.reading(0))
	w.sides[0].a = New(Config{ID: 1, Addr: s.addr.Addr(), Port: 123, LocalPort: 123, Key: peerKey(), MinPoll: 5, MaxPoll: 8}, &w.sides[0].env, w.sides[0].reading(0))
	w.run(time.Hour)
	if a, b := w.packets[0], w.packets[1]; a < 95 || a > 120 || b < 200 || b > 240 {
		t.Errorf("%d and %d packets, want about one in 32 and in 16 s", a, b)
	}
}

// TestPeersUnderAttack: on the path somebody changes, repeats, reflects and
// invents packets. With a key nothing of it is measured.
func TestPeersUnderAttack(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := newPeerWorld(t, seed, peerKey(), 6)
			var seen [2][][]byte
			w.attack = func(from int, data []byte) [][]byte {
				forged := slices.Clone(data)
				forged[32+w.rng.IntN(16)] ^= byte(1 + w.rng.IntN(255)) // of receive or transmit timestamp
				out := [][]byte{forged, data[:wire.HeaderLen]}
				for _, s := range seen {
					if len(s) > 0 {
						out = append(out, s[w.rng.IntN(len(s))])
					}
				}
				seen[from] = append(seen[from], data)
				return out
			}
			w.run(2 * time.Hour)
			for i, s := range w.sides {
				if s.good < w.packets[i]*9/10 || s.worst > 20*time.Microsecond {
					t.Errorf("side %d: %d samples of %d packets, off by %v", i, s.good, w.packets[i], s.worst)
				}
				names := ""
				for _, v := range s.a.Counters().Verdicts {
					names += v.Name + "; "
				}
				t.Logf("side %d: %s", i, names)
			}
		})
	}
}

// TestPeerVerdicts: what is no packet of a peer has no effect.
func TestPeerVerdicts(t *testing.T) {
	other := *peerKey()
	other.Value = []byte("fedcba9876543210")
	for _, c := range []struct {
		name string
		want Verdict
		edit func(*wire.Header, *event.Received)
		key  *mac.Secret
	}{
		{"answer", VerdictAccepted, nil, peerKey()},
		{"passive", VerdictAccepted, func(h *wire.Header, _ *event.Received) { h.Mode = wire.ModeSymmetricPassive }, peerKey()},
		{"version 3", VerdictAccepted, func(h *wire.Header, _ *event.Received) { h.Version = 3 }, peerKey()},
		{"a client's request", VerdictMode, func(h *wire.Header, _ *event.Received) { h.Mode = wire.ModeClient }, peerKey()},
		{"a server's reply", VerdictMode, func(h *wire.Header, _ *event.Received) { h.Mode = wire.ModeServer }, peerKey()},
		{"a broadcast", VerdictMode, func(h *wire.Header, _ *event.Received) { h.Mode = wire.ModeBroadcast }, peerKey()},
		{"version 5", VerdictVersion, func(h *wire.Header, _ *event.Received) { h.Version = 5 }, peerKey()},
		{"another address", VerdictAddress, func(_ *wire.Header, e *event.Received) { e.From = netip.MustParseAddrPort("192.0.2.9:123") }, peerKey()},
		{"another port", VerdictAddress, func(_ *wire.Header, e *event.Received) { e.From = netip.MustParseAddrPort("192.0.2.2:124") }, peerKey()},
		{"without MAC", VerdictUnsigned, nil, nil},
		{"another key", VerdictMAC, nil, &other},
		{"another packet's answer", VerdictOrigin, func(h *wire.Header, _ *event.Received) { h.Origin++ }, peerKey()},
		{"no receive timestamp", VerdictTimestamp, func(h *wire.Header, _ *event.Received) { h.Receive = 0 }, peerKey()},
		{"not synchronised", VerdictUnsynchronised, func(h *wire.Header, _ *event.Received) { h.Leap, h.Stratum = wire.LeapUnknown, 0 }, peerKey()},
		{"synchronised to us", VerdictLoop, func(h *wire.Header, _ *event.Received) { h.ReferenceID = wire.ReferenceID{192, 0, 2, 1} }, peerKey()},
	} {
		w := newPeerWorld(t, 1, peerKey(), 6)
		w.loss = 1
		w.run(time.Second)
		s := w.sides[0]
		asked := s.a.request
		if asked.id == 0 {
			t.Fatal("nothing was sent")
		}
		at := ntptime.FromWall(s.reading(w.now).Wall)
		h := wire.Header{Version: 4, Mode: wire.ModeSymmetricActive, Stratum: 3, Poll: 6, Precision: -20, Origin: asked.transmit, Receive: at, Transmit: at + 1<<20}
		ev := event.Received{
			Source: 1, From: w.sides[1].addr, Local: s.addr.Addr(), Sent: s.sent,
			Received: event.Stamp{At: s.sent.At.Add(2 * peerDelay), Kind: event.StampKernel},
		}
		if c.edit != nil {
			c.edit(&h, &ev)
		}
		ev.Data = h.Append(nil)
		if c.key != nil {
			ev.Data = newKey(c.key).Append(ev.Data)
		}
		if _, v := s.a.HandleReceived(s.reading(w.now), ev, nil); v != c.want {
			t.Errorf("%s: got %v, want %v", c.name, v, c.want)
		}
		if got := s.a.Last().Valid; got != (c.want == VerdictAccepted || c.want == VerdictUnsynchronised || c.want == VerdictLoop) {
			t.Errorf("%s: it has an effect: %v", c.name, got)
		}
	}
}

// TestPeerListens: the socket of a peer is opened anew when nothing comes, and
// closed when the association ends or goes offline; bursts are a client's.
func TestPeerListens(t *testing.T) {
	w := newPeerWorld(t, 1, nil, 6)
	w.loss = 1
	s := w.sides[0]
	var fresh []bool
	closed := 0
	step := func(out []event.Action) {
		for _, a := range out {
			switch a := a.(type) {
			case event.Send:
				fresh = append(fresh, a.Fresh)
			case event.CloseSocket:
				closed++
			}
		}
	}
	s.a.Burst(s.reading(0), 4, 4)
	for w.now = 0; w.now < 150*time.Second; w.now += time.Second {
		step(s.a.HandleTimer(s.reading(w.now), nil))
	}
	if !slices.Equal(fresh, []bool{false, true, true}) || closed != 0 {
		t.Errorf("got %v, closed %d times", fresh, closed)
	}
	step(s.a.SetOnline(s.reading(w.now), false, nil))
	if closed != 1 {
		t.Errorf("offline: closed %d times", closed)
	}
	step(s.a.SetOnline(s.reading(w.now), true, nil))
	step(s.a.HandleTimer(s.reading(w.now+time.Second), nil))
	step(s.a.Close(nil))
	if closed != 2 || len(fresh) != 4 {
		t.Errorf("ended: closed %d times, %d packets", closed, len(fresh))
	}
}

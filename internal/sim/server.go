package sim

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/nts"
	"ntsd/internal/server"
	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

// Delay is how long packets of one direction take.
type Delay struct {
	Base  time.Duration
	Queue time.Duration // mean of an exponential part, or deviation of a normal one
	Gauss bool
	Extra func(t Instant) time.Duration // added at departure; may be nil
}

// draw returns the delay of one packet that leaves at t.
func (d *Delay) draw(t Instant, rng *rand.Rand) time.Duration {
	part := rng.ExpFloat64()
	if d.Gauss {
		part = rng.NormFloat64()
	}
	delay := d.Base + time.Duration(part*float64(d.Queue))
	if d.Extra != nil {
		delay += d.Extra(t)
	}
	return max(delay, 0)
}

// Server is one simulated NTP server with the path to it.
type Server struct {
	Addr     netip.Addr
	To, Back Delay
	Loss     float64 // of requests
	// Error is what the server's clock is wrong by at t; nil: it is right.
	Error func(t Instant) clock.Offset
	// Dead says when it does not answer; nil: it always does.
	Dead func(t Instant) bool
	NTS  bool
}

// station is a server at work.
type station struct {
	Server
	world  *World
	rng    *rand.Rand
	random io.Reader
	core   *server.Server
	ring   *nts.Keyring
}

func newStation(s Server, w *World, seed, index uint64) (*station, error) {
	random := newRandom(seed, index+1)
	st := &station{Server: s, world: w, rng: rand.New(rand.NewPCG(seed, index)), random: random}
	cfg := server.Config{Rand: random}
	if s.NTS {
		key := nts.CookieKey{ID: 1}
		if _, err := io.ReadFull(random, key.Key[:]); err != nil {
			return nil, fmt.Errorf("sim: cookie key: %w", err)
		}
		ring, err := nts.NewKeyring(key)
		if err != nil {
			return nil, fmt.Errorf("sim: cookie key: %w", err)
		}
		st.ring, cfg.Cookies = ring, ring
	}
	st.core = server.New(cfg)
	return st, nil
}

// now is what the server's clock shows at t.
func (s *station) now(t Instant) clock.Wall {
	w := s.world.truth(t)
	if s.Error != nil {
		w = w.Add(s.Error(t).Duration())
	}
	return w
}

// answer returns the reply to a request that arrives at t; ok is false when
// there is none.
func (s *station) answer(data []byte, from netip.AddrPort, t Instant) (reply []byte, ok bool) {
	if s.Dead != nil && s.Dead(t) {
		return nil, false
	}
	now := s.now(t)
	req := server.Request{Data: data, From: from, Local: s.Addr, Received: now}
	reply, verdict := s.core.Reply(nil, req, now, server.System{
		Leap: s.world.leap(t), Stratum: 1, Precision: -29,
		ReferenceID:   wire.ReferenceID{'S', 'I', 'M'},
		ReferenceTime: now.Add(-time.Second),
	})
	return reply, verdict.Replies()
}

// establish is the server's half of a key establishment that ends at t.
func (s *station) establish(ev event.StartKE, t Instant) event.KEDone {
	done := event.KEDone{Source: ev.Source, Attempt: ev.Attempt}
	if s.ring == nil || s.Dead != nil && s.Dead(t) || len(ev.AEADs) == 0 {
		done.Failure, done.Reason = nts.FailureNetwork, "connection refused"
		return done
	}
	alg := ev.AEADs[0]
	keys := make([]byte, 2*alg.KeySize())
	if _, err := io.ReadFull(s.random, keys); err != nil {
		panic(err) // our own generator cannot fail
	}
	now := s.now(t)
	session := nts.Session{
		KEName: ev.Name, KEAddr: ev.Addr, KEPort: ev.Port,
		NTPAddr: netip.AddrPortFrom(s.Addr, ntpPort),
		AEAD:    alg, C2S: keys[:alg.KeySize()], S2C: keys[alg.KeySize():],
		Established: now, NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(24 * time.Hour),
		Strict: !ev.Verify.Tentative,
	}
	for range nts.MaxCookies {
		session.AddCookies([][]byte{s.cookie(alg, session)})
	}
	done.Session = session
	done.Info = event.KEInfo{TLSVersion: "1.3", NotBefore: session.NotBefore, NotAfter: session.NotAfter}
	return done
}

func (s *station) cookie(alg siv.Algorithm, session nts.Session) []byte {
	var nonce [nts.CookieNonceLen]byte
	if _, err := io.ReadFull(s.random, nonce[:]); err != nil {
		panic(err) // our own generator cannot fail
	}
	return s.ring.Seal(nil, alg, session.C2S, session.S2C, nonce)
}

// newRandom returns an endless reader that seed and stream decide.
func newRandom(seed, stream uint64) io.Reader {
	var key [32]byte
	for i := range 8 {
		key[i], key[8+i] = byte(seed>>(8*i)), byte(stream>>(8*i))
	}
	return rand.NewChaCha8(key)
}

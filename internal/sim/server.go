package sim

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/mac"
	"ntsd/internal/ntptime"
	"ntsd/internal/nts"
	"ntsd/internal/server"
	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

// Server is one simulated NTP server with the path to it.
type Server struct {
	// Addr is where it is at first; at each of Moves it goes to the next
	// address, and its name follows. Without a name it is asked by its address.
	Addr     netip.Addr
	Name     string
	Moves    []Instant
	To, Back Delay
	// Reply is how long a reply takes from its transmit timestamp to the network;
	// in interleaved mode the next one tells it. Basic: it has no such mode.
	Reply Delay
	Basic bool
	// Loss and LossBack are the shares of requests and replies that get lost.
	Loss, LossBack float64
	MaxLength      int    // bytes of NTP that the way lets through; 0: all
	Error          []Term // what its clock is wrong by, in seconds (positive: ahead)
	Dead           []When // it does not answer
	Unsynchronised []When // it says so
	Attack         Attack
	NTS            bool
	Key            *mac.Secret // symmetric key that it has; nil: none
	NoKE           []When      // key establishments fail
	Rekeys         []Instant   // it forgets its cookie keys
	Resolution     time.Duration
	Stratum        uint8      // 0: 1
	Leap           event.Leap // announced whatever is true, if it is not LeapNone
}

// honest reports whether the server's clock is always right, and can be read.
func (s *Server) honest() bool {
	return len(s.Error) == 0 && s.Attack.Tampers == 0 && s.To.fixed() == s.Back.fixed()
}

// address returns where the server is at t.
func (s *Server) address(t Instant) netip.Addr {
	a := s.Addr
	for _, m := range s.Moves {
		if t >= m {
			a = a.Next()
		}
	}
	return a
}

// fewClients are more than a world has.
const fewClients = 64

// station is a server at work.
type station struct {
	Server
	world    *World
	clients  *server.Clients // its memory for interleaved mode
	own      *link           // from the transmit timestamp to the network
	rng      *rand.Rand
	random   io.Reader
	to, back *link
	errors   *errorModel
	core     *server.Server
	ring     *nts.Keyring
	rekeyed  int    // how many of Rekeys have happened
	last     []byte // reply before this one, for an attacker
}

func newStation(s Server, w *World, index uint64) (*station, error) {
	rng := rand.New(rand.NewPCG(w.Seed, index))
	st := &station{
		Server: s, world: w, rng: rng, random: newRandom(w.Seed, index+1),
		to: newLink(s.To, rng), back: newLink(s.Back, rng), own: newLink(s.Reply, rng),
		errors: newErrorModel(s.To, s.Back, Instant(w.Duration), w.Seed),
	}
	return st, st.start()
}

// start gives the server new cookie keys.
func (s *station) start() error {
	cfg := server.Config{Rand: s.random}
	if s.NTS {
		key := nts.CookieKey{ID: uint32(s.rekeyed + 1)}
		if _, err := io.ReadFull(s.random, key.Key[:]); err != nil {
			return fmt.Errorf("sim: cookie key: %w", err)
		}
		ring, err := nts.NewKeyring(key)
		if err != nil {
			return fmt.Errorf("sim: cookie key: %w", err)
		}
		s.ring, cfg.Cookies = ring, ring
	}
	if s.Key != nil {
		cfg.Keys = mac.NewRing([]mac.Secret{*s.Key})
	}
	cfg.Policy = &server.Policy{Interleaved: !s.Basic}
	s.core, s.clients = server.New(cfg), server.NewClients(fewClients, server.Seed{1, 2})
	return nil
}

// present brings the server's keys up to t.
func (s *station) present(t Instant) {
	for s.rekeyed < len(s.Rekeys) && t >= s.Rekeys[s.rekeyed] {
		s.rekeyed++
		if err := s.start(); err != nil {
			panic(err) // our own generator cannot fail
		}
	}
}

// now is what the server's clock shows at t.
func (s *station) now(t Instant) clock.Wall {
	w := s.world.truth(t).Add(clock.OffsetSeconds(sum(s.Error, t)).Duration())
	if r := clock.Wall(s.Resolution); r > 1 {
		w -= w % r
	}
	return w
}

// answer returns the reply to a request that arrives at t, and when it leaves;
// ok is false when there is none.
func (s *station) answer(to netip.Addr, data []byte, from netip.AddrPort, t Instant) (reply []byte, left Instant, ok bool) {
	if to != s.address(t) || holdsAny(s.Dead, t) {
		return nil, t, false
	}
	s.present(t)
	now := s.now(t)
	req := server.Request{Data: data, From: from, Local: to, Received: now, At: clock.Mono(t), Clients: s.clients}
	reply, verdict := s.core.Reply(nil, req, now, s.system(t, now))
	left = t + Instant(s.own.draw(t, 0))
	if h, err := wire.ParseHeader(reply); err == nil {
		s.clients.Sent(from.Addr(), h.Receive, ntptime.FromWall(s.now(left)))
	}
	return reply, left, verdict.Replies()
}

// system is what the server says of itself.
func (s *station) system(t Instant, now clock.Wall) server.System {
	sys := server.System{
		Leap: s.world.leap(t), Stratum: max(s.Stratum, 1), Precision: precision(s.Resolution),
		ReferenceID:   wire.ReferenceID{'S', 'I', 'M'},
		ReferenceTime: now.Add(-time.Second),
	}
	if s.Leap != event.LeapNone {
		sys.Leap = s.Leap
	}
	if holdsAny(s.Unsynchronised, t) {
		sys.Leap, sys.Stratum = event.LeapUnsynchronised, 0
	}
	return sys
}

// precision is the power of two of seconds that covers a resolution.
func precision(resolution time.Duration) ntptime.Exponent {
	e := ntptime.Exponent(-29)
	for e.Duration() < resolution {
		e++
	}
	return e
}

// establish is the server's half of a key establishment that ends at t.
func (s *station) establish(ev event.StartKE, t Instant) event.KEDone {
	done := event.KEDone{Source: ev.Source, Attempt: ev.Attempt}
	s.present(t)
	if s.ring == nil || holdsAny(s.Dead, t) || holdsAny(s.NoKE, t) || ev.Addr != s.address(t) || len(ev.AEADs) == 0 {
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
		NTPAddr: netip.AddrPortFrom(ev.Addr, ntpPort),
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

package probe

import (
	"context"
	"crypto/rand"
	"net/netip"
	"os"
	"sync"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/ntptime"
	"ntsd/internal/nts"
	"ntsd/internal/server"
	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

// world is a server of the real kind behind a network of the test's choice. It
// is its own resolver, key exchanger and clock. Under synctest its time is the
// bubble's.
type world struct {
	began time.Time
	addrs []netip.Addr
	hosts map[string][]netip.Addr // more names
	dead  map[netip.Addr]bool     // addresses that refuse

	core *server.Server
	ring *nts.Keyring
	alg  siv.Algorithm
	host string // what the key establishment calls the NTP server
	trip time.Duration
	sys  server.System

	alternate bool // the first pair of keys is wrong, the second right

	// path says what becomes of a request, the server's reply to it, or both;
	// nil: they pass.
	path func(request, reply []byte) []byte

	mu       sync.Mutex
	requests [][]byte
	kes      int
}

const (
	ahead    = 5 * time.Millisecond // the server's clock, before ours
	halfTrip = 2 * time.Millisecond
)

func newRing() *nts.Keyring {
	var key nts.CookieKey
	rand.Read(key.Key[:])
	ring, err := nts.NewKeyring(key)
	if err != nil {
		panic(err) // one key is always a ring
	}
	return ring
}

func newWorld() *world {
	ring := newRing()
	w := &world{
		began: time.Now(), addrs: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, ring: ring, alg: siv.AESSIVCMAC256,
		core: server.New(server.Config{Rand: rand.Reader}), trip: 2 * halfTrip,
		sys: server.System{Stratum: 2, Precision: -20, ReferenceID: wire.ReferenceID{10, 0, 0, 1}, RootDelay: 10 * time.Millisecond, RootDispersion: 3 * time.Millisecond},
	}
	w.core.SetCookies(ring)
	return w
}

func (w *world) prober() *Prober {
	return &Prober{Clock: w, Resolver: w, KE: w, Network: w, Rand: rand.Reader}
}

func (w *world) Read() clock.Reading {
	return clock.Reading{Mono: clock.Mono(time.Since(w.began)), Wall: clock.WallTime(time.Now())}
}

func (w *world) Resolve(_ context.Context, r event.Resolve) event.Resolved {
	if r.Name == "time.example" {
		return event.Resolved{Addrs: w.addrs}
	}
	return event.Resolved{Addrs: w.hosts[r.Name], Reason: "no such host"}
}

func (w *world) Exchange(_ context.Context, ke event.StartKE, _ Target, trace *event.KETrace) event.KEDone {
	w.kes++
	if w.dead[ke.Addr] {
		return event.KEDone{Failure: nts.FailureNetwork, Reason: "refused the connection"}
	}
	*trace = event.KETrace{Connect: time.Millisecond, Handshake: 2 * time.Millisecond, TLSVersion: "TLS 1.3", Verified: true, Chain: []event.Certificate{{Subject: "leaf"}, {Subject: "above"}}}
	s := nts.Session{AEAD: w.alg, C2S: make([]byte, w.alg.KeySize()), S2C: make([]byte, w.alg.KeySize()), NTPAddr: netip.AddrPortFrom(ke.Addr, 123)}
	rand.Read(s.C2S)
	rand.Read(s.S2C)
	for range nts.MaxCookies {
		var nonce [nts.CookieNonceLen]byte
		rand.Read(nonce[:])
		s.Cookies = append(s.Cookies, w.ring.Seal(nil, w.alg, s.C2S, s.S2C, nonce))
	}
	if w.alternate {
		s.AltC2S, s.AltS2C = s.C2S, s.S2C
		s.C2S, s.S2C = make([]byte, w.alg.KeySize()), make([]byte, w.alg.KeySize())
	}
	if w.host != "" {
		s.NTPAddr = netip.AddrPortFrom(netip.Addr{}, 1123)
	}
	return event.KEDone{Session: s, NTPHost: w.host, Info: event.KEInfo{Duration: 5 * time.Millisecond}}
}

func (w *world) Open(s event.Send) (Socket, error) {
	return &socket{world: w, to: s.To, replies: make(chan []byte, 1), closed: make(chan struct{})}, nil
}

// socket is one exchange with the server.
type socket struct {
	*world
	to      netip.AddrPort
	sent    clock.Mono
	replies chan []byte
	closed  chan struct{}
	once    sync.Once
}

func (s *socket) Send(data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, data)
	s.sent = s.Read().Mono
	reply := s.answer(data)
	if s.path != nil {
		reply = s.path(data, reply)
	}
	if len(reply) > 0 && !s.dead[s.to.Addr()] {
		time.AfterFunc(s.trip, func() { s.replies <- reply })
	}
	return nil
}

// answer is the server's reply, if there is one.
func (w *world) answer(data []byte) []byte {
	there := clock.WallTime(time.Now()).Add(ahead + halfTrip)
	reply, _ := w.core.Reply(nil, server.Request{Data: data, From: netip.MustParseAddrPort("198.51.100.1:5000"), Received: there}, there, w.sys)
	return reply
}

func (s *socket) Receive(buf []byte) (n int, sent, received event.Stamp, err error) {
	select {
	case reply := <-s.replies:
		return copy(buf, reply), event.Stamp{At: s.sent, Kind: event.StampKernel}, event.Stamp{At: s.Read().Mono, Kind: event.StampKernel}, nil
	case <-s.closed:
		return 0, sent, received, os.ErrClosed
	}
}

func (s *socket) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// withHeader changes the header of a plain reply.
func withHeader(reply []byte, edit func(*wire.Header)) []byte {
	hdr, err := wire.ParseHeader(reply)
	if err != nil {
		return nil
	}
	edit(&hdr)
	return hdr.Append(nil)
}

// forged changes the time in a reply, as an attacker would.
func forged(_, reply []byte) []byte {
	return append(withHeader(reply, func(h *wire.Header) { h.Transmit += ntptime.Timestamp(1) << 32 }), reply[wire.HeaderLen:]...)
}

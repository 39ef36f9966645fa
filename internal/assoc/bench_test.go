package assoc

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/ntptime"
	"ntsd/internal/nts"
	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

const epoch = clock.Wall(1_800_000_000_000_000_000)

// source makes a seeded generator an io.Reader.
type source struct{ rng *rand.Rand }

func (s source) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(s.rng.Uint32())
	}
	return len(b), nil
}

// bench is an association on a bench: one server that speaks real packets, and
// every step in the hands of the test.
type bench struct {
	t    *testing.T
	rand source
	env  *Env
	a    *Assoc
	now  clock.Reading
	out  []event.Action // since the last clear
	ring *nts.Keyring
	sent []event.Send // all of them

	strict              bool // of the keys to come
	notBefore, notAfter clock.Wall
}

func newBench(t *testing.T, cfg Config) *bench {
	t.Helper()
	rnd := source{rand.New(rand.NewPCG(1, 2))}
	b := &bench{t: t, rand: rnd, env: &Env{Rand: rnd}, now: clock.Reading{Mono: 1e9, Wall: epoch}}
	b.rekey(1)
	cfg.ID, cfg.Name, cfg.Addr, cfg.Port = 7, "a.test", netip.MustParseAddr("192.0.2.1"), 123
	if cfg.MaxPoll == 0 {
		cfg.MinPoll, cfg.MaxPoll = 6, 10
	}
	if cfg.NTS {
		cfg.KEPort = 4460
		if cfg.AEADs == nil {
			cfg.AEADs = []siv.Algorithm{siv.AESSIVCMAC256}
		}
	}
	b.a = New(cfg, b.env, b.now)
	return b
}

// rekey gives the server another cookie key.
func (b *bench) rekey(id uint32) {
	ring, err := nts.NewKeyring(nts.CookieKey{ID: id, Key: [nts.CookieKeyLen]byte{byte(id)}})
	if err != nil {
		b.t.Fatal(err)
	}
	b.ring = ring
}

func (b *bench) pass(d time.Duration) {
	b.now = clock.Reading{Mono: b.now.Mono.Add(d), Wall: b.now.Wall.Add(d)}
}

func (b *bench) take(out []event.Action) {
	b.out = append(b.out, out...)
	for _, a := range out {
		if s, ok := a.(event.Send); ok {
			b.sent = append(b.sent, s)
		}
	}
}

// poll waits for the next request and returns it.
func (b *bench) poll() event.Send {
	b.t.Helper()
	n := len(b.sent)
	for range 20 {
		next := b.a.NextDeadline()
		if next == clock.Never {
			break
		}
		b.pass(max(0, next.Sub(b.now.Mono)))
		b.take(b.a.HandleTimer(b.now, nil))
		if len(b.sent) > n {
			return b.sent[n]
		}
	}
	b.t.Fatal("no request")
	return event.Send{}
}

// header is a good reply to a request.
func (b *bench) header(req event.Send) wire.Header {
	h, err := wire.ParseHeader(req.Data)
	if err != nil {
		b.t.Fatal(err)
	}
	at := ntptime.FromWall(b.now.Wall.Add(5 * time.Millisecond))
	return wire.Header{
		Version: 4, Mode: wire.ModeServer, Stratum: 2, Precision: -20,
		ReferenceID: wire.ReferenceID{198, 51, 100, 1}, ReferenceTime: at - 1<<36,
		Origin: h.Transmit, Receive: at, Transmit: at,
	}
}

// authentic seals a reply to an NTS request, or answers with a NAK.
func (b *bench) authentic(req event.Send, h wire.Header) []byte {
	r, err := nts.ParseServerRequest(req.Data)
	if err != nil {
		b.t.Fatal(err)
	}
	var keys nts.Keys
	if b.ring.Open(r.Cookie, &keys) != nil {
		return nts.AppendKiss(nil, h, &r, wire.KissNTSN)
	}
	c2s, _ := siv.New(keys.Algorithm, keys.C2S())
	if err := r.Verify(c2s, nil); err != nil {
		return nts.AppendKiss(nil, h, &r, wire.KissNTSN)
	}
	var cookies []byte
	for range r.MaxNewCookies() {
		cookies = b.cookie(cookies, keys.Algorithm, keys.C2S(), keys.S2C())
	}
	s2c, _ := siv.New(keys.Algorithm, keys.S2C())
	nonce := make([]byte, keys.Algorithm.NonceSize())
	b.rand.Read(nonce)
	return nts.AppendServerResponse(nil, h, &r, cookies, s2c, nonce)
}

func (b *bench) cookie(dst []byte, alg siv.Algorithm, c2s, s2c []byte) []byte {
	var nonce [nts.CookieNonceLen]byte
	b.rand.Read(nonce[:])
	return b.ring.Seal(dst, alg, c2s, s2c, nonce)
}

// establish answers the last StartKE.
func (b *bench) establish() {
	b.t.Helper()
	ke := last[event.StartKE](b)
	alg := ke.AEADs[0]
	n := nts.Session{Strict: b.strict, NotBefore: b.notBefore, NotAfter: b.notAfter, AEAD: alg, C2S: make([]byte, alg.KeySize()), S2C: make([]byte, alg.KeySize())}
	b.rand.Read(n.C2S)
	b.rand.Read(n.S2C)
	for range nts.MaxCookies {
		n.Cookies = append(n.Cookies, b.cookie(nil, alg, n.C2S, n.S2C))
	}
	b.pass(50 * time.Millisecond)
	b.take(b.a.HandleKEDone(b.now, event.KEDone{Source: ke.Source, Attempt: ke.Attempt, Session: n}, nil))
}

// reply delivers a datagram 10 ms after its request was sent.
func (b *bench) reply(req event.Send, data []byte) Verdict {
	return b.deliver(event.Received{
		Source: 7, Request: req.Request, From: req.To, Local: netip.MustParseAddr("192.0.2.99"),
		Sent:     event.Stamp{At: b.now.Mono, Kind: event.StampKernel},
		Received: event.Stamp{At: b.now.Mono.Add(10 * time.Millisecond), Kind: event.StampKernel}, Data: data,
	})
}

func (b *bench) deliver(ev event.Received) Verdict {
	out, v := b.a.HandleReceived(clock.Reading{
		Mono: b.now.Mono.Add(10 * time.Millisecond), Wall: b.now.Wall.Add(10 * time.Millisecond),
	}, ev, nil)
	b.take(out)
	return v
}

// last returns the newest action of a type.
func last[T event.Action](b *bench) T {
	b.t.Helper()
	for i := len(b.out) - 1; i >= 0; i-- {
		if a, ok := b.out[i].(T); ok {
			return a
		}
	}
	var none T
	b.t.Fatalf("no %T among %d actions", none, len(b.out))
	return none
}

// count returns how many actions of a type there are.
func count[T event.Action](b *bench) (n int) {
	for _, a := range b.out {
		if _, ok := a.(T); ok {
			n++
		}
	}
	return n
}

func (b *bench) notices(kind event.NoticeKind) (n int) {
	for _, a := range b.out {
		if x, ok := a.(event.Notice); ok && x.Kind == kind {
			n++
		}
	}
	return n
}

package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/config"
	"ntsd/internal/event"
	"ntsd/internal/nts"
	"ntsd/internal/server"
	"ntsd/internal/siv"
)

// world is everything outside the daemon, in the virtual time of a synctest
// bubble: an oscillator, servers on a constant path, files in memory.
type world struct {
	t     *testing.T
	start time.Time

	mu       sync.Mutex
	line     clock.Line // of the steered clock
	steps    int
	status   event.SetStatus // the latest
	peers    map[netip.AddrPort]*peer
	names    map[string][]netip.Addr
	files    memory
	sent     []sentPacket
	log      *logRecorder
	told     []Announcement
	keyCount uint32

	rateFails error // of Rate
	noRoute   error // to anybody
	noIPv6    bool
	sources   func() (*config.Config, []config.Diagnostic, bool)
	flash     Flash // nil: none
}

// sentPacket is a request as the network saw it, and what the disk held then.
type sentPacket struct {
	data  []byte
	saved []nts.Session
}

// peer is a server: true time plus an offset, behind a path of 2 x 5 ms.
type peer struct {
	offset clock.Offset
	silent bool
	core   *server.Server
	ring   nts.CookieKey
	keRuns int
}

const (
	pathDelay  = 5 * time.Millisecond
	oscillator = 30e-6 // how much the local clock gains
	startError = 250 * time.Millisecond
)

func newWorld(t *testing.T) *world {
	w := &world{
		t: t, start: time.Now(), peers: make(map[netip.AddrPort]*peer),
		names: make(map[string][]netip.Addr), log: &logRecorder{},
	}
	w.line = clock.Line{At: clock.Reading{Wall: w.truth().Add(-startError)}}
	w.files.sessions = make(map[netip.AddrPort]nts.Session)
	return w
}

// truth is the true time. The bubble's clock is the true one.
func (w *world) truth() clock.Wall { return clock.WallTime(time.Now()) }

// mono is the local oscillator: it gains on the truth.
func (w *world) mono() clock.Mono {
	return clock.Mono(float64(time.Since(w.start)) * (1 + oscillator))
}

func (w *world) addPeer(addr string, name string) *peer {
	a := netip.MustParseAddrPort(addr)
	p := &peer{}
	w.newKeys(p)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.peers[a] = p
	if name != "" {
		w.names[name] = append(w.names[name], a.Addr())
	}
	return p
}

// newKeys gives a peer fresh cookie keys: cookies of the old ones earn a NAK.
func (w *world) newKeys(p *peer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keyCount++
	key := nts.CookieKey{ID: w.keyCount}
	key.Key[0] = byte(w.keyCount)
	ring, err := nts.NewKeyring(key)
	if err != nil {
		w.t.Fatal(err)
	}
	p.ring = key
	p.core = server.New(server.Config{Cookies: ring, Rand: chacha(uint64(w.keyCount))})
}

func chacha(seed uint64) *rand.ChaCha8 {
	var s [32]byte
	s[0] = byte(seed)
	return rand.NewChaCha8(s)
}

// Clock.

func (w *world) Read() clock.Reading {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.mono()
	return clock.Reading{Mono: m, Wall: w.line.WallAt(m)}
}

func (w *world) Rate() (clock.Rate, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.line.Rate, w.rateFails
}

func (w *world) SetRate(r clock.Rate) (clock.Rate, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.line = w.line.From(w.mono())
	w.line.Rate = r
	return r, nil
}

func (w *world) Step(o clock.Offset) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.line.At.Wall = w.line.At.Wall.Add(o.Duration())
	w.steps++
	return nil
}

func (w *world) SetStatus(s event.SetStatus) error { w.status = s; return nil }

// requests is how many the network has seen.
func (w *world) requests() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.sent)
}

// wrong is the error of the steered clock now.
func (w *world) wrong() time.Duration { return w.truth().Sub(w.Read().Wall).Duration() }

// Network.

func (w *world) Open(s event.Send) (Socket, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.noRoute != nil {
		return nil, w.noRoute
	}
	if w.noIPv6 && s.To.Addr().Is6() {
		return nil, errors.New("network unreachable")
	}
	return &link{world: w, to: s.To, replies: make(chan reply, 4), closed: make(chan struct{})}, nil
}

type reply struct {
	data    []byte
	arrives time.Time
}

// link is one socket.
type link struct {
	world   *world
	to      netip.AddrPort
	sent    clock.Mono
	replies chan reply
	closed  chan struct{}
	once    sync.Once
}

func (l *link) Send(data []byte) error {
	w := l.world
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent = append(w.sent, sentPacket{slices.Clone(data), w.files.list()})
	l.sent = w.mono()
	p := w.peers[l.to]
	if p == nil || p.silent {
		return nil
	}
	at := w.truth().Add(pathDelay).Add(p.offset.Duration())
	answer, verdict := p.core.Reply(nil, server.Request{
		Data: data, From: netip.MustParseAddrPort("192.0.2.99:40000"), Received: at,
	}, at, server.System{Stratum: 1, Precision: -20, ReferenceTime: at.Add(-time.Minute)})
	if verdict.Replies() {
		l.replies <- reply{answer, time.Now().Add(2 * pathDelay)}
	}
	return nil
}

func (l *link) Receive(buf []byte) (Datagram, error) {
	select {
	case r := <-l.replies:
		select {
		case <-time.After(time.Until(r.arrives)):
		case <-l.closed:
			return Datagram{}, os.ErrClosed
		}
		l.world.mu.Lock()
		defer l.world.mu.Unlock()
		return Datagram{
			Length: copy(buf, r.data), From: l.to, Local: netip.MustParseAddr("192.0.2.99"),
			Sent:     event.Stamp{At: l.sent, Kind: event.StampKernel},
			Received: event.Stamp{At: l.world.mono(), Kind: event.StampKernel},
		}, nil
	case <-l.closed:
		return Datagram{}, os.ErrClosed
	}
}

func (l *link) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// KeyExchanger.

func (w *world) Exchange(ctx context.Context, ke event.StartKE, _ Trust) event.KEDone {
	done := event.KEDone{Source: ke.Source, Attempt: ke.Attempt}
	select {
	case <-time.After(4 * pathDelay):
	case <-ctx.Done():
		done.Failure, done.Reason = nts.FailureNetwork, ctx.Err().Error()
		return done
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.peers[netip.AddrPortFrom(ke.Addr, 123)]
	if p == nil {
		done.Failure, done.Reason = nts.FailureNetwork, "connection refused"
		return done
	}
	p.keRuns++
	done.Session = w.session(p, ke)
	done.Info = event.KEInfo{TLSVersion: "TLS 1.3", Subject: ke.Name}
	return done
}

func (w *world) session(p *peer, ke event.StartKE) nts.Session {
	ring, err := nts.NewKeyring(p.ring)
	if err != nil {
		w.t.Fatal(err)
	}
	source := chacha(uint64(100 + p.keRuns))
	random := func(n int) []byte { b := make([]byte, n); source.Read(b); return b }
	s := nts.Session{
		KEName: ke.Name, KEAddr: ke.Addr, KEPort: ke.Port, NTPAddr: netip.AddrPortFrom(ke.Addr, 123),
		AEAD: siv.AESSIVCMAC256, C2S: random(32), S2C: random(32), Strict: true,
		Established: w.truth(), NotBefore: w.truth().Add(-time.Hour), NotAfter: w.truth().Add(time.Hour),
	}
	for range nts.MaxCookies {
		s.Cookies = append(s.Cookies, ring.Seal(nil, s.AEAD, s.C2S, s.S2C, [nts.CookieNonceLen]byte(random(nts.CookieNonceLen))))
	}
	return s
}

// Resolver.

func (w *world) Resolve(_ context.Context, r event.Resolve) event.Resolved {
	w.mu.Lock()
	defer w.mu.Unlock()
	done := event.Resolved{Name: r.Name, Family: r.Family, Addrs: slices.Clone(w.names[r.Name])}
	if addr, err := netip.ParseAddr(r.Name); err == nil {
		done.Addrs = []netip.Addr{addr}
	}
	if len(done.Addrs) == 0 {
		done.Reason, done.Temporary = "no such host", true
	}
	return done
}

// logRecorder keeps the messages.
type logRecorder struct {
	level slog.Level // the zero value is Info
	mu    sync.Mutex
	lines []string
}

func (l *logRecorder) Enabled(_ context.Context, level slog.Level) bool { return level >= l.level }
func (l *logRecorder) WithAttrs([]slog.Attr) slog.Handler               { return l }
func (l *logRecorder) WithGroup(string) slog.Handler                    { return l }

func (l *logRecorder) Handle(_ context.Context, r slog.Record) error {
	line := r.Message
	r.Attrs(func(a slog.Attr) bool {
		line += fmt.Sprintf(" %s=%v", a.Key, a.Value)
		return true
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
	return nil
}

// run runs a daemon on the world until the returned function is called,
// which waits for its end.
func (w *world) run(cfg *config.Config, load func() (*config.Config, []config.Diagnostic)) (*Daemon, func()) {
	d := New(Options{
		Config: cfg, Load: load, Sources: w.sources, Clock: w, Network: w, KE: w, Resolver: w, Store: &w.files, Flash: w.flash,
		Rand: chacha(7), Log: slog.New(w.log), Version: "test",
		Announce: func(a Announcement) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.told = append(w.told, a)
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.Run(ctx)
	}()
	return d, func() { cancel(); <-done }
}

func loggerTo(h slog.Handler) *slog.Logger { return slog.New(h) }

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

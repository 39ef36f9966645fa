package responder

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/config"
	"ntsd/internal/event"
	"ntsd/internal/server"
	"ntsd/internal/smooth"
	"ntsd/internal/snapshot"
	"ntsd/internal/wire"
)

const testSeed = 11

// fakePort hands over the requests that a test puts in and keeps the replies.
type fakePort struct {
	requests chan []server.Request
	batch    []server.Request
	sent     map[uint64]clock.Wall
	closed   chan struct{}

	buf     []byte
	replies []fakeReply
	left    chan []fakeReply
}

type fakeReply struct {
	to   netip.AddrPort
	data []byte
	tag  uint64
}

func newFakePort() *fakePort {
	return &fakePort{
		requests: make(chan []server.Request), closed: make(chan struct{}), left: make(chan []fakeReply, 1),
		sent: map[uint64]clock.Wall{},
	}
}

func (p *fakePort) Read() (int, error) {
	select {
	case p.batch = <-p.requests:
		return len(p.batch), nil
	case <-p.closed:
		return 0, fmt.Errorf("read: %w", os.ErrClosed)
	}
}

func (p *fakePort) Request(i int) (server.Request, bool) { return p.batch[i], true }
func (p *fakePort) Buffer() []byte                       { return p.buf[:0] }

func (p *fakePort) Reply(i int, reply []byte, tag uint64) {
	p.replies = append(p.replies, fakeReply{p.batch[i].From, bytes.Clone(reply), tag})
}

func (p *fakePort) Write() (int, error) {
	n := len(p.replies)
	p.left <- p.replies
	p.replies = nil
	return n, nil
}

func (p *fakePort) EachSent(f func(uint64, clock.Wall)) {
	for tag, at := range p.sent {
		f(tag, at)
	}
	clear(p.sent)
}

func (p *fakePort) Send(req *server.Request, reply []byte) error {
	p.left <- []fakeReply{{req.From, bytes.Clone(reply), 0}}
	return nil
}

func (p *fakePort) Close() error { close(p.closed); return nil }

// lockedRand may be read from several goroutines.
type lockedRand struct {
	mu sync.Mutex
	r  *rand.ChaCha8
}

func (l *lockedRand) Read(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Read(b)
}

// logBuffer is a log that is read while it is written.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logBuffer) Len() int { return len(l.String()) }

// bed is a responder with everything round it under the test's control.
type bed struct {
	*Responder
	log    logBuffer
	cancel context.CancelFunc

	mu         sync.Mutex
	sys        snapshot.System
	cfg        *config.Config
	ended      error
	shift      clock.Offset
	served     smooth.Plan
	refuse     error
	ports      map[uint16][]*fakePort
	keys       keys
	kes        []*fakeKE
	interfaces []link
	changed    chan struct{}
	looks      int // at the interfaces
	asked      int // what is in force
	local      []*fakePort
	answering  chan struct{} // closed: questions of mode 6 are answered
}

func base() clock.Wall { return clock.WallUnix(2_300_000_000, 0) }

func (b *bed) Now() (clock.Reading, clock.Offset) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := clock.Mono(time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)))
	return clock.Reading{Mono: m, Wall: base().Add(time.Duration(m))}, b.shift
}

func (b *bed) Serve(p smooth.Plan) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.served = p
}

func (b *bed) listen(port uint16, n int) ([]Port, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refuse != nil {
		return nil, b.refuse
	}
	var all []Port
	for range n {
		p := newFakePort()
		b.ports[port] = append(b.ports[port], p)
		all = append(all, p)
	}
	return all, nil
}

func (b *bed) inForce(context.Context) (snapshot.System, *config.Config, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	return b.sys, b.cfg, b.ended
}

// change changes what the test says of the world, and tells the responder.
func (b *bed) change(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

func (b *bed) count(n *int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return *n
}

func configuration(change func(*config.Config)) *config.Config {
	c := config.Default()
	c.Allow = []config.Access{{Subnets: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}}}
	if change != nil {
		change(c)
	}
	return c
}

// run starts a responder in a bubble of virtual time.
func run(t *testing.T, workers int, test func(t *testing.T, b *bed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bed{ports: map[uint16][]*fakePort{}, cfg: configuration(nil), sys: goodSystem(), changed: make(chan struct{}, 1)}
		t.Log("seed", testSeed)
		random := &lockedRand{r: rand.NewChaCha8([32]byte{testSeed})}
		var err error
		b.Responder, err = New(Options{
			Clock: b, Listen: b.listen, Rand: random, Workers: workers, Precision: -20, InForce: b.inForce,
			Changed: b.changed, Follows: workers > 1,
			Interfaces: func(f func(string, uint32, []netip.Prefix)) error {
				b.mu.Lock()
				defer b.mu.Unlock()
				b.looks++
				for _, l := range b.interfaces {
					f(l.name, l.index, l.subnets)
				}
				return nil
			},
			Keys: b, ListenKE: b.listenKE, ListenLocal: b.listenLocal, Control: b.control,
			Log: slog.New(slog.NewTextHandler(&b.log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			}})),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		b.cancel = cancel
		done := make(chan struct{})
		go func() { defer close(done); b.Run(ctx) }()
		synctest.Wait()
		test(t, b)
		cancel()
		<-done
	})
}

func goodSystem() snapshot.System {
	return snapshot.System{
		Leap: event.LeapNone, Stratum: 2, ReferenceID: wire.ReferenceID{192, 0, 2, 1}, ReferenceTime: base(),
		RootDelay: 20 * time.Millisecond, RootDispersion: time.Millisecond,
	}
}

// ask sends requests in one batch and returns the replies.
func (b *bed) ask(t *testing.T, p *fakePort, requests ...server.Request) []fakeReply {
	t.Helper()
	p.requests <- requests
	synctest.Wait()
	select {
	case r := <-p.left:
		return r
	default:
		return nil
	}
}

func (b *bed) request(from string, h wire.Header) server.Request {
	now, _ := b.Now()
	return server.Request{
		Data: h.Append(nil), From: netip.MustParseAddrPort(from), Local: netip.MustParseAddr("192.0.2.1"),
		Received: now.Wall.Add(-time.Millisecond),
	}
}

func plain() wire.Header { return wire.Header{Version: 4, Mode: wire.ModeClient, Transmit: 77} }

func parse(t *testing.T, r []fakeReply) wire.Header {
	t.Helper()
	if len(r) != 1 {
		t.Fatalf("got %d replies, want 1", len(r))
	}
	h, err := wire.ParseHeader(r[0].data)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// pass lets virtual time go by, and whatever it wakes come to rest.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

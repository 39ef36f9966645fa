package responder

import (
	"io"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/server"
	"ntsd/internal/smooth"
)

// stillPort has always the same requests, and a clock that takes its time.
type stillPort struct {
	fakePort
	now clock.Reading
	buf []byte
}

func (p *stillPort) Reply(int, []byte, uint64) {}
func (p *stillPort) Write() (int, error)       { return len(p.batch), nil }
func (p *stillPort) Buffer() []byte            { return p.buf[:0] }

func (p *stillPort) Now() (clock.Reading, clock.Offset) {
	p.now.Mono, p.now.Wall = p.now.Mono.Add(40*time.Microsecond), p.now.Wall.Add(40*time.Microsecond)
	return p.now, 0
}

func (p *stillPort) Serve(smooth.Plan) {}

// still returns a worker with n requests from as many addresses.
func still(t testing.TB, n int) (*worker, *stillPort) {
	t.Helper()
	p := &stillPort{buf: make([]byte, 0, 2048), now: clock.Reading{Wall: base()}}
	r, err := New(Options{Clock: p, Rand: rand.NewChaCha8([32]byte{testSeed}), Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	s := &state{policy: &server.Policy{Interleaved: true}, table: newTable(4096, 2, r.seed)}
	s.system = server.System{Stratum: 2, RootDispersion: time.Millisecond}
	r.state.Store(s)
	for i := range n {
		p.batch = append(p.batch, server.Request{
			Data: plain().Append(nil), From: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 4000), Received: base(),
		})
	}
	return newWorker(r, p), p
}

func TestBatchAllocatesNothing(t *testing.T) {
	w, _ := still(t, 8)
	if n := testing.AllocsPerRun(100, func() { w.batch(8) }); n != 0 {
		t.Errorf("got %v allocations per batch, want 0", n)
	}
	if c := w.server.Counts(); c[server.Answered] < 800 {
		t.Errorf("got %v, want every request answered", c)
	}
}

// The later replies of a batch say that they leave later, by what a reply was
// seen to take.
func TestPace(t *testing.T) {
	w, _ := still(t, 8)
	for range 200 {
		w.batch(8)
	}
	// The clock advances by 40 us while 8 replies are made.
	if want := 5 * time.Microsecond; w.pace < want-100*time.Nanosecond || w.pace > want {
		t.Errorf("pace: got %v, want %v", w.pace, want)
	}
}

func BenchmarkBatch(b *testing.B) {
	w, _ := still(b, 32)
	b.ReportAllocs()
	for b.Loop() {
		w.batch(32)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/32, "ns/request")
}

package responder

import (
	"encoding/binary"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/ntptime"
	"ntsd/internal/server"
	"ntsd/internal/smooth"
)

// stillPort has always the same requests, and a clock that takes its time.
type stillPort struct {
	fakePort
	now    clock.Reading
	buf    []byte
	said   []ntptime.Timestamp // of the replies' transmit timestamps; bounded by its capacity
	queued int
	writes int
}

func (p *stillPort) Reply(_ int, reply []byte, _ uint64) {
	p.queued++
	if len(p.said) < cap(p.said) {
		p.said = append(p.said, ntptime.Timestamp(binary.BigEndian.Uint64(reply[40:])))
	}
}

func (p *stillPort) Write() (int, error) {
	n := p.queued
	p.queued = 0
	p.writes++
	return n, nil
}

func (p *stillPort) Buffer() []byte { return p.buf[:0] }

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

// TestFlight: under load replies leave in small flights, else alone, and each
// says when it will leave by what it took to make and to send others.
func TestFlight(t *testing.T) {
	w, p := still(t, crowd+1)
	for range 50 * learnEvery {
		w.batch(crowd)
	}
	// The clock advances by 40 us whenever it is read.
	const each = 40 * time.Microsecond / flight
	for _, took := range []time.Duration{w.making, w.sending} {
		if took < each-100*time.Nanosecond || took > each {
			t.Errorf("learnt %v, want %v", took, each)
		}
	}
	p.said, p.writes = make([]ntptime.Timestamp, 0, flight), 0
	began := p.now.Wall.Add(each * flight)
	w.batch(crowd)
	for i, said := range p.said {
		want := ntptime.FromWall(began.Add(flight*w.making + w.sending/2 + time.Duration(i)*w.sending))
		if said != want {
			t.Errorf("reply %d says %v, want %v", i, said, want)
		}
	}
	if p.writes != crowd/flight || len(p.said) != flight {
		t.Errorf("%d replies in %d writes, want %d", crowd, p.writes, crowd/flight)
	}
	p.writes = 0
	if w.batch(crowd + 1); p.writes != crowd/flight+1 {
		t.Errorf("%d replies in %d writes, want %d", crowd+1, p.writes, crowd/flight+1)
	}
	p.writes = 0
	if w.batch(crowd - 1); p.writes != crowd-1 {
		t.Errorf("%d replies in %d writes, want as many", crowd-1, p.writes)
	}
}

// TestLearn: what interrupts a worker now and then does not change what it
// believes to take by much; what lasts does.
func TestLearn(t *testing.T) {
	mean := 2 * time.Microsecond
	for range 100 {
		learn(&mean, 10*time.Millisecond)
		for range 20 {
			learn(&mean, 2*time.Microsecond)
		}
	}
	if mean < 1900*time.Nanosecond || mean > 2200*time.Nanosecond {
		t.Errorf("after interruptions: got %v, want about 2us", mean)
	}
	for range 100 {
		learn(&mean, 20*time.Microsecond)
	}
	if mean < 19*time.Microsecond || mean > 20*time.Microsecond {
		t.Errorf("after a change: got %v, want 20us", mean)
	}
	for range 200 {
		learn(&mean, time.Hour)
	}
	if mean > maxPace {
		t.Errorf("got %v, want at most %v", mean, maxPace)
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

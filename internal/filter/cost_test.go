package filter

import (
	"testing"
	"time"
	"unsafe"

	"ntsd/internal/clock"
	"ntsd/internal/siv"
)

// costPaths are what the cost of a sample is measured over. It depends on how
// many hypotheses are awake.
func costPaths() []costPath {
	return []costPath{
		{"alike", func(*model, int) {}},
		{"one-sided", func(m *model, _ int) { m.to, m.back = time.Millisecond, 10*time.Microsecond }},
		{"restless", func(m *model, _ int) { m.wander = 3e-8 }},
		{"quiet", func(m *model, _ int) { m.to, m.back = time.Microsecond, time.Microsecond }},
		{"routes", func(m *model, i int) { m.base = time.Millisecond * time.Duration(1+i/100%3) }},
	}
}

type costPath struct {
	name string
	// change is called before the sample of each number.
	change func(m *model, i int)
}

// samples returns n samples, one in 64 s.
func (p costPath) samples(n int) []Sample {
	m := newModel(1)
	all := make([]Sample, n)
	for i := range all {
		p.change(m, i)
		all[i] = m.sample()
		m.wait(64 * time.Second)
	}
	return all
}

// BenchmarkSample is the cost of one sample, with the choice of the interval to
// the next, over a day: the start is included.
func BenchmarkSample(b *testing.B) {
	for _, p := range costPaths() {
		samples := p.samples(1350)
		b.Run(p.name, func(b *testing.B) {
			f := New(Config{})
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if i%len(samples) == 0 {
					f.Reset()
				}
				f.Update(samples[i%len(samples)])
				f.PollChange(6)
			}
		})
	}
}

// BenchmarkWorst is the cost of the dearest samples: the last of those of the
// start that are looked at again, the one by which a jump is believed, and one
// that shows that all samples before it had queued.
func BenchmarkWorst(b *testing.B) {
	for _, c := range []struct {
		name string
		n    int // samples before
		last func(s *Sample) int
	}{
		{"start", replay - 1, func(s *Sample) int { s.Delay /= 2; return 1 }},
		{"jump", 100, func(s *Sample) int { s.True = s.True.Add(time.Second); return surprises }},
		{"fall", 100, func(s *Sample) int {
			s.Delay, s.True = s.Delay/10, s.True.Add(s.Delay/3)
			return 1
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var before, f Filter
			before.Reset()
			for _, s := range costPaths()[0].samples(c.n) {
				before.Update(s)
			}
			s := before.ring[(before.n-1)%window]
			for i := c.last(&s); ; i-- {
				s.At, s.True = s.At+64e9, s.True+64e9
				if i == 1 {
					break
				}
				before.Update(s)
			}
			b.ReportAllocs()
			for b.Loop() {
				f = before
				f.Update(s)
			}
			if c.name != "start" && !f.moved {
				b.Errorf("the estimate did not begin anew: %+v", f.strange)
			}
		})
	}
}

// BenchmarkEstimate is the cost of asking once.
func BenchmarkEstimate(b *testing.B) {
	f := New(Config{})
	for _, s := range costPaths()[0].samples(100) {
		f.Update(s)
	}
	at := clock.Mono(1e13)
	for b.Loop() {
		at++
		f.Estimate(at)
	}
}

// BenchmarkAES is what the cost of a sample is held against: with AEAD 15,
// sealing a request of 228 bytes with one cookie of 100, and opening the reply.
func BenchmarkAES(b *testing.B) {
	x, err := siv.New(siv.AESSIVCMAC256, make([]byte, siv.AESSIVCMAC256.KeySize()))
	if err != nil {
		b.Fatal(err)
	}
	// Before the field that authenticates: header 48, unique identifier 36, and
	// in the request the cookie's 104, which the reply has encrypted.
	nonce, request, reply := make([]byte, 16), make([]byte, 188), make([]byte, 84)
	sealed := x.Seal(nil, nonce, reply, make([]byte, 104))
	room := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		x.Seal(room, nonce, request, nil)
		if _, err := x.Open(room, nonce, reply, sealed); err != nil {
			b.Fatal(err)
		}
	}
}

// TestNoAllocation: a sample is taken without a single allocation, also where
// the estimate begins anew.
func TestNoAllocation(t *testing.T) {
	samples := costPaths()[4].samples(400)
	f := New(Config{})
	i := 0
	if got := testing.AllocsPerRun(len(samples)-1, func() {
		s := samples[i]
		if i > 200 { // the server has moved
			s.True = s.True.Add(time.Second)
		}
		i++
		f.Update(s)
		f.PollChange(6)
		f.Estimate(s.At)
		f.Stats()
	}); got != 0 {
		t.Errorf("allocations per sample: got %v, want 0", got)
	}
}

// TestBytes: what a source costs in memory.
func TestBytes(t *testing.T) {
	if got := unsafe.Sizeof(Filter{}); got > 6400 {
		t.Errorf("size of a filter: got %d bytes, want at most 6400", got)
	}
}

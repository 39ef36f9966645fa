package filter

import (
	"math"
	"time"

	"ntsd/internal/clock"
)

// Filter estimates one server's timescale. It is not safe for concurrent use;
// make one with New.
type Filter struct {
	cfg  Config
	path path
	bank bank
	// rate and rateSD (ns/s) are what an estimate begins with.
	rate, rateSD float64
	// base is the line that the bank's phases are relative to; its rate is 0.
	base    clock.Reading
	ring    [window]Sample
	misses  [window]float64 // how far each sample lay from what was foretold (ns)
	n       int             // samples in all since the last reset
	strange int             // surprises in a row
	fitted  clock.Mono      // when the last one that was none was taken
	fitting int             // samples that fitted since the estimate began anew
	votes   int             // how often in a row PollChange wanted the same
	moved   bool            // the estimate began anew since the last PollChange
}

// New returns a filter without samples.
func New(cfg Config) *Filter {
	f := &Filter{cfg: cfg}
	f.Reset()
	return f
}

// Reset forgets every sample.
func (f *Filter) Reset() {
	*f = Filter{cfg: f.cfg}
	f.path.limit = int64(f.cfg.MinDelay)
	f.rateSD = priorRateSD
	if f.cfg.RateSD > 0 {
		f.rate, f.rateSD = float64(f.cfg.Rate)*1e9, float64(f.cfg.RateSD)*1e9
	}
}

// Update takes the next sample. It reports whether the sample entered the
// estimate; one that is not later than its predecessor, or that lies so far
// from the estimate that it would have to be a fault, does not.
func (f *Filter) Update(s Sample) bool {
	if f.n > 0 && s.At <= f.ring[(f.n-1)%window].At {
		return false
	}
	changed := f.path.add(int64(s.Delay))
	f.ring[f.n%window] = s
	f.n++
	if f.n == 1 || changed && f.n <= replay {
		f.rerun(f.n)
		return true
	}
	if f.cfg.MaxSamples > 0 && f.cfg.MaxSamples < min(f.n, replay) {
		f.rerun(f.cfg.MaxSamples)
		return true
	}
	if f.path.fell && f.contradicts(s) {
		f.doubt()
		f.strange, f.moved, f.fitted = 0, true, s.At
		if !f.rerun(f.n) {
			f.rerun(1)
		}
		return true
	}
	if f.take(f.n - 1) {
		f.strange, f.fitted = 0, s.At
		f.fitting++
		return true
	}
	f.strange++
	if f.strange < max(surprises, min(f.cfg.MinSamples, window)) {
		return false
	}
	// The server, or our Mono, has moved for good.
	if f.fitting >= credible {
		f.doubt()
	} else {
		f.rate, f.rateSD = float64(f.cfg.Rate)*1e9, priorRateSD
	}
	strange := f.strange
	f.strange, f.fitting, f.moved, f.fitted = 0, 0, true, s.At
	f.rerun(strange)
	return true
}

// Replace puts a better measurement in the place of the newest sample, of the
// same exchange. It reports whether it did: an estimate of more than some
// samples is not built anew.
func (f *Filter) Replace(s Sample) bool {
	if f.n == 0 || f.n > replay || f.ring[f.n-1].At != s.At {
		return false
	}
	older, n := f.ring, f.n-1
	f.Reset()
	for i := range n {
		f.Update(older[i])
	}
	return f.Update(s)
}

// Ahead makes into the filter that f would be with one more sample, and reports
// whether that could be believed. f stays as it is.
func (f *Filter) Ahead(s Sample, into *Filter) bool {
	*into = *f // it shares no memory
	return into.Update(s)
}

// contradicts reports whether a sample of a new, far lower minimum lies beyond
// what the estimate leaves possible. Then the sample is right, and what the
// estimate rests on came through queues that nobody knew of: with the new
// minimum, those samples say less. (A route that has become shorter again
// contradicts nothing.)
func (f *Filter) contradicts(s Sample) bool {
	since := seconds(s.At.Sub(f.base.Mono))
	x, _ := f.bank.mean(since)
	variance, _ := f.bank.variance(since)
	miss := f.phase(s) - x
	edge := f.path.oldEdge + floor(s)
	return float64(miss*miss) > float64(contradiction*contradiction)*(variance+float64(edge*edge))
}

// phase is what a sample measured, relative to the base line.
func (f *Filter) phase(s Sample) float64 {
	return fromInt(int64(s.True.Sub(f.base.Wall).Duration() - s.At.Sub(f.base.Mono)))
}

func seconds(d time.Duration) float64 { return mul(fromInt(int64(d)), 1e-9) }

// doubt makes an estimate that begins anew begin with what is known of the
// rate.
func (f *Filter) doubt() {
	f.rate = f.bank.all.f
	f.rateSD = max(math.Sqrt(f.bank.all.pff), doubtedRateSD)
}

// rerun builds the estimate anew from the newest n samples. It reports whether
// it can believe the last.
func (f *Filter) rerun(n int) (ok bool) {
	n = min(n, window, f.n)
	f.start(f.n - n)
	ok = true
	for i := f.n - n + 1; i < f.n; i++ {
		ok = f.take(i)
	}
	return ok
}

// start begins the estimate with the sample of the given number.
func (f *Filter) start(i int) {
	s := f.ring[i%window]
	f.misses[i%window] = 0
	f.base = clock.Reading{Mono: s.At, Wall: s.True}
	// The first sample's own likelihood meets a prior as wide as its delay.
	f.bank.start(float64(s.Delay)/2+stampFloor, f.rate, f.rateSD)
	f.bank.observe(0, &f.path, excess(s, &f.path), floor(s))
	f.rebase()
}

// take predicts to the time of the sample of the given number and learns from
// it.
func (f *Filter) take(i int) bool {
	s := f.ring[i%window]
	since := s.At.Sub(f.base.Mono)
	f.bank.predict(seconds(since), f.strange > 0)
	z := f.phase(s)
	f.base = clock.Reading{Mono: s.At, Wall: f.base.Wall.Add(since)}
	f.misses[i%window] = sub(z, f.bank.all.x)
	ok := f.bank.observe(z, &f.path, excess(s, &f.path), floor(s))
	f.rebase()
	return ok
}

// Shift moves all that is known of the server's timescale: a leap second has
// happened there and here.
func (f *Filter) Shift(by clock.Offset) {
	f.base.Wall = f.base.Wall.Add(by.Duration())
	for i := range f.ring {
		f.ring[i].True = f.ring[i].True.Add(by.Duration())
	}
}

func excess(s Sample, p *path) float64 { return fromInt(max(0, int64(s.Delay)-p.min)) }

// floor is the deviation that no delay explains. The dispersion is a bound:
// the usual error is a fraction of it.
func floor(s Sample) float64 { return fromInt(int64(max(stampFloor, s.Dispersion/dispersionSDs))) }

// rebase moves the base line to the estimate, so that phases stay small and a
// nanosecond counts whatever the year.
func (f *Filter) rebase() {
	whole := time.Duration(math.Round(f.bank.all.x))
	f.bank.shift(fromInt(int64(-whole)))
	f.base.Wall = f.base.Wall.Add(whole)
}

// Estimate returns what is believed about the server's timescale, described
// from its point at the time at; ok is false before the first sample.
func (f *Filter) Estimate(at clock.Mono) (e Estimate, ok bool) {
	if f.n == 0 {
		return Estimate{}, false
	}
	since := at.Sub(f.base.Mono)
	x, rate := f.bank.mean(seconds(since))
	vx, vr := f.bank.variance(seconds(since))
	doubt, rateDoubt := f.surprise(at)
	vx, vr = add(vx, mul(doubt, doubt)), add(vr, mul(rateDoubt, rateDoubt))
	e = Estimate{
		Line: clock.Line{
			At:   clock.Reading{Mono: at, Wall: f.base.Wall.Add(since).Add(time.Duration(math.Round(x)))},
			Rate: clock.Rate(mul(rate, 1e-9)),
		},
		OffsetSD: time.Duration(math.Ceil(sqrt(vx))),
		RateSD:   clock.Rate(mul(sqrt(vr), 1e-9)),
		Wander:   clock.Rate(mul(sqrt(f.bank.wander), 1e-9)),
		MinDelay: time.Duration(f.path.min),
		Samples:  f.n,
	}
	return e, true
}

// surprise returns by how much more phase (ns) and rate (ns/s) are in doubt while
// the newest sample is one that does not fit: the bound must hold also if it is
// right, and if what happened did so only half-way between the samples.
func (f *Filter) surprise(at clock.Mono) (phase, rate float64) {
	if f.strange == 0 {
		return 0, 0
	}
	s := f.ring[(f.n-1)%window]
	miss := math.Abs(f.misses[(f.n-1)%window])/boundSDs + excess(s, &f.path)/2 + f.path.edge(&shapes[0])
	miss = min(miss, farthest)
	rate = 2 * miss / max(s.At.Sub(f.fitted).Seconds(), 1)
	return min(miss+math.Abs(rate*at.Sub(s.At).Seconds()), farthest), rate
}

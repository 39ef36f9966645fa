package filter

import (
	"math"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/ntptime"
)

// Stats describes the samples behind the estimate.
func (f *Filter) Stats() Stats {
	n := min(f.n, window)
	if n == 0 {
		return Stats{}
	}
	first := f.n - n
	rate, variance := f.bank.all.f, f.bank.all.pff
	s := Stats{
		Samples: n,
		Runs:    1,
		Span:    f.ring[(f.n-1)%window].At.Sub(f.ring[first%window].At),
		Rate:    clock.Rate(rate * 1e-9),
		Skew:    clock.Rate(math.Sqrt(variance) * 1e-9),
	}
	// The misses are weighted like the samples themselves: those with a small
	// excess tell how well the line fits, the others how full the queues were.
	var sum, weights float64
	for i := first; i < f.n; i++ {
		miss := f.misses[i%window]
		w := 1 / (excess(f.ring[i%window], &f.path) + f.path.queue)
		sum += float64(w * float64(miss*miss))
		weights += w
		if i > first && (miss < 0) != (f.misses[(i-1)%window] < 0) {
			s.Runs++
		}
	}
	s.StdDev = time.Duration(math.Round(math.Sqrt(sum / weights)))
	return s
}

// Error returns what a sample of this path is off by: the mean, which a path
// that queues one way has, and the standard deviation, by what is believed about
// its queues now.
func (f *Filter) Error(s Sample) (mean, sd time.Duration) {
	m, v := f.bank.sampleError(&f.path, excess(s, &f.path), floor(s))
	return time.Duration(math.Round(m)), time.Duration(math.Ceil(math.Sqrt(v)))
}

// PollChange says after an Update how the poll interval should change, given
// its present exponent: -1 shorter, +1 longer, 0 as it is. It is to be called
// once per Update: several samples in a row must want the change. After the
// estimate had to begin anew it is far below -1: the shortest interval, at once.
//
// The measure is what the estimate loses until the next sample, against what
// one sample is worth.
func (f *Filter) PollChange(poll ntptime.Exponent) int {
	if f.moved {
		f.moved, f.votes = false, 0
		return shortest
	}
	if f.n < pollSamples {
		return 0
	}
	wish := f.pollWish(poll)
	if wish == 0 || wish > 0 != (f.votes > 0) {
		f.votes = 0
	}
	f.votes += wish
	if f.votes >= lengthenVotes || f.votes <= -shortenVotes {
		f.votes = 0
		return wish
	}
	return 0
}

func (f *Filter) pollWish(poll ntptime.Exponent) int {
	worth := f.bank.noise(&f.path)
	square := float64(worth * worth)
	switch {
	case f.bank.losing(poll.Duration().Seconds(), float64(square*shortenLoss)) > pollMajority:
		return -1
	case f.bank.losing((poll+1).Duration().Seconds(), float64(square*lengthenLoss)) < 1-pollMajority:
		return 1
	}
	return 0
}

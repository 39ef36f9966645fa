package main

import (
	"fmt"
	"math"
	"sync"
	"time"

	"ntsd/internal/sim"
	"ntsd/internal/sim/scenario"
)

// job is a run to do.
type job struct {
	scenario *scenario.Scenario
	seed     uint64
}

// outcome is a run that was done.
type outcome struct {
	job
	result sim.Result
	broken []string // limits
	missed []string // goals
}

// runAll runs jobs on so many processors at once; the outcomes stand in the
// jobs' order.
func runAll(jobs []job, workers int) ([]outcome, error) {
	out := make([]outcome, len(jobs))
	errs := make([]error, len(jobs))
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(workers, len(jobs)) {
		wg.Go(func() {
			for i := range next {
				j := jobs[i]
				r, err := sim.Run(j.scenario.World(j.seed))
				if err != nil {
					errs[i] = fmt.Errorf("%s seed %d: %w", j.scenario.Name, j.seed, err)
				}
				broken, missed := scenario.Check(j.scenario.Limits, &r)
				out[i] = outcome{job: j, result: r, broken: broken, missed: missed}
			}
		})
	}
	for i := range jobs {
		next <- i
	}
	close(next)
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// seedsOf makes one job per seed.
func seedsOf(s *scenario.Scenario, first uint64, n int) (jobs []job) {
	for i := range n {
		jobs = append(jobs, job{s, first + uint64(i)})
	}
	return jobs
}

// summary joins the runs of one scenario with several seeds.
type summary struct {
	rms, max, p99, oracle time.Duration // geometric means
	interval              time.Duration // mean
	gap                   time.Duration // least
	first10ms, stay1ms    time.Duration // largest, geometric mean
	oracleStay1ms         time.Duration // geometric mean
	covered               float64       // least
	bound                 time.Duration // mean
	broken                int           // runs beyond a limit
	missed                int           // runs that missed a goal
	ratio                 float64       // of RMS to the oracle's, geometric mean
}

func summarise(runs []outcome) (s summary) {
	n := float64(len(runs))
	geometric := func(of func(*sim.Result) time.Duration) time.Duration {
		var logs float64
		for i := range runs {
			logs += math.Log(max(1, float64(of(&runs[i].result))))
		}
		return time.Duration(math.Exp(logs / n))
	}
	s.rms = geometric(func(r *sim.Result) time.Duration { return r.RMSOffset })
	s.max = geometric(func(r *sim.Result) time.Duration { return r.Max })
	s.p99 = geometric(func(r *sim.Result) time.Duration { return r.P99 })
	s.oracle = geometric(func(r *sim.Result) time.Duration { return r.OracleOffset })
	s.stay1ms = geometric(func(r *sim.Result) time.Duration { return r.Stay1ms })
	s.oracleStay1ms = geometric(func(r *sim.Result) time.Duration { return r.OracleStay1ms })
	s.ratio = float64(s.rms) / float64(s.oracle)
	s.covered, s.gap = 1, math.MaxInt64
	for i := range runs {
		r := &runs[i].result
		s.interval += time.Duration(float64(r.Interval) / n)
		s.bound += time.Duration(float64(r.Bound) / n)
		s.covered = min(s.covered, r.Covered)
		s.gap = min(s.gap, r.Gap)
		s.first10ms = max(s.first10ms, r.First10ms)
		if len(runs[i].broken) > 0 {
			s.broken++
		}
		if len(runs[i].missed) > 0 {
			s.missed++
		}
	}
	return s
}

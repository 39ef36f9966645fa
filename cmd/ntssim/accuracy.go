package main

import (
	"fmt"
	"io"
	"math"
	"time"

	"ntsd/internal/sim/scenario"
)

// The goals of the accuracy table.
const (
	goalMean   = 0.5  // geometric mean of RMS(ntsd)/RMS(chrony)
	goalCase   = 0.95 // the same in any case, or
	goalOracle = 1.25 // RMS(ntsd)/RMS(oracle), if that is larger
	goalFour   = 1.02 // four servers against the best of them
	// goalStart is how long after its first packet a client is within 10 ms.
	goalStart = time.Second
)

// table runs and judges.
type table struct {
	out    io.Writer
	o      options
	refs   []reference
	missed []string
	goals  int
}

// goal notes whether a goal is reached.
func (t *table) goal(met bool, format string, args ...any) {
	t.goals++
	if !met {
		t.missed = append(t.missed, fmt.Sprintf(format, args...))
	}
}

// accuracy prints the whole table and says which goals were missed.
func accuracy(out io.Writer, o options, refs []reference) error {
	t := &table{out: out, o: o, refs: refs}
	for _, part := range []func() error{t.fixed, t.free, t.four, t.start, t.random, t.attacked} {
		if err := part(); err != nil {
			return err
		}
	}
	if len(t.missed) == 0 {
		fmt.Fprintf(out, "all %d goals are reached\n", t.goals)
		return nil
	}
	fmt.Fprintf(out, "%d of %d goals are missed:\n", len(t.missed), t.goals)
	for _, m := range t.missed {
		fmt.Fprintf(out, "  %s\n", m)
	}
	return errMissed
}

// measure runs a cell with all seeds.
func (t *table) measure(c cell) (summary, error) {
	s, err := c.parse()
	if err != nil {
		return summary{}, err
	}
	return t.measureScenario(s)
}

func (t *table) measureScenario(s *scenario.Scenario) (summary, error) {
	runs, err := runAll(seedsOf(s, t.o.seed, t.o.seeds), t.o.workers)
	if err != nil {
		return summary{}, err
	}
	return summarise(runs), nil
}

// ratios collects ratios for a geometric mean.
type ratios struct {
	logs float64
	n    int
}

func (r *ratios) add(x float64) {
	r.logs += math.Log(x)
	r.n++
}

func (r *ratios) mean() float64 { return math.Exp(r.logs / float64(max(r.n, 1))) }

func ratio(a, b time.Duration) float64 { return float64(a) / float64(max(b, 1)) }

// judge holds a case to its goals.
func (t *table) judge(what string, c cell, rms, oracle, chrony time.Duration) {
	limit := max(goalCase, goalOracle*ratio(oracle, chrony))
	t.goal(ratio(rms, chrony) <= limit, "%s, %s: %.2f of chrony's error, want at most %.2f", c.name(), what, ratio(rms, chrony), limit)
	if c.scenario == "" {
		t.goal(ratio(rms, oracle) <= goalOracle, "%s, %s: %.2f of the oracle's error, want at most %.2f",
			c.name(), what, ratio(rms, oracle), goalOracle)
	}
}

// fixed is the table at poll 6.
func (t *table) fixed() error {
	fmt.Fprintf(t.out, "Errors in microseconds (RMS, geometric means over %d seeds), intervals in seconds.\n\npoll 6\n", t.o.seeds)
	fmt.Fprintf(t.out, "%-22s %9s %9s %9s %9s %9s %9s %8s %8s %9s %9s\n", "case", "chrony", "ntpsec", "oracle", "ntsd",
		"ntsd 99%", "ntsd max", "/chrony", "/oracle", "interval", "chrony's")
	var all ratios
	for _, ref := range t.refs {
		if !ref.chrony() || ref.cell.maxPoll != 6 {
			continue
		}
		s, err := t.measure(ref.cell)
		if err != nil {
			return err
		}
		ntpsec := "-"
		if r, ok := find(t.refs, ref.cell, "ntpsec"); ok {
			ntpsec = micro(r.rms)
		}
		fmt.Fprintf(t.out, "%-22s %9s %9s %9s %9s %9s %9s %8.2f %8.2f %9.1f %9.0f\n", ref.cell.name(), micro(ref.rms), ntpsec,
			micro(s.oracle), micro(s.rms), micro(s.p99), micro(s.max), ratio(s.rms, ref.rms), s.ratio,
			s.interval.Seconds(), ref.interval.Seconds())
		all.add(ratio(s.rms, ref.rms))
		t.judge("poll 6", ref.cell, s.rms, s.oracle, ref.rms)
		t.judgeInterval("poll 6", ref, s)
	}
	fmt.Fprintf(t.out, "geometric mean of the ratios to chrony: %.3f\n\n", all.mean())
	t.goal(all.mean() <= goalMean, "poll 6: geometric mean %.3f of chrony's error, want at most %.2f", all.mean(), goalMean)
	return nil
}

// judgeInterval: chrony's interval is known to the second.
func (t *table) judgeInterval(what string, ref reference, s summary) {
	t.goal(s.interval >= ref.interval-time.Second/2, "%s, %s: a packet every %.1f s, chrony every %.0f s",
		ref.cell.name(), what, s.interval.Seconds(), ref.interval.Seconds())
}

// free is the table at poll 6 to 10: at the interval that ntsd chooses, and at
// chrony's.
func (t *table) free() error {
	fmt.Fprintln(t.out, "poll 6..10; \"equal\" is with as many packets as chrony, interpolated between two fixed intervals")
	fmt.Fprintf(t.out, "%-22s %9s %9s %9s %9s %9s %8s %8s %9s %9s | %9s %9s %8s %8s\n", "case", "chrony", "oracle", "ntsd",
		"ntsd 99%", "ntsd max", "/chrony", "/oracle", "interval", "chrony's", "oracle", "ntsd", "/chrony", "/oracle")
	var own, equal ratios
	for _, ref := range t.refs {
		if !ref.chrony() || ref.cell.maxPoll == 6 {
			continue
		}
		s, err := t.measure(ref.cell)
		if err != nil {
			return err
		}
		e, err := t.equal(ref)
		if err != nil {
			return err
		}
		fmt.Fprintf(t.out, "%-22s %9s %9s %9s %9s %9s %8.2f %8.2f %9.1f %9.0f | %9s %9s %8.2f %8.2f\n", ref.cell.name(), micro(ref.rms),
			micro(s.oracle), micro(s.rms), micro(s.p99), micro(s.max), ratio(s.rms, ref.rms), s.ratio, s.interval.Seconds(), ref.interval.Seconds(),
			micro(e.oracle), micro(e.rms), ratio(e.rms, ref.rms), ratio(e.rms, e.oracle))
		own.add(ratio(s.rms, ref.rms))
		equal.add(ratio(e.rms, ref.rms))
		t.judge("poll 6..10", ref.cell, s.rms, s.oracle, ref.rms)
		t.judge("as many packets as chrony at poll 6..10", ref.cell, e.rms, e.oracle, ref.rms)
		t.judgeInterval("poll 6..10", ref, s)
	}
	fmt.Fprintf(t.out, "geometric mean of the ratios to chrony: %.3f, with as many packets as chrony: %.3f\n\n", own.mean(), equal.mean())
	t.goal(own.mean() <= goalMean, "poll 6..10: geometric mean %.3f of chrony's error, want at most %.2f", own.mean(), goalMean)
	t.goal(equal.mean() <= goalMean, "as many packets as chrony at poll 6..10: geometric mean %.3f of its error, want at most %.2f",
		equal.mean(), goalMean)
	return nil
}

// equal is what ntsd reaches with chrony's number of packets: intervals are
// powers of two, so the two next to chrony's are run and what lies between is
// taken to be straight on a double logarithmic scale.
func (t *table) equal(ref reference) (summary, error) {
	each := ref.interval.Seconds() * float64(ref.cell.servers)
	poll := min(9, max(6, int(math.Floor(math.Log2(each)))))
	var s [2]summary
	for i := range s {
		c := ref.cell
		c.minPoll, c.maxPoll = poll+i, poll+i
		var err error
		if s[i], err = t.measure(c); err != nil {
			return summary{}, err
		}
	}
	part := math.Log(ratio(ref.interval, s[0].interval)) / math.Log(ratio(s[1].interval, s[0].interval))
	part = max(0, min(1, part))
	between := func(a, b time.Duration) time.Duration {
		return time.Duration(math.Exp(math.Log(float64(a))*(1-part) + math.Log(float64(b))*part))
	}
	return summary{rms: between(s[0].rms, s[1].rms), oracle: between(s[0].oracle, s[1].oracle), interval: ref.interval}, nil
}

// four compares four servers with the best one of them.
func (t *table) four() error {
	fmt.Fprintln(t.out, "four servers against the best one of them, poll 6")
	fmt.Fprintf(t.out, "%-44s %9s %9s %8s\n", "queues of the four, W", "best", "four", "ratio")
	for _, c := range []struct {
		queues [4]time.Duration
		wander float64
	}{
		{[4]time.Duration{1e4, 1e4, 1e4, 1e4}, 1e-9},
		{[4]time.Duration{1e5, 1e5, 1e5, 1e5}, 1e-9},
		{[4]time.Duration{1e6, 1e6, 1e6, 1e6}, 1e-8},
		{[4]time.Duration{1e5, 5e6, 5e6, 5e6}, 1e-9},
		{[4]time.Duration{1e4, 1e5, 1e6, 1e7}, 1e-9},
		{[4]time.Duration{3e6, 1e6, 3e6, 1e6}, 3e-9},
	} {
		head := fmt.Sprintf("run 40000s settle 12000s\nclient frequency 100ppm + walk %g\n", c.wander)
		best := time.Duration(math.MaxInt64)
		all := head
		for i, q := range c.queues {
			one := fmt.Sprintf("servers 1\nboth 1ms + exp %v\npoll 6 6\n", q)
			all += one
			if i > 0 && q == c.queues[i-1] {
				continue
			}
			s, err := t.measureText("one of four", head+one)
			if err != nil {
				return err
			}
			best = min(best, s.rms)
		}
		s, err := t.measureText("four", all)
		if err != nil {
			return err
		}
		name := fmt.Sprintf("%v, %g", c.queues, c.wander)
		fmt.Fprintf(t.out, "%-44s %9s %9s %8.2f\n", name, micro(best), micro(s.rms), ratio(s.rms, best))
		t.goal(ratio(s.rms, best) <= goalFour, "four servers %s: %.2f of the best one's error, want at most %.2f",
			name, ratio(s.rms, best), goalFour)
	}
	fmt.Fprintln(t.out)
	return nil
}

func (t *table) measureText(name, text string) (summary, error) {
	s, err := scenario.Parse(name, []byte(text))
	if err != nil {
		return summary{}, err
	}
	return t.measureScenario(&s)
}

// start: 1 s and 100 ppm off, iburst, makestep.
func (t *table) start() error {
	fmt.Fprintln(t.out, "start, 1 s and 100 ppm off; seconds after the first packet")
	fmt.Fprintf(t.out, "%-22s %18s %26s %9s %9s\n", "case", "below 10 ms, worst", "below 1 ms for good, mean", "oracle's", "goal")
	for _, c := range []struct {
		cell  cell
		below time.Duration // half of chrony's 4.2 s, 141 s and 76 s
	}{
		{cell{jitter: 10 * time.Microsecond, wander: 1e-9, servers: 1}, 2100 * time.Millisecond},
		{cell{jitter: time.Millisecond, wander: 1e-9, servers: 1}, 70 * time.Second},
		{cell{jitter: time.Millisecond, wander: 1e-9, servers: 4}, 38 * time.Second},
	} {
		c.cell.minPoll, c.cell.maxPoll, c.cell.seconds = 6, 10, 3000
		s, err := t.measure(c.cell)
		if err != nil {
			return err
		}
		fmt.Fprintf(t.out, "%-22s %18.2f %26.2f %9.2f %9.1f\n", c.cell.name(), s.first10ms.Seconds(), s.stay1ms.Seconds(),
			s.oracleStay1ms.Seconds(), c.below.Seconds())
		t.goal(s.first10ms <= goalStart, "start, %s: below 10 ms after %v, want %v", c.cell.name(), s.first10ms, goalStart)
		t.goal(s.stay1ms <= c.below, "start, %s: below 1 ms for good after %v, want %v", c.cell.name(), s.stay1ms, c.below)
	}
	fmt.Fprintln(t.out)
	return nil
}

package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxLatencies bounds the latencies that a generator keeps; of more, the newest
// replace the oldest.
const maxLatencies = 1 << 18

// tally is what a generator found.
type tally struct {
	replies     uint64 // in time, verified
	late        uint64 // after the request had been given up
	lost, wrong uint64
	unasked     uint64 // not sent, since too many were under way
	unsent      uint64 // bursts of which the kernel refused something
	interleaved uint64 // of the replies
	latencies   []time.Duration
}

func (t *tally) reply(latency time.Duration) {
	if len(t.latencies) < maxLatencies {
		t.latencies = append(t.latencies, latency)
	} else {
		t.latencies[t.replies%maxLatencies] = latency
	}
	t.replies++
}

func (t *tally) add(u *tally) {
	t.replies += u.replies
	t.late += u.late
	t.lost += u.lost
	t.wrong += u.wrong
	t.unasked += u.unasked
	t.unsent += u.unsent
	t.interleaved += u.interleaved
	t.latencies = append(t.latencies, u.latencies...)
}

// measure runs n generators at once, prints what they found together, and what that
// cost the server, and returns it.
func measure(o *options, stdout io.Writer, n int, run func(i int, start time.Time) *tally) (all tally, _ error) {
	before, err := cpuTime(o.pid)
	if err != nil {
		return all, err
	}
	start, tallies := time.Now(), make([]*tally, n)
	var wg sync.WaitGroup
	for i := range tallies {
		wg.Go(func() { tallies[i] = run(i, start) })
	}
	wg.Wait()
	took := time.Since(start)
	after, err := cpuTime(o.pid)
	if err != nil {
		return all, err
	}
	for _, t := range tallies {
		all.add(t)
	}
	all.print(stdout, took, o.pid != 0, after.minus(before))
	return all, nil
}

// print writes one line of names and values: replies per second, what was
// lost, quantiles of the latency in microseconds, and the server's CPU time per
// reply in nanoseconds, user and system apart.
func (t *tally) print(w io.Writer, took time.Duration, withCPU bool, cpu cpu) {
	slices.Sort(t.latencies)
	fmt.Fprintf(w, "replies %d rate %.0f late %d lost %d wrong %d unasked %d unsent %d interleaved %d p50 %.0f p99 %.0f p99.9 %.0f max %.0f",
		t.replies, float64(t.replies)/took.Seconds(), t.late, t.lost, t.wrong, t.unasked, t.unsent, t.interleaved,
		microseconds(quantile(t.latencies, 0.5)), microseconds(quantile(t.latencies, 0.99)),
		microseconds(quantile(t.latencies, 0.999)), microseconds(quantile(t.latencies, 1)))
	if n := int64(t.replies + t.late); withCPU && n > 0 {
		cpu.print(w, n, took)
	}
	fmt.Fprintln(w)
}

// quantile returns that of sorted values, 0 if there are none.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(q*float64(len(sorted)-1))]
}

func microseconds(d time.Duration) float64 { return float64(d) / 1e3 }

// cpu is the processor time of a process.
type cpu struct{ user, system time.Duration }

func (c cpu) minus(d cpu) cpu { return cpu{c.user - d.user, c.system - d.system} }

// print writes what one of n costs, and which share of one core all of it is.
func (c cpu) print(w io.Writer, n int64, took time.Duration) {
	fmt.Fprintf(w, " cpu %d user %d system %d busy %.0f",
		(c.user+c.system).Nanoseconds()/n, c.user.Nanoseconds()/n, c.system.Nanoseconds()/n,
		100*(c.user+c.system).Seconds()/took.Seconds())
}

// tick is the unit of /proc/PID/stat: USER_HZ, which is 100 everywhere.
const tick = 10 * time.Millisecond

// cpuTime reads the processor time of a process; 0 stands for none.
func cpuTime(pid int) (cpu, error) {
	if pid == 0 {
		return cpu{}, nil
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return cpu{}, err
	}
	// The name, in brackets, may hold blanks; utime and stime are fields 14
	// and 15, the twelfth and thirteenth behind it.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 13 {
		return cpu{}, fmt.Errorf("/proc/%d/stat is not understood", pid)
	}
	user, errUser := strconv.ParseInt(fields[11], 10, 64)
	system, errSystem := strconv.ParseInt(fields[12], 10, 64)
	if errUser != nil || errSystem != nil {
		return cpu{}, fmt.Errorf("/proc/%d/stat is not understood", pid)
	}
	return cpu{time.Duration(user) * tick, time.Duration(system) * tick}, nil
}

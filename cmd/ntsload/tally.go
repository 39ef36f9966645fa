package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxLatencies bounds the latencies that one client keeps; of more, the newest
// replace the oldest.
const maxLatencies = 1 << 16

// tally is what clients found.
type tally struct {
	replies     uint64 // in time, verified
	late        uint64 // after the client had given up
	lost, wrong uint64
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
	t.interleaved += u.interleaved
	t.latencies = append(t.latencies, u.latencies...)
}

// print writes one line: replies per second, what was lost, quantiles of the
// latency, and the server's CPU time per reply, user and system apart.
func (t *tally) print(w io.Writer, took time.Duration, withCPU bool, cpu cpu) {
	slices.Sort(t.latencies)
	fmt.Fprintf(w, "replies %d rate %.0f/s late %d lost %d wrong %d interleaved %d latency p50 %v p99 %v p99.9 %v",
		t.replies, float64(t.replies)/took.Seconds(), t.late, t.lost, t.wrong, t.interleaved,
		t.quantile(0.5), t.quantile(0.99), t.quantile(0.999))
	if n := int64(t.replies + t.late); withCPU && n > 0 {
		fmt.Fprintf(w, " cpu/reply %d ns user %d ns system %d ns",
			(cpu.user+cpu.system).Nanoseconds()/n, cpu.user.Nanoseconds()/n, cpu.system.Nanoseconds()/n)
	}
	fmt.Fprintln(w)
}

func (t *tally) quantile(q float64) time.Duration {
	if len(t.latencies) == 0 {
		return 0
	}
	return t.latencies[int(q*float64(len(t.latencies)-1))].Round(time.Microsecond)
}

// cpu is the processor time of a process.
type cpu struct{ user, system time.Duration }

func (c cpu) minus(d cpu) cpu { return cpu{c.user - d.user, c.system - d.system} }

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

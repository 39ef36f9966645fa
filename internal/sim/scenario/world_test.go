package scenario

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"ntsd/internal/event"
	"ntsd/internal/sim"
)

func run(t *testing.T, w sim.World) sim.Result {
	t.Helper()
	r, err := sim.Run(w)
	if err != nil {
		t.Fatalf("seed %d: %v", w.Seed, err)
	}
	return r
}

// ordinary is a world of everyday life; lines are added to its description.
func ordinary(t *testing.T, seed uint64, servers int, lines ...string) sim.World {
	t.Helper()
	text := fmt.Sprintf("run 20000s settle 10000s\nservers %d\nboth 1ms + exp 100us\n%s\n", servers, strings.Join(lines, "\n"))
	s, err := Parse("ordinary", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s.World(seed)
}

func TestSameSeedSameRun(t *testing.T) {
	a, b := run(t, ordinary(t, 5, 2)), run(t, ordinary(t, 5, 2))
	if a.RMSOffset != b.RMSOffset || a.Max != b.Max || a.Packets != b.Packets {
		t.Errorf("seed 5 twice: got %v %v %d and %v %v %d", a.RMSOffset, a.Max, a.Packets, b.RMSOffset, b.Max, b.Packets)
	}
}

// TestTwoAgainstTwo: without a majority nobody sets the clock.
func TestTwoAgainstTwo(t *testing.T) {
	r := run(t, ordinary(t, 3, 2, "server 2", "error 10s"))
	if r.Steps != 0 || r.Count(event.NoticeUnselectable) == 0 {
		t.Errorf("two servers that disagree: got %d steps, notices %+v", r.Steps, r.Notices)
	}
}

func TestNTS(t *testing.T) {
	r := run(t, ordinary(t, 7, 3, "nts"))
	if r.Max > time.Millisecond || r.Count(event.NoticeKEDone) != 3 {
		t.Errorf("seed 7: max error %v, notices %+v; want three key establishments", r.Max, r.Notices)
	}
}

// TestBestOfFour: one good server beside three noisy ones; together they are no
// worse than the good one alone.
func TestBestOfFour(t *testing.T) {
	if testing.Short() {
		t.Skip("long: simulated days")
	}
	const seeds = 3
	var alone, together float64
	for seed := uint64(1); seed <= seeds; seed++ {
		alone += math.Log(float64(run(t, ordinary(t, seed, 1, "poll 6 6")).RMSOffset))
		together += math.Log(float64(run(t, ordinary(t, seed, 1, "poll 6 6", "servers 3", "both 1ms + exp 5ms", "poll 6 6")).RMSOffset))
	}
	if ratio := math.Exp((together - alone) / seeds); ratio > 1.02 {
		t.Errorf("RMS with three noisy servers beside a good one: got %.3f of that of the good one, want at most 1.02", ratio)
	}
}

func TestEmptyWorld(t *testing.T) {
	if _, err := sim.Run(sim.World{Duration: time.Second}); err != nil {
		t.Errorf("a world without sources: %v", err)
	}
}

// TestLeapSecond: the kernel inserts it; nobody takes it for an error.
func TestLeapSecond(t *testing.T) {
	for _, servers := range []int{1, 4} {
		r := run(t, ordinary(t, 9, servers, "leap insert 14400s"))
		if r.Max > time.Millisecond || r.Count(event.NoticeInterference) != 0 {
			t.Errorf("%d servers, seed 9: max error %v, notices %+v; want below 1ms, no interference", servers, r.Max, r.Notices)
		}
	}
}

// TestSleep: Mono stands still, the kernel sets the clock on waking.
func TestSleep(t *testing.T) {
	w := ordinary(t, 1, 1, "client sleeps from 11000s until 12000s wrong 0s")
	asleep := sim.Instant(0)
	w.Watch = func(l sim.Look) {
		if at := sim.Instant(l.At); at >= 11000*second && at < 12000*second {
			asleep++
		}
	}
	if r := run(t, w); asleep != 0 || r.Max > 10*time.Millisecond {
		t.Errorf("seed 1: looked at %d times in its sleep, max error %v; want never, below 10ms", asleep, r.Max)
	}
}

// TestCoarseClock: the machine reads its clock in steps of 4 ms.
func TestCoarseClock(t *testing.T) {
	w := ordinary(t, 1, 1, "client resolution 4ms")
	if r := run(t, w); r.Max > 10*time.Millisecond || r.Backward != 0 {
		t.Errorf("seed 1: max error %v, %d times back; want below 10ms, never", r.Max, r.Backward)
	}
}

// TestPlainOracle: at one packet per 64 s, S 100 us and W 1e-9 it reaches what
// the accuracy table's Kalman filter does: 12 us.
func TestPlainOracle(t *testing.T) {
	r := run(t, ordinary(t, 1, 1, "poll 6 6"))
	if r.OracleOffset < 9*time.Microsecond || r.OracleOffset > 16*time.Microsecond {
		t.Errorf("seed 1: the oracle's error is %v, want about 12us", r.OracleOffset)
	}
}

// TestInterleavedWins: what a server's program is late by is no error in
// interleaved mode.
func TestInterleavedWins(t *testing.T) {
	const most = 0.3
	for seed := uint64(1); seed <= 5; seed++ {
		server := []string{"both 50us + exp 10us", "reply 50us + exp 100us", "poll 4 6"}
		basic := run(t, ordinary(t, seed, 1, server...))
		better := run(t, ordinary(t, seed, 1, append(server, "xleave")...))
		if r := float64(better.RMSOffset) / float64(basic.RMSOffset); r > most {
			t.Errorf("seed %d: error %v, in basic mode %v: ratio %.2f, want at most %.2f", seed, better.RMSOffset, basic.RMSOffset, r, most)
		}
	}
}

// BenchmarkRun is the accuracy matrix' run: 40000 s with one server.
func BenchmarkRun(b *testing.B) {
	s, err := Parse("run", []byte("run 40000s settle 12000s\nservers 1\nboth 1ms + exp 100us\npoll 6 6\n"))
	if err != nil {
		b.Fatal(err)
	}
	for seed := uint64(0); b.Loop(); seed++ {
		if _, err := sim.Run(s.World(seed)); err != nil {
			b.Fatal(err)
		}
	}
}

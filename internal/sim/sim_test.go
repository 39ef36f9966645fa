package sim

import (
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/engine"
	"ntsd/internal/event"
)

func run(t *testing.T, w World) Result {
	t.Helper()
	r, err := Run(w)
	if err != nil {
		t.Fatalf("seed %d: %v", w.Seed, err)
	}
	return r
}

// ordinary is a cell of everyday life.
func ordinary(servers int) Cell {
	return Cell{Jitter: 100 * time.Microsecond, Wander: 1e-9, Servers: servers, MinPoll: 6, MaxPoll: 10, Seconds: 20000}
}

func TestSameSeedSameRun(t *testing.T) {
	a, b := run(t, ordinary(2).World(5)), run(t, ordinary(2).World(5))
	if a.RMSOffset != b.RMSOffset || a.Max != b.Max || a.Packets != b.Packets {
		t.Errorf("seed 5 twice: got %v %v %d and %v %v %d", a.RMSOffset, a.Max, a.Packets, b.RMSOffset, b.Max, b.Packets)
	}
}

// TestStart: 1 s and 100 ppm off, iburst, makestep.
func TestStart(t *testing.T) {
	for seed := uint64(1); seed <= 5; seed++ {
		c := ordinary(1)
		c.Jitter, c.Seconds = 10*time.Microsecond, 1000
		r := run(t, c.World(seed))
		if r.First10ms > time.Second || r.Stay1ms > 2100*time.Millisecond || r.Steps != 1 {
			t.Errorf("seed %d: below 10 ms after %v, below 1 ms for good after %v, %d steps; want 1s, 2.1s, 1",
				seed, r.First10ms, r.Stay1ms, r.Steps)
		}
	}
}

func TestLiar(t *testing.T) {
	for seed := uint64(1); seed <= 3; seed++ {
		w := ordinary(4).World(seed)
		w.Servers[1].Error = []Term{{Size: 1}}
		r := run(t, w)
		if r.Max > time.Millisecond || r.RMSOffset > 100*time.Microsecond {
			t.Errorf("seed %d: RMS %v, max %v with one liar of four; want at most 100µs, 1ms", seed, r.RMSOffset, r.Max)
		}
		if r.Count(event.NoticeFalseticker) == 0 {
			t.Errorf("seed %d: the liar was not named", seed)
		}
	}
}

// TestLateLiar: a server that starts to drift away cannot drag the clock along.
func TestLateLiar(t *testing.T) {
	w := ordinary(4).World(2)
	w.Servers[0].Error = []Term{{Shape: ShapeRamp, Size: 1e-5, Period: time.Second, When: When{From: 5000 * second}}}
	if r := run(t, w); r.Max > 20*time.Millisecond {
		t.Errorf("seed 2: max error %v with one server that drifts by 10 ppm, want at most 20ms", r.Max)
	}
}

// TestTwoAgainstTwo: without a majority nobody sets the clock.
func TestTwoAgainstTwo(t *testing.T) {
	w := ordinary(2).World(3)
	w.Servers[1].Error = []Term{{Size: 10}}
	r := run(t, w)
	if r.Steps != 0 || r.Count(event.NoticeUnselectable) == 0 {
		t.Errorf("two servers that disagree: got %d steps, notices %+v", r.Steps, r.Notices)
	}
}

// TestOutage: the network is away for two hours; the clock coasts.
func TestOutage(t *testing.T) {
	w := ordinary(1).World(4)
	w.Servers[0].Dead = []When{{From: 8000 * second, Until: 15200 * second}}
	if r := run(t, w); r.Max > 2*time.Millisecond {
		t.Errorf("seed 4: max error %v over an outage of two hours, want at most 2ms", r.Max)
	}
}

func TestLoss(t *testing.T) {
	w := ordinary(1).World(6)
	w.Servers[0].Loss = 0.6
	if r := run(t, w); r.Max > time.Millisecond {
		t.Errorf("seed 6: max error %v with 60 %% loss, want at most 1ms", r.Max)
	}
}

func TestNTS(t *testing.T) {
	c := ordinary(3)
	c.NTS = true
	r := run(t, c.World(7))
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
	best := Cell{Jitter: 100 * time.Microsecond, Wander: 1e-9, Servers: 1, MinPoll: 6, MaxPoll: 6}
	four := best
	four.Servers = 4
	const seeds = 3
	alone, _ := geometric(t, best, seeds)
	together := geometricOf(t, seeds, func(seed uint64) World {
		w := four.World(seed)
		for i := 1; i < 4; i++ {
			w.Servers[i].To[1], w.Servers[i].Back[1] = Exponential(5*time.Millisecond), Exponential(5*time.Millisecond)
		}
		return w
	})
	if together > alone*102/100 {
		t.Errorf("RMS with three noisy servers beside a good one: got %v, want at most that of the good one, %v", together, alone)
	}
}

// TestBeyondEra: the NTP era ends on 2036-02-07; the clock goes on.
func TestBeyondEra(t *testing.T) {
	w := ordinary(1).World(8)
	w.Epoch = clock.WallUnix(2085978496-10000, 0) // era 1 begins in the middle
	if r := run(t, w); r.Max > time.Millisecond || r.Steps != 1 {
		t.Errorf("seed 8: max error %v, %d steps over the end of the NTP era; want below 1ms, 1 step", r.Max, r.Steps)
	}
}

func TestBusyEngineIsFound(t *testing.T) {
	_, err := Run(World{Engine: engine.Config{}, Duration: time.Second})
	if err != nil {
		t.Errorf("a world without sources: %v", err)
	}
}

// TestLeapSecond: the kernel inserts it; nobody takes it for an error.
func TestLeapSecond(t *testing.T) {
	for _, servers := range []int{1, 4} {
		w := ordinary(servers).World(9)
		w.LeapAt = 14400*second - second/2
		r := run(t, w)
		if r.Max > time.Millisecond || r.Count(event.NoticeInterference) != 0 {
			t.Errorf("%d servers, seed 9: max error %v, notices %+v; want below 1ms, no interference", servers, r.Max, r.Notices)
		}
	}
}

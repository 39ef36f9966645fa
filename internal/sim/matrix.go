package sim

import (
	"net/netip"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/engine"
	"ntsd/internal/ntptime"
)

// Cell is one setting of the accuracy matrix: a client whose frequency is
// 100 ppm off plus a random walk, perfect servers, 1 ms of delay each way plus
// queues.
type Cell struct {
	Jitter   time.Duration // mean queue each way
	Wander   clock.Rate    // per second
	Servers  int
	MinPoll  ntptime.Exponent
	MaxPoll  ntptime.Exponent
	Seconds  int // 0: 40000
	NTS      bool
	Scenario string // "", or one of Scenarios
}

// Scenarios are the cases that are not ideal.
func Scenarios() []string {
	return []string{"bufferbloat", "temperature", "asymjitter", "gauss", "loss30"}
}

// The accuracy matrix' own numbers.
const (
	cellSeconds = 40000
	cellSettle  = 12000 * time.Second
	cellDelay   = time.Millisecond
	epoch       = clock.Wall(1_790_000_000_000_000_000) // 2026-09-21
)

// World returns the cell as a world to run.
func (c Cell) World(seed uint64) World {
	if c.Seconds == 0 {
		c.Seconds = cellSeconds
	}
	w := World{
		Seed:       seed,
		Oscillator: Oscillator{Base: clock.RatePPM(100), Wander: c.Wander},
		Epoch:      epoch,
		WallError:  clock.Offset(time.Second),
		Engine: engine.Config{
			MakeStep: engine.MakeStep{Threshold: 100 * time.Millisecond, Limit: 3},
		},
		Duration: time.Duration(c.Seconds) * time.Second,
		Settle:   min(cellSettle, time.Duration(c.Seconds)*time.Second/2),
	}
	for i := range c.Servers {
		s := Server{
			Addr: netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}),
			To:   Delay{Constant(cellDelay), Exponential(c.Jitter)},
			Back: Delay{Constant(cellDelay), Exponential(c.Jitter)},
			NTS:  c.NTS,
		}
		w.Servers = append(w.Servers, s)
		w.Engine.Sources = append(w.Engine.Sources, engine.Source{
			Kind: engine.KindServer, Name: s.Addr.String(), Port: ntpPort, IBurst: true,
			NTS: c.NTS, NTSPort: 4460, MinPoll: c.MinPoll, MaxPoll: c.MaxPoll,
		})
	}
	c.disturb(&w)
	return w
}

// disturb applies the scenario.
func (c Cell) disturb(w *World) {
	if c.Scenario == "temperature" {
		w.Oscillator.Extra = []Term{{Shape: ShapeSine, Size: float64(clock.RatePPM(1)), Period: 2 * time.Hour}}
	}
	for i := range w.Servers {
		s := &w.Servers[i]
		switch c.Scenario {
		case "bufferbloat":
			s.To = append(s.To, Part{
				Law: LawConstant, Size: 50 * time.Millisecond,
				When: When{Period: 3600 * second, Centre: 1800 * second, Width: 150 * second},
			})
		case "asymjitter":
			s.To[1], s.Back[1] = Exponential(time.Millisecond), Exponential(10*time.Microsecond)
		case "gauss":
			s.To = Delay{Constant(2 * cellDelay), Normal(c.Jitter)}
			s.Back = s.To
		case "loss30":
			s.Loss = 0.3
		}
	}
}

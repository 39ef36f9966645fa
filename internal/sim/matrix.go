package sim

import (
	"math"
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
			To:   Delay{Base: cellDelay, Queue: c.Jitter},
			Back: Delay{Base: cellDelay, Queue: c.Jitter},
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
		w.Oscillator.Extra = func(t Instant) clock.Rate {
			return clock.RatePPM(math.Sin(2 * math.Pi * float64(t) / (7200 * float64(second))))
		}
	}
	for i := range w.Servers {
		s := &w.Servers[i]
		switch c.Scenario {
		case "bufferbloat":
			s.To.Extra = func(t Instant) time.Duration {
				phase := t%(3600*second) - 1800*second
				if phase < -150*second || phase > 150*second {
					return 0
				}
				return 50 * time.Millisecond
			}
		case "asymjitter":
			s.To.Queue, s.Back.Queue = time.Millisecond, 10*time.Microsecond
		case "gauss":
			s.To = Delay{Base: 2 * cellDelay, Queue: c.Jitter, Gauss: true}
			s.Back = s.To
		case "loss30":
			s.Loss = 0.3
		}
	}
}

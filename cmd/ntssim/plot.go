package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ntsd/internal/clock"
	"ntsd/internal/plot"
	"ntsd/internal/sim"
	"ntsd/internal/sim/scenario"
)

// Heights of the panels, in pixels.
const (
	bigPanel   = 260
	smallPanel = 120
)

// plotColumns is how many points a curve has at most: with more, a browser
// becomes slow.
const plotColumns = 1500

// plotFile runs a scenario with one seed and writes its picture.
func plotFile(name string, s *scenario.Scenario, seed uint64) error {
	w := s.World(seed)
	seconds := int(w.Duration.Seconds())
	// Every second is looked at in short runs; in long ones the extremes
	// between the columns are missed, which the table's maximum tells.
	w.Pace = max(1, seconds/plotColumns)
	var looks []sim.Look
	w.Watch = func(l sim.Look) { looks = append(looks, l) }
	r, err := sim.Run(w)
	if err != nil {
		return err
	}
	title := fmt.Sprintf("%s, seed %d: rms %v, 99 %% %v, max %v, oracle %v, a packet every %.0f s, bound covers %.2f %%",
		filepath.Base(s.Name), seed, r.RMSOffset, r.P99, r.Max, r.OracleOffset, r.Interval.Seconds(), r.Covered*100)
	return os.WriteFile(name, picture(title, looks, w.Settle.Seconds(), float64(seconds)), 0o644)
}

// panel is a diagram over time.
type panel struct {
	picture *plot.Picture
	plot.Panel
}

// frame draws the edges, a title and the scale, that of time included.
func (p *panel) frame(title string, ticks []plot.Tick) {
	var seconds []plot.Tick
	for x, step := p.X0, plot.Step((p.X1-p.X0)/10); x <= p.X1; x += step {
		seconds = append(seconds, plot.Tick{At: x, Label: fmt.Sprintf("%gs", x)})
	}
	p.picture.Frame(&p.Panel, title, seconds, ticks)
}

// curve draws one value over time; what is NaN is left out.
func (p *panel) curve(colour string, looks []sim.Look, value func(*sim.Look) float64) {
	p.picture.Curve(&p.Panel, colour, len(looks), func(i int) (float64, float64) {
		return looks[i].At.Seconds(), value(&looks[i])
	})
}

// picture returns the picture.
func picture(title string, looks []sim.Look, settle, end float64) []byte {
	out := plot.New(title, plot.Top+bigPanel*2+smallPanel+3*plot.Gap)
	top := float64(plot.Top)
	next := func(height float64) *panel {
		p := &panel{out, plot.Panel{Top: top, Height: height, X1: end}}
		top += height + plot.Gap
		return p
	}
	errorPanel(next(bigPanel), looks, settle)
	boundPanel(next(bigPanel), looks)
	pollPanel(next(smallPanel), looks)
	return out.Bytes()
}

func microseconds(o clock.Offset) float64 { return float64(o) / 1e3 }

// errorPanel shows the true error and what the client believes it to be,
// scaled to the time after the start.
func errorPanel(p *panel, looks []sim.Look, settle float64) {
	var sizes []float64
	for i := range looks {
		if looks[i].At.Seconds() > settle {
			sizes = append(sizes, math.Abs(microseconds(looks[i].Wrong)))
		}
	}
	p.Y1 = 1
	if len(sizes) > 0 {
		slices.Sort(sizes)
		p.Y1 = max(1e-3, sizes[len(sizes)*995/1000]*1.3)
	}
	p.Y0 = -p.Y1
	var ticks []plot.Tick
	step := plot.Step(p.Y1 / 4)
	for v := -math.Floor(p.Y1/step) * step; v <= p.Y1; v += step {
		label := fmt.Sprintf("%.4g us", v)
		if p.Y1 >= 2000 {
			label = fmt.Sprintf("%.4g ms", v/1000)
		}
		ticks = append(ticks, plot.Tick{At: v, Label: label})
	}
	p.frame("true error (blue) and the client's own estimate of it (orange); positive: the clock is slow", ticks)
	p.curve("#e80", looks, func(l *sim.Look) float64 { return microseconds(l.Believed) })
	p.curve("#06c", looks, func(l *sim.Look) float64 { return microseconds(l.Wrong) })
}

// boundPanel shows the error's magnitude below the bound that the client
// states.
func boundPanel(p *panel, looks []sim.Look) {
	p.Y0, p.Y1 = -1, 7 // powers of ten of microseconds
	var ticks []plot.Tick
	for v := p.Y0; v <= p.Y1; v++ {
		label := fmt.Sprintf("%g us", math.Pow(10, v))
		if v >= 3 {
			label = fmt.Sprintf("%g ms", math.Pow(10, v-3))
		}
		ticks = append(ticks, plot.Tick{At: v, Label: label})
	}
	p.frame("magnitude of the true error (blue), stated bound (red)", ticks)
	p.curve("#c00", looks, func(l *sim.Look) float64 {
		if l.Bound == 0 {
			return math.NaN()
		}
		return math.Log10(float64(l.Bound) / 1e3)
	})
	p.curve("#06c", looks, func(l *sim.Look) float64 {
		return math.Log10(max(1e-2, math.Abs(microseconds(l.Wrong))))
	})
}

// pollPanel shows every source's poll interval.
func pollPanel(p *panel, looks []sim.Look) {
	p.Y0, p.Y1 = 3, 11
	var ticks []plot.Tick
	for v := 4.0; v <= 10; v += 2 {
		ticks = append(ticks, plot.Tick{At: v, Label: fmt.Sprintf("%g s", math.Exp2(v))})
	}
	colours := []string{"#06c", "#e80", "#090", "#c0c", "#c00", "#088", "#850", "#555"}
	most := 0
	for i := range looks {
		most = max(most, len(looks[i].Snapshot.Sources))
	}
	var names []string
	for n := range min(most, len(colours)) {
		names = append(names, fmt.Sprintf("source %d", n+1))
	}
	p.frame("poll interval of "+strings.Join(names, ", "), ticks)
	for n := range names {
		p.curve(colours[n], looks, func(l *sim.Look) float64 {
			if n >= len(l.Snapshot.Sources) {
				return math.NaN()
			}
			return float64(l.Snapshot.Sources[n].Poll) + float64(n)*0.05
		})
	}
}

package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ntsd/internal/clock"
	"ntsd/internal/sim"
	"ntsd/internal/sim/scenario"
)

// Sizes of the picture, in pixels.
const (
	plotWidth  = 1100
	plotLeft   = 80
	plotRight  = 30
	plotTop    = 50
	panelGap   = 40
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
	return os.WriteFile(name, plot(title, looks, w.Settle.Seconds(), float64(seconds)), 0o644)
}

// panel is one diagram: it maps data to pixels.
type panel struct {
	out            *bytes.Buffer
	top, height    float64
	x0, x1, y0, y1 float64 // data at the edges
}

func (p *panel) x(v float64) float64 {
	return plotLeft + (v-p.x0)/(p.x1-p.x0)*(plotWidth-plotLeft-plotRight)
}

func (p *panel) y(v float64) float64 {
	v = max(min(p.y0, p.y1), min(max(p.y0, p.y1), v))
	return p.top + p.height - (v-p.y0)/(p.y1-p.y0)*p.height
}

// frame draws the edges, a title and the scale.
func (p *panel) frame(title string, ticks []tick) {
	fmt.Fprintf(p.out, `<rect x="%d" y="%.1f" width="%d" height="%.1f" fill="none" stroke="#888"/>`+"\n",
		plotLeft, p.top, plotWidth-plotLeft-plotRight, p.height)
	fmt.Fprintf(p.out, `<text x="%d" y="%.1f" font-weight="bold">%s</text>`+"\n", plotLeft, p.top-6, html.EscapeString(title))
	for _, t := range ticks {
		y := p.y(t.at)
		fmt.Fprintf(p.out, `<path d="M%d %.1fH%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			plotLeft, y, plotWidth-plotRight, plotLeft-5, y+4, t.label)
	}
	step := niceStep((p.x1 - p.x0) / 10)
	for x := p.x0; x <= p.x1; x += step {
		fmt.Fprintf(p.out, `<path d="M%.1f %.1fv5" stroke="#888"/><text x="%.1f" y="%.1f" text-anchor="middle">%gs</text>`+"\n",
			p.x(x), p.top+p.height, p.x(x), p.top+p.height+17, x)
	}
}

// curve draws one value over time; what is NaN is left out.
func (p *panel) curve(colour string, looks []sim.Look, value func(*sim.Look) float64) {
	fmt.Fprintf(p.out, `<path fill="none" stroke="%s" d="`, colour)
	pen := "M"
	for i := range looks {
		v := value(&looks[i])
		if math.IsNaN(v) {
			pen = "M"
			continue
		}
		fmt.Fprintf(p.out, "%s%.1f %.1f", pen, p.x(looks[i].At.Seconds()), p.y(v))
		pen = "L"
	}
	fmt.Fprintln(p.out, `"/>`)
}

type tick struct {
	at    float64
	label string
}

// niceStep is the next 1, 2 or 5 times a power of ten.
func niceStep(least float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(max(least, 1e-12))))
	for _, m := range []float64{1, 2, 5} {
		if m*unit >= least {
			return m * unit
		}
	}
	return 10 * unit
}

// plot returns the picture.
func plot(title string, looks []sim.Look, settle, end float64) []byte {
	var b bytes.Buffer
	height := plotTop + bigPanel*2 + smallPanel + 3*panelGap
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11">`+"\n", plotWidth, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/><text x="%d" y="20" font-size="13">%s</text>`+"\n",
		plotLeft, html.EscapeString(title))
	top := float64(plotTop)
	errorPanel(&panel{out: &b, top: top, height: bigPanel, x1: end}, looks, settle)
	top += bigPanel + panelGap
	boundPanel(&panel{out: &b, top: top, height: bigPanel, x1: end}, looks)
	top += bigPanel + panelGap
	pollPanel(&panel{out: &b, top: top, height: smallPanel, x1: end}, looks)
	fmt.Fprintln(&b, "</svg>")
	return b.Bytes()
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
	p.y1 = 1
	if len(sizes) > 0 {
		slices.Sort(sizes)
		p.y1 = max(1e-3, sizes[len(sizes)*995/1000]*1.3)
	}
	p.y0 = -p.y1
	var ticks []tick
	step := niceStep(p.y1 / 4)
	for v := -math.Floor(p.y1/step) * step; v <= p.y1; v += step {
		label := fmt.Sprintf("%.4g us", v)
		if p.y1 >= 2000 {
			label = fmt.Sprintf("%.4g ms", v/1000)
		}
		ticks = append(ticks, tick{v, label})
	}
	p.frame("true error (blue) and the client's own estimate of it (orange); positive: the clock is slow", ticks)
	p.curve("#e80", looks, func(l *sim.Look) float64 { return microseconds(l.Believed) })
	p.curve("#06c", looks, func(l *sim.Look) float64 { return microseconds(l.Wrong) })
}

// boundPanel shows the error's magnitude below the bound that the client
// states.
func boundPanel(p *panel, looks []sim.Look) {
	p.y0, p.y1 = -1, 7 // powers of ten of microseconds
	var ticks []tick
	for v := p.y0; v <= p.y1; v++ {
		label := fmt.Sprintf("%g us", math.Pow(10, v))
		if v >= 3 {
			label = fmt.Sprintf("%g ms", math.Pow(10, v-3))
		}
		ticks = append(ticks, tick{v, label})
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
	p.y0, p.y1 = 3, 11
	var ticks []tick
	for v := 4.0; v <= 10; v += 2 {
		ticks = append(ticks, tick{v, fmt.Sprintf("%g s", math.Exp2(v))})
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

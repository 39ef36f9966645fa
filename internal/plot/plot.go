// Package plot draws diagrams as SVG. It belongs to the developers' tools: the
// shipped binary has none of it.
//
// Not its business: what is drawn, and how it is scaled.
package plot

import (
	"bytes"
	"fmt"
	"html"
	"math"
)

// Sizes in pixels.
const (
	width = 1100
	left  = 80
	right = 30
	// Top is where the first panel begins, below the title.
	Top = 50
	// Gap belongs between the panels, for the scale of the upper and the title
	// of the lower.
	Gap = 40
)

// Picture is a page of panels. New makes one.
type Picture struct{ out bytes.Buffer }

// New returns a picture of a height with a title.
func New(title string, height int) *Picture {
	p := new(Picture)
	fmt.Fprintf(&p.out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11">`+"\n", width, height)
	fmt.Fprintf(&p.out, `<rect width="100%%" height="100%%" fill="white"/><text x="%d" y="20" font-size="13">%s</text>`+"\n",
		left, html.EscapeString(title))
	return p
}

// Bytes ends the picture and returns it.
func (p *Picture) Bytes() []byte {
	fmt.Fprintln(&p.out, "</svg>")
	return p.out.Bytes()
}

// Panel is one diagram: where it stands, and the data at its edges.
type Panel struct {
	Top, Height    float64
	X0, X1, Y0, Y1 float64
}

// Tick is a mark of a scale.
type Tick struct {
	At    float64
	Label string
}

func (d *Panel) x(v float64) float64 {
	return left + (v-d.X0)/(d.X1-d.X0)*(width-left-right)
}

func (d *Panel) y(v float64) float64 {
	v = max(min(d.Y0, d.Y1), min(max(d.Y0, d.Y1), v))
	return d.Top + d.Height - (v-d.Y0)/(d.Y1-d.Y0)*d.Height
}

// Frame draws the edges, a title and the scales.
func (p *Picture) Frame(d *Panel, title string, x, y []Tick) {
	fmt.Fprintf(&p.out, `<rect x="%d" y="%.1f" width="%d" height="%.1f" fill="none" stroke="#888"/>`+"\n",
		left, d.Top, width-left-right, d.Height)
	p.Text(d.X0, d, -6, "#000", title)
	for _, t := range y {
		at := d.y(t.At)
		fmt.Fprintf(&p.out, `<path d="M%d %.1fH%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			left, at, width-right, left-5, at+4, html.EscapeString(t.Label))
	}
	for _, t := range x {
		at := d.x(t.At)
		fmt.Fprintf(&p.out, `<path d="M%.1f %.1fv5" stroke="#888"/><text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`+"\n",
			at, d.Top+d.Height, at, d.Top+d.Height+17, html.EscapeString(t.Label))
	}
}

// Text writes at x, so many pixels below the panel's upper edge.
func (p *Picture) Text(x float64, d *Panel, below float64, colour, text string) {
	fmt.Fprintf(&p.out, `<text x="%.1f" y="%.1f" fill="%s" font-weight="bold">%s</text>`+"\n",
		d.x(x), d.Top+below, colour, html.EscapeString(text))
}

// Curve draws n points; what is NaN is left out.
func (p *Picture) Curve(d *Panel, colour string, n int, point func(i int) (x, y float64)) {
	fmt.Fprintf(&p.out, `<path fill="none" stroke="%s" d="`, colour)
	pen := "M"
	for i := range n {
		x, y := point(i)
		if math.IsNaN(y) {
			pen = "M"
			continue
		}
		fmt.Fprintf(&p.out, "%s%.1f %.1f", pen, d.x(x), d.y(y))
		pen = "L"
	}
	fmt.Fprintln(&p.out, `"/>`)
}

// Step is the next 1, 2 or 5 times a power of ten.
func Step(least float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(max(least, 1e-12))))
	for _, m := range []float64{1, 2, 5} {
		if m*unit >= least {
			return m * unit
		}
	}
	return 10 * unit
}

package plot

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

func TestPicture(t *testing.T) {
	p := New("a < b", 300)
	d := &Panel{Top: Top, Height: 100, X0: 0, X1: 10, Y0: -1, Y1: 1}
	p.Frame(d, "rates & errors", []Tick{{0, "0s"}, {10, "10s"}}, []Tick{{0, "0"}})
	p.Curve(d, "#06c", 5, func(i int) (float64, float64) {
		return float64(i), []float64{0, 5, math.NaN(), -5, 1}[i]
	})
	out := string(p.Bytes())
	x := xml.NewDecoder(strings.NewReader(out))
	for {
		if _, err := x.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("not XML: %v\n%s", err, out)
		}
	}
	// What lies beyond an edge is drawn on it, and what is not there is a gap.
	if want := `d="M80.0 100.0L179.0 50.0M377.0 150.0L476.0 50.0"`; !strings.Contains(out, want) {
		t.Errorf("no curve %s in\n%s", want, out)
	}
}

func TestStep(t *testing.T) {
	for least, want := range map[float64]float64{0.9: 1, 1: 1, 1.1: 2, 3: 5, 7: 10, 0.03: 0.05} {
		if got := Step(least); math.Abs(got-want) > 1e-9*want {
			t.Errorf("Step(%g): got %g, want %g", least, got, want)
		}
	}
}

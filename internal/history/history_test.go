package history

import (
	"testing"
	"time"

	"ntsd/internal/clock"
)

func at(d time.Duration) clock.Wall { return clock.WallUnix(1_800_000_000, 0).Add(d) }

// TestSpans: each span keeps its points, means and extremes, and no more.
func TestSpans(t *testing.T) {
	var h History
	const every = 5 * time.Second
	for n := range int(14 * 24 * time.Hour / every) {
		h.Add(Sample{At: at(time.Duration(n) * every), Offset: clock.Offset(100 + n%2*20), Bound: time.Duration(1 + n%2), Frequency: clock.RatePPM(float64(n % 2))})
	}
	for _, s := range []Span{Hour, Day, Week} {
		got := h.Points(s)
		if len(got) < points || len(got) > points+1 {
			t.Errorf("%v: %d points, want %d or one more", s, len(got), points)
		}
		for i, p := range got[:points] {
			if p.Low != 100 || p.High != 120 || p.Offset < 105 || p.Offset > 115 || p.Bound != 2 || p.Frequency < clock.RatePPM(0.4) || p.Frequency > clock.RatePPM(0.6) {
				t.Fatalf("%v: point %d: got %+v", s, i, p)
			}
			if i > 0 && p.At.Sub(got[i-1].At).Duration() != s.Interval() {
				t.Fatalf("%v: points %d and %d lie %v apart, want %v", s, i-1, i, p.At.Sub(got[i-1].At), s.Interval())
			}
		}
	}
	if age := h.Points(Week)[0].At.Sub(at(7 * 24 * time.Hour)).Duration().Abs(); age > 24*time.Hour {
		t.Errorf("a week begins %v off", age)
	}
}

// TestSparse: what came is there at once; where nothing came there is no point;
// a step back begins a new one.
func TestSparse(t *testing.T) {
	var h History
	if got := h.Points(Hour); len(got) != 0 {
		t.Errorf("at first: got %v", got)
	}
	h.Add(Sample{At: at(0), Offset: 1})
	h.Add(Sample{At: at(time.Hour), Offset: 2})
	h.Add(Sample{At: at(-time.Hour), Offset: 3})
	got := h.Points(Hour)
	if len(got) != 3 || got[0].Offset != 1 || got[1].Offset != 2 || got[2].Offset != 3 {
		t.Errorf("got %+v", got)
	}
}

func TestParseSpan(t *testing.T) {
	for s := range spans {
		if got, err := ParseSpan(s.String()); err != nil || got != s {
			t.Errorf("%v: got %v, %v", s, got, err)
		}
	}
	if _, err := ParseSpan("year"); err == nil {
		t.Error("took a year")
	}
}

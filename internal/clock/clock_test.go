package clock

import (
	"math"
	"testing"
	"time"
)

func TestWallUnixKeepsNegativeAndLateTimes(t *testing.T) {
	for _, tt := range []struct{ sec, nsec int64 }{
		{0, 0}, {-1, 999999999}, {-2208988800, 5}, {1 << 31, 1}, {2085978496, 7}, {4102444800, 0},
	} {
		w := WallUnix(tt.sec, tt.nsec)
		if sec, nsec := w.Unix(); sec != tt.sec || nsec != tt.nsec {
			t.Errorf("WallUnix(%d, %d).Unix() = %d, %d", tt.sec, tt.nsec, sec, nsec)
		}
		if got := WallTime(w.Time()); got != w {
			t.Errorf("WallTime(%v.Time()) = %v", w, got)
		}
	}
}

func TestMonoAddSaturates(t *testing.T) {
	if got := Mono(math.MaxInt64 - 5).Add(time.Second); got != Never {
		t.Errorf("got %d, want Never", got)
	}
	if got := Mono(7).Add(-9); got != -2 {
		t.Errorf("got %d, want -2", got)
	}
}

func TestOffsetSeconds(t *testing.T) {
	for _, tt := range []struct {
		s    float64
		want Offset
	}{{0, 0}, {1.5e-9, 2}, {-0.25, -250000000}, {1e30, math.MaxInt64}, {-1e30, math.MinInt64}} {
		if got := OffsetSeconds(tt.s); got != tt.want {
			t.Errorf("OffsetSeconds(%g) = %d, want %d", tt.s, got, tt.want)
		}
	}
}

func TestLineMapsBothWays(t *testing.T) {
	l := Line{At: Reading{Mono: 1e9, Wall: WallUnix(1800000000, 250)}, Rate: RatePPM(100)}
	if got, want := l.WallAt(l.At.Mono.Add(1000*time.Second)), l.At.Wall.Add(1000*time.Second+100*time.Millisecond); got != want {
		t.Errorf("WallAt: got %d, want %d", got, want)
	}
	for _, d := range []time.Duration{0, 1, -time.Hour, 30 * 24 * time.Hour, -17 * time.Microsecond} {
		m := l.At.Mono.Add(d)
		if back := l.MonoAt(l.WallAt(m)); back.Sub(m).Abs() > 1 {
			t.Errorf("MonoAt(WallAt(%d)) is off by %v", m, back.Sub(m))
		}
		if f := l.From(m); f.WallAt(l.At.Mono).Sub(l.At.Wall).Abs() > 1 {
			t.Errorf("From(%d) moved the line by %v", m, f.WallAt(l.At.Mono).Sub(l.At.Wall))
		}
	}
}

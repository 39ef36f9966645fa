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

func TestMidnight(t *testing.T) {
	at := func(text string) Wall {
		x, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}
		return WallTime(x)
	}
	for _, c := range []struct {
		at, want string
		leap     bool
	}{
		{"2016-12-31T23:59:59.999999999Z", "2017-01-01T00:00:00Z", true},
		{"2017-01-01T00:00:00Z", "2017-01-02T00:00:00Z", false},
		{"2012-06-30T00:00:00Z", "2012-07-01T00:00:00Z", true},
		{"2012-06-29T23:59:59Z", "2012-06-30T00:00:00Z", false},
		{"1969-12-31T23:00:00Z", "1970-01-01T00:00:00Z", true},
		{"1969-12-30T00:00:00Z", "1969-12-31T00:00:00Z", false},
		{"2040-12-31T12:00:00Z", "2041-01-01T00:00:00Z", true},
	} {
		if got := at(c.at).Midnight(); got != at(c.want) || at(c.at).LeapDay() != c.leap {
			t.Errorf("%s: midnight %v, leap day %t; want %s, %t", c.at, got.Time(), at(c.at).LeapDay(), c.want, c.leap)
		}
	}
}

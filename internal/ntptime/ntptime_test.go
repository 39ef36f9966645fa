package ntptime

import (
	"math/rand/v2"
	"testing"
	"time"

	"ntsd/internal/clock"
)

// RFC 5905 figure 4: interesting dates and their era and timestamp.
func TestRFC5905Figure4(t *testing.T) {
	for _, tt := range []struct {
		date string
		want uint32
	}{
		{"1900-01-01", 0},
		{"1970-01-01", 2208988800},
		{"1972-01-01", 2272060800},
		{"1999-12-31", 3155587200},
		{"2036-02-08", 63104},
	} {
		d, err := time.Parse(time.DateOnly, tt.date)
		if err != nil {
			t.Fatal(err)
		}
		if got := FromWall(clock.WallTime(d)); got != Timestamp(tt.want)<<32 {
			t.Errorf("%s: got %#x, want seconds %d", tt.date, uint64(got), tt.want)
		}
	}
}

func TestTimestampRoundTripAcrossEras(t *testing.T) {
	const seed = 5905
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 20000 {
		pivot := clock.WallUnix(r.Int64N(8e9)-2e9, r.Int64N(1e9))
		w := pivot.Add(time.Duration(r.Int64N(4e18) - 2e18)) // less than 2^31 s away
		if got := FromWall(w).Wall(pivot); got != w {
			t.Fatalf("pivot %d: %d became %d", pivot, w, got)
		}
	}
}

func TestSubWrapsRoundTheEra(t *testing.T) {
	before, after := Timestamp(0xffffffff_80000000), Timestamp(0x00000000_80000000)
	if got := after.Sub(before); got != time.Second {
		t.Errorf("got %v, want 1s", got)
	}
	if got := before.Sub(after); got != -time.Second {
		t.Errorf("got %v, want -1s", got)
	}
}

func TestShortRoundsUpAndClamps(t *testing.T) {
	for _, tt := range []struct {
		d    time.Duration
		want Short
	}{
		{-time.Second, 0},
		{0, 0},
		{1, 1},
		{time.Second, 1 << 16},
		{time.Second + 1, 1<<16 + 1},
		{1500 * time.Millisecond, 3 << 15},
		{20 * time.Hour, 0xffffffff},
	} {
		if got := ShortFrom(tt.d); got != tt.want {
			t.Errorf("ShortFrom(%v) = %d, want %d", tt.d, got, tt.want)
		}
	}
	for _, s := range []Short{0, 1, 65535, 65536, 0xffffffff} {
		if got := ShortFrom(s.Duration()); got != s && got != s+1 {
			t.Errorf("ShortFrom(%d.Duration()) = %d", s, got)
		}
	}
}

func TestExponent(t *testing.T) {
	for e, want := range map[Exponent]time.Duration{
		0: time.Second, 6: 64 * time.Second, 17: 131072 * time.Second, -1: time.Second / 2,
		-29: 1, -30: 1, -128: 1, 127: (1 << 33) * time.Second,
	} {
		if got := e.Duration(); got != want {
			t.Errorf("2^%d s: got %v, want %v", e, got, want)
		}
	}
}

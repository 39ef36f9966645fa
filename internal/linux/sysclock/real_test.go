//go:build linux

package sysclock

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ntsd/internal/clock"
)

// TestReal sets the clock, and so runs only in a virtual machine that was
// started for it and says so on its kernel's command line.
func TestReal(t *testing.T) {
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil || !slices.Contains(strings.Fields(string(line)), "ntsd.guest") {
		t.Skip("sets the clock: make test-vm runs it in a virtual machine")
	}
	t.Run("Rates", realRates)
	t.Run("Oscillator", realOscillator)
	t.Run("Steps", realSteps)
	t.Run("TakeOver", realTakeOver)
	t.Run("Status", realStatus)
	t.Run("Leap", realLeap)
	t.Run("MonoAt", realMonoAt)
	t.Run("Bound", realBound)
}

// ownClock returns the calls, and leaves a clock that nobody steers.
func ownClock(t *testing.T) calls {
	t.Helper()
	c := kernelCalls()
	for _, x := range []timex{
		{modes: adjStatus | adjOffset, status: staPLL | staUnsync},
		{modes: adjFrequency | adjTick | adjStatus, tick: nominalTick, status: staUnsync},
		{modes: adjSingleshot},
	} {
		if err := c.adjtime(&x); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func openReal(t *testing.T) *Kernel {
	t.Helper()
	k, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// state reads what the kernel has.
func state(t *testing.T, c calls) timex {
	t.Helper()
	var x timex
	if err := c.adjtime(&x); err != nil {
		t.Fatal(err)
	}
	return x
}

// gain lets about that time pass on the local clock and returns by how much the wall
// clock gained on it.
func gain(c calls, pass time.Duration) (clock.Offset, time.Duration) {
	from := pair(c)
	time.Sleep(pass)
	to := pair(c)
	passed := to.Mono.Sub(from.Mono)
	return to.Wall.Sub(from.Wall.Add(passed)), passed
}

// What only these tests look at.
const (
	adjReadLeft = 0x2000 | adjSingleshot // ADJ_OFFSET_SS_READ
)

// pair is readPair with patience: an emulated machine on a busy computer stands
// still for milliseconds.
func pair(c calls) clock.Reading {
	const enough, tries = 200 * time.Microsecond, 100
	var best clock.Reading
	width := time.Hour
	for range tries {
		before := c.mono()
		wall := c.wall()
		if w := c.mono().Sub(before); w < width {
			width, best = w, clock.Reading{Mono: before.Add(w / 2), Wall: wall}
		}
		if width < enough {
			break
		}
	}
	return best
}

// slack is how far wrong two Readings in an emulated machine may be.
const slack = 2 * time.Millisecond

func realRates(t *testing.T) {
	c := ownClock(t)
	k := openReal(t)
	for _, ppm := range []float64{0, 100, -100, 499.5, -700.25, 83333, -83333, 100000, -100000} {
		set, err := k.SetRate(clock.RatePPM(ppm))
		if err != nil {
			t.Fatal(err)
		}
		in, err := k.Rate()
		if d := set.PPM() - ppm; err != nil || in != set || d > 1e-4 || d < -1e-4 {
			t.Errorf("%v ppm: set %v, in force %v, %v", ppm, set.PPM(), in.PPM(), err)
		}
		got, passed := gain(c, 300*time.Millisecond)
		if want := set.Over(passed); (got - clock.Offset(want)).Abs() > slack {
			t.Errorf("%v ppm: gained %v in %v, want %v", ppm, got.Duration(), passed, want)
		}
	}
}

// realOscillator: another oscillator is a tick that was set before us; it
// is the frequency that we find.
func realOscillator(t *testing.T) {
	c := ownClock(t)
	if err := c.adjtime(&timex{modes: adjTick, tick: 10001}); err != nil {
		t.Fatal(err)
	}
	if rate, err := openReal(t).Rate(); err != nil || rate != clock.RatePPM(100) {
		t.Errorf("tick 10001: got %v ppm, %v, want 100", rate.PPM(), err)
	}
}

func realSteps(t *testing.T) {
	c := ownClock(t)
	k := openReal(t)
	rate, err := k.SetRate(clock.RatePPM(-250))
	if err != nil {
		t.Fatal(err)
	}
	if err := k.SetStatus(Status{Synchronised: true, MaxError: time.Second, TAI: 37}); err != nil {
		t.Fatal(err)
	}
	const year = clock.Offset(365 * 24 * time.Hour)
	home := pair(c)
	for _, o := range []clock.Offset{1500e6, -1500e6, -1, 1, 100 * year, -100 * year, 5e6, -5e6} {
		before := pair(c)
		if err := k.Step(o); err != nil {
			t.Errorf("step by %v: %v", o.Duration(), err)
			continue
		}
		after := pair(c)
		got := after.Wall.Sub(before.Wall.Add(after.Mono.Sub(before.Mono)))
		if (got - o).Abs() > slack {
			t.Errorf("step by %v: the clock moved by %v", o.Duration(), got.Duration())
		}
		x := state(t, c)
		if in := joinRate(x.tick, x.freq); in != rate {
			t.Errorf("step by %v: rate became %v ppm, want %v", o.Duration(), in.PPM(), rate.PPM())
		}
		if x.status&staUnsync == 0 {
			t.Errorf("step by %v: the kernel still calls itself synchronised", o.Duration())
		}
	}
	end := pair(c)
	if got := end.Wall.Sub(home.Wall.Add(end.Mono.Sub(home.Mono))); (got - clock.Offset(rate.Over(end.Mono.Sub(home.Mono)))).Abs() > 2*slack {
		t.Errorf("all steps together moved the clock by %v", got.Duration())
	}
}

// realTakeOver: what others asked the kernel to do has no effect after Open.
func realTakeOver(t *testing.T) {
	c := ownClock(t)
	for name, x := range map[string]timex{
		"adjtime":       {modes: adjSingleshot, offset: 400_000},
		"PLL":           {modes: adjStatus | adjOffset, status: staPLL, offset: 400_000},
		"PLL, unsynced": {modes: adjStatus | adjOffset, status: staPLL | staUnsync, offset: -400_000},
	} {
		ownClock(t)
		synced := x.status&staUnsync == 0 && x.modes&adjStatus != 0
		if err := c.adjtime(&x); err != nil {
			t.Fatal(err)
		}
		openReal(t)
		got := state(t, c)
		if got.offset != 0 || got.status&^staUnsync&^staNano != 0 {
			t.Errorf("%s: offset %d, status %#x", name, got.offset, got.status)
		}
		if s := got.status&staUnsync == 0; s != synced {
			t.Errorf("%s: synchronised %v, want %v", name, s, synced)
		}
		left := timex{modes: adjReadLeft}
		if err := c.adjtime(&left); err != nil || left.offset != 0 {
			t.Errorf("%s: adjtime has %d us left, %v", name, left.offset, err)
		}
		if got, passed := gain(c, 1200*time.Millisecond); got.Abs() > slack {
			t.Errorf("%s: the clock gained %v in %v", name, got.Duration(), passed)
		}
	}
}

func realStatus(t *testing.T) {
	c := ownClock(t)
	k := openReal(t)
	for _, s := range []struct {
		set                Status
		status             int32
		maxError, estError int64
	}{
		{Status{Synchronised: true, MaxError: 1500 * time.Microsecond, EstError: 20 * time.Microsecond, TAI: 37}, 0, 1500, 20},
		{Status{Synchronised: true, Leap: LeapInsert, MaxError: time.Second}, staIns, 1e6, 0},
		{Status{Synchronised: true, Leap: LeapDelete, MaxError: time.Second}, staDel, 1e6, 0},
		{Status{MaxError: time.Hour, EstError: time.Hour}, staUnsync, maxErrorMicros, maxErrorMicros},
		{Status{Synchronised: true, MaxError: time.Hour}, staUnsync, maxErrorMicros, 0},
		{Status{Synchronised: true}, 0, 0, 0},
	} {
		if err := k.SetStatus(s.set); err != nil {
			t.Fatal(err)
		}
		got := state(t, c)
		if got.status&^staNano != s.status || got.estError != s.estError || got.tai != 37 ||
			got.maxError < s.maxError || got.maxError > s.maxError+2000 { // it ages
			t.Errorf("%+v: status %#x, max error %d, estimate %d, TAI %d", s.set, got.status, got.maxError, got.estError, got.tai)
		}
	}
}

// realLeap lives through the ends of three days.
func realLeap(t *testing.T) {
	c := ownClock(t)
	k := openReal(t)
	home := pair(c)
	midnight := clock.WallUnix(1483228800, 0) // 2017-01-01, after the latest leap second
	for _, day := range []struct {
		leap Leap
		gain clock.Offset
		tai  int32
	}{
		{LeapNone, 0, 36},
		{LeapInsert, -clock.Offset(time.Second), 37},
		{LeapDelete, clock.Offset(time.Second), 35},
	} {
		if err := k.Step(midnight.Add(-2500 * time.Millisecond).Sub(pair(c).Wall)); err != nil {
			t.Fatal(err)
		}
		if err := k.SetStatus(Status{Synchronised: true, Leap: day.leap, MaxError: time.Millisecond, TAI: 36}); err != nil {
			t.Fatal(err)
		}
		// The kernel arms itself when a second begins, and leaps at a later one.
		got, _ := gain(c, 4*time.Second)
		if (got - day.gain).Abs() > slack {
			t.Errorf("leap %v: the clock gained %v, want %v", day.leap, got.Duration(), day.gain.Duration())
		}
		if x := state(t, c); x.tai != day.tai {
			t.Errorf("leap %v: TAI-UTC %d, want %d", day.leap, x.tai, day.tai)
		}
		if err := k.SetStatus(Status{Synchronised: true, MaxError: time.Millisecond, TAI: day.tai}); err != nil {
			t.Fatal(err)
		}
		// The leap that was made is not made again at the next midnight.
		if x := state(t, c); x.status&(staIns|staDel) != 0 {
			t.Errorf("leap %v: still armed, status %#x", day.leap, x.status)
		}
		gain(c, 1100*time.Millisecond) // it notices when a second begins
	}
	now := pair(c)
	if err := k.Step(home.Wall.Add(now.Mono.Sub(home.Mono)).Sub(now.Wall)); err != nil {
		t.Fatal(err)
	}
}

// realMonoAt: times of the wall clock are found again on the local clock,
// over changes of the rate and over steps.
func realMonoAt(t *testing.T) {
	c := ownClock(t)
	k := openReal(t)
	for i, ppm := range []float64{0, 80000, -80000, 10, 0} {
		before := pair(c)
		gain(c, 100*time.Millisecond)
		if _, err := k.SetRate(clock.RatePPM(ppm)); err != nil {
			t.Fatal(err)
		}
		if i == 3 {
			if err := k.Step(3e9); err != nil {
				t.Fatal(err)
			}
		}
		gain(c, 100*time.Millisecond)
		got := time.Hour
		for range 10 { // it reads the clocks, too
			if d := k.MonoAt(before.Wall).Sub(before.Mono); d.Abs() < got.Abs() {
				got = d
			}
		}
		if got.Abs() > slack {
			t.Errorf("before %v ppm: MonoAt is wrong by %v", ppm, got)
		}
	}
	if err := k.Step(-3e9); err != nil {
		t.Fatal(err)
	}
}

// realBound: how well both clocks are read as one instant; it is logged,
// not judged.
func realBound(t *testing.T) {
	ownClock(t)
	c := kernelCalls()
	var widest, narrowest time.Duration
	for i := range 1000 {
		before := c.mono()
		_ = c.wall()
		w := c.mono().Sub(before)
		widest = max(widest, w)
		if i == 0 || w < narrowest {
			narrowest = w
		}
	}
	var res unix.Timespec
	if err := unix.ClockGetres(unix.CLOCK_MONOTONIC_RAW, &res); err != nil {
		t.Fatal(err)
	}
	t.Logf("two readings take %v to %v; resolution %v", narrowest, widest, time.Duration(res.Nano()))
}

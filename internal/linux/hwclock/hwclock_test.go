//go:build linux

package hwclock

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ntsd/internal/clock"
)

// bench is a machine with a card, made of software: mono is true time, the wall
// clock and the card's clock are lines over it.
type bench struct {
	now   clock.Mono
	wall  clock.Line
	card  clock.Line // its "wall" is the card's time
	rng   *rand.Rand
	noise time.Duration // of a reading of the system's clock, either way
	reads int
	fail  error

	ability ability
	set     []int32
	doing   config
	speed   int64
}

func newBench(seed uint64) *bench {
	b := &bench{
		now: 100e9, rng: rand.New(rand.NewPCG(seed, 1)), noise: 2 * time.Microsecond, speed: 100e6,
		ability: ability{
			flags: unix.SOF_TIMESTAMPING_TX_HARDWARE | unix.SOF_TIMESTAMPING_RX_HARDWARE | unix.SOF_TIMESTAMPING_RAW_HARDWARE | 0x10,
			tx:    1 << unix.HWTSTAMP_TX_ON, rx: 1<<unix.HWTSTAMP_FILTER_NONE | 1<<unix.HWTSTAMP_FILTER_ALL,
		},
	}
	b.wall = clock.Line{At: clock.Reading{Mono: b.now, Wall: clock.WallUnix(1_790_000_000, 0)}, Rate: 40e-6}
	b.card = clock.Line{At: clock.Reading{Mono: b.now, Wall: 5e9}, Rate: -30e-6} // since its driver came up
	return b
}

func (b *bench) calls() calls {
	return calls{
		able:    func(string) (ability, error) { return b.ability, b.fail },
		current: func(string) (config, error) { return b.doing, nil },
		enable:  func(_ string, f int32) error { b.set = append(b.set, f); return nil },
		openPHC: func(int32) (device, error) { return b, nil },
		speed:   func(string) int64 { return b.speed },
	}
}

// Read is the card's clock between two readings of the system's; all take time.
func (b *bench) Read(n int) (rs []reading, err error) {
	b.reads++
	for range n {
		r := reading{before: b.wall.WallAt(b.now)}
		b.now = b.now.Add(time.Duration(b.rng.Int64N(int64(b.noise))))
		r.card = b.stamp(b.now)
		b.now = b.now.Add(time.Duration(b.rng.Int64N(int64(b.noise))))
		r.after = b.wall.WallAt(b.now)
		rs = append(rs, r)
	}
	return rs, b.fail
}

func (b *bench) Close() error { return nil }

// stamp is what the card makes of a packet at a time.
func (b *bench) stamp(at clock.Mono) Time { return Time(b.card.WallAt(at)) }

func (b *bench) monoAt(w clock.Wall) clock.Mono { return b.wall.MonoAt(w) }

func (b *bench) open(t *testing.T) *Card {
	t.Helper()
	c, err := open("eth0", b.calls())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestLocal: stamps of packets that were under way for up to a quarter of a
// second, one exchange a minute, are mapped to a microsecond or two.
func TestLocal(t *testing.T) {
	for seed := range uint64(5) {
		b := newBench(seed)
		c := b.open(t)
		for i := range 50 {
			b.now = b.now.Add(time.Minute)
			sent, came := b.now, b.now.Add(250*time.Millisecond)
			b.now = came
			for _, at := range []clock.Mono{sent, came} {
				got, ok := c.Local(b.stamp(at), b.monoAt)
				// Until the rate is known, 30 ppm of the packet's age are missing.
				limit := 2 * b.noise
				if i == 0 {
					limit += clock.RatePPM(30).Over(250 * time.Millisecond)
				}
				if e := got.Sub(at); !ok || e.Abs() > limit {
					t.Errorf("seed %d, exchange %d: a stamp is off by %v (%t), want at most %v", seed, i, e, ok, limit)
				}
			}
		}
		if b.reads > 2*50 {
			t.Errorf("seed %d: the card's clock was read %d times for 100 stamps", seed, b.reads)
		}
	}
}

// TestCardIsSet: somebody sets the card's clock, or its rate.
func TestCardIsSet(t *testing.T) {
	for name, change := range map[string]func(*bench){
		"back":       func(b *bench) { b.card.At.Wall -= 3e9 },
		"ahead":      func(b *bench) { b.card.At.Wall += 37e9 },
		"a little":   func(b *bench) { b.card.At.Wall += 50_000_000 },
		"its rate":   func(b *bench) { b.card = b.card.From(b.now); b.card.Rate += 500e-6 },
		"system set": func(b *bench) { b.wall.At.Wall += 5e9 }, // the card is no matter of that
	} {
		b := newBench(7)
		c := b.open(t)
		for range 20 {
			b.now = b.now.Add(16 * time.Second)
			c.Local(b.stamp(b.now), b.monoAt)
		}
		change(b)
		for i := range 20 {
			b.now = b.now.Add(16 * time.Second)
			at := b.now.Add(-20 * time.Millisecond)
			got, ok := c.Local(b.stamp(at), b.monoAt)
			if e := got.Sub(at); !ok || e.Abs() > 2*b.noise+clock.RatePPM(530).Over(20*time.Millisecond) {
				t.Errorf("%s, %d later: off by %v (%t)", name, i, e, ok)
			}
		}
	}
}

// TestStamps: a stamp that no card, or more than one, can have made is in doubt.
func TestStamps(t *testing.T) {
	one, other := newBench(1), newBench(2)
	other.card.At.Wall = 77e9
	cards := Cards{one.open(t), other.open(t)}
	from := one.now
	at := from.Add(3 * time.Millisecond)
	to := from.Add(5 * time.Millisecond)
	one.now, other.now = to, to
	x := Exchange{from, to, one.monoAt}
	got, ok := cards.Sent(one.stamp(at), x)
	if !ok || got.Sub(at).Abs() > 5*time.Microsecond {
		t.Errorf("of the first card: %v, off by %v", ok, got.Sub(at))
	}
	// A reply is there when its end is: 7.52 us after its stamp at 100 Mb/s.
	got, ok = cards.Received(other.stamp(at), x, 48, false)
	if e := got.Sub(at) - 7520; !ok || e.Abs() > 5*time.Microsecond {
		t.Errorf("of the second card: %v, off by %v", ok, e)
	}
	for name, c := range map[string]struct {
		cards Cards
		stamp Time
	}{
		"from before the packet": {cards, one.stamp(from.Add(-time.Second))},
		"from the future":        {cards, one.stamp(to.Add(time.Second))},
		"of two cards":           {Cards{cards[0], cards[0]}, one.stamp(at)},
		"of no card":             {nil, one.stamp(at)},
		"none":                   {cards, 0},
	} {
		_, sent := c.cards.Sent(c.stamp, x)
		if _, received := c.cards.Received(c.stamp, x, 48, false); sent || received {
			t.Errorf("a stamp %s is believed", name)
		}
	}
	one.fail, other.fail = fs.ErrClosed, fs.ErrClosed
	one.now = one.now.Add(time.Hour)
	if _, ok := cards.Sent(one.stamp(one.now), Exchange{one.now, one.now, one.monoAt}); ok {
		t.Error("a stamp of a card whose clock is gone is believed")
	}
}

func TestOpen(t *testing.T) {
	const none, all, ntp, ptp = 1 << unix.HWTSTAMP_FILTER_NONE, 1 << unix.HWTSTAMP_FILTER_ALL,
		1 << unix.HWTSTAMP_FILTER_NTP_ALL, 1 << unix.HWTSTAMP_FILTER_PTP_V1_L4_EVENT
	for name, c := range map[string]struct {
		change func(*bench)
		want   error
		set    string // the filters asked for
	}{
		"all":                 {func(*bench) {}, nil, "[1]"},
		"NTP only":            {func(b *bench) { b.ability.rx = none | ntp }, nil, "[15]"},
		"all and NTP":         {func(b *bench) { b.ability.rx = none | all | ntp }, nil, "[1]"},
		"PTP only":            {func(b *bench) { b.ability.rx = none | ptp }, ErrNoStamps, "[]"},
		"no transmit stamps":  {func(b *bench) { b.ability.tx = 1 << unix.HWTSTAMP_TX_OFF }, ErrNoStamps, "[]"},
		"software only":       {func(b *bench) { b.ability.flags = 0x1a }, ErrNoStamps, "[]"},
		"no clock":            {func(b *bench) { b.ability.phc = -1 }, ErrNoClock, "[]"},
		"no such card":        {func(b *bench) { b.fail = unix.ENODEV }, unix.ENODEV, "[]"},
		"in use for all":      {func(b *bench) { b.doing = config{unix.HWTSTAMP_TX_ON, unix.HWTSTAMP_FILTER_ALL} }, nil, "[]"},
		"in use, for PTP":     {func(b *bench) { b.doing = config{unix.HWTSTAMP_TX_ON, unix.HWTSTAMP_FILTER_PTP_V1_L4_EVENT} }, nil, "[1]"},
		"in use, not sending": {func(b *bench) { b.doing = config{unix.HWTSTAMP_TX_OFF, unix.HWTSTAMP_FILTER_ALL} }, nil, "[1]"},
	} {
		b := newBench(1)
		c.change(b)
		if _, err := open("eth0", b.calls()); !errors.Is(err, c.want) || fmt.Sprint(b.set) != c.set {
			t.Errorf("%s: got %v, asked for filters %v; want %v, %s", name, err, b.set, c.want, c.set)
		}
	}
}

// TestWire: 48 bytes of NTP are 94 bytes on Ethernet with IPv4.
func TestWire(t *testing.T) {
	b := newBench(1)
	c := b.open(t)
	if got, want := c.wire(48, false, 0), 7520*time.Nanosecond; got != want {
		t.Errorf("100 Mb/s: got %v, want %v", got, want)
	}
	b.speed = 1000e6
	if got, want := c.wire(48, true, 1), 9120*time.Nanosecond; got != want {
		t.Errorf("asked again at once: got %v, want %v", got, want)
	}
	if got, want := c.wire(48, true, clock.Mono(time.Hour)), 912*time.Nanosecond; got != want {
		t.Errorf("1 Gb/s: got %v, want %v", got, want)
	}
	b.speed = 0
	if got := c.wire(48, true, clock.Mono(2*time.Hour)); got != 0 {
		t.Errorf("unknown: got %v, want 0", got)
	}
}

// TestNoHardware asks this machine's kernel about the one card that everybody
// has, which cannot stamp by hardware.
func TestNoHardware(t *testing.T) {
	if c, err := Open("lo"); err == nil {
		t.Errorf("the loopback interface stamps: %+v", c)
	}
	if _, err := Open("there-is-none"); err == nil {
		t.Error("a card that is not there stamps")
	}
}

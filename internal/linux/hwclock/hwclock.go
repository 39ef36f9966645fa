//go:build linux

// Package hwclock makes network cards stamp packets and maps their stamps to
// the local timescale: it switches stamping on (SIOCSHWTSTAMP), reads the card's
// own clock beside the system's (PTP_SYS_OFFSET_EXTENDED) and follows how the
// two drift. It belongs to layer 4.
//
// Non-goals: it sets no card's clock, knows no packet (linux/udp) and runs no
// PTP. It has been tried with devices made of software only.
package hwclock

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"ntsd/internal/clock"
)

// Time is a moment on a card's own timescale in nanoseconds: TAI where somebody
// keeps it, the time since its driver came up where nobody does.
type Time int64

// Implementation constants.
const (
	// readings of the card's clock are made at a time; that with the shortest
	// window between two readings of the system's counts. Each takes a
	// microsecond or two over PCI Express.
	readings = 5
	// freshFor is how long a mapping is believed without a new reading: at 10 ppm
	// that are not in the measured rate it is wrong by 5 us then.
	freshFor = 500 * time.Millisecond
	// speedFor is how long the link's speed is believed.
	speedFor = time.Minute
	// slack is how far beyond what is possible a stamp may lie.
	slack = time.Millisecond
)

// Why a card is of no use. Test with errors.Is.
var (
	ErrNoStamps = errors.New("the card cannot stamp all packets")
	ErrNoClock  = errors.New("the card has no clock that can be read")
)

// Card is one network interface whose card stamps packets. It is safe for
// concurrent use; Open makes one.
type Card struct {
	name  string
	calls calls
	phc   device

	mu      sync.Mutex
	mapping mapping
	speed   int64 // of the link, bits per second; 0: unknown
	asked   clock.Mono
	known   bool
}

// device reads a card's clock beside CLOCK_REALTIME, several times.
type device interface {
	Read(n int) ([]reading, error)
	Close() error
}

// reading is the card's clock between two readings of the system's.
type reading struct {
	before, after clock.Wall
	card          Time
}

// Open switches the stamping of all packets on and opens the card's clock. It
// needs CAP_NET_ADMIN, unless the card stamps already.
func Open(name string) (*Card, error) { return open(name, kernelCalls()) }

func open(name string, c calls) (*Card, error) {
	able, err := c.able(name)
	if err != nil {
		return nil, fmt.Errorf("hwclock: %s: what it can: %w", name, err)
	}
	if !able.stamps() {
		return nil, fmt.Errorf("hwclock: %s: %w", name, ErrNoStamps)
	}
	if able.phc < 0 {
		return nil, fmt.Errorf("hwclock: %s: %w", name, ErrNoClock)
	}
	if now, err := c.current(name); err != nil || !now.all() {
		if err := c.enable(name, able.filter()); err != nil {
			return nil, fmt.Errorf("hwclock: %s: switch stamping on: %w", name, err)
		}
	}
	phc, err := c.openPHC(able.phc)
	if err != nil {
		return nil, fmt.Errorf("hwclock: %s: %w: %w", name, ErrNoClock, err)
	}
	return &Card{name: name, calls: c, phc: phc}, nil
}

// Name is the interface's name.
func (c *Card) Name() string { return c.name }

// Close gives the card's clock back. Stamping stays on: others may use it.
func (c *Card) Close() error { return c.phc.Close() }

// Local returns the local time of a stamp that was taken a moment ago. monoAt
// maps CLOCK_REALTIME to the local timescale. ok is false where the card's clock
// cannot be read.
func (c *Card) Local(stamp Time, monoAt func(clock.Wall) clock.Mono) (m clock.Mono, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if age, ok := c.mapping.age(stamp); !ok || age > freshFor {
		rs, err := c.phc.Read(readings)
		if err != nil || len(rs) == 0 {
			return 0, false
		}
		best := rs[0]
		for _, r := range rs[1:] {
			if r.after.Sub(r.before) < best.after.Sub(best.before) {
				best = r
			}
		}
		middle := best.before.Add(best.after.Sub(best.before).Duration() / 2)
		c.mapping.add(point{card: best.card, mono: monoAt(middle)})
	}
	return c.mapping.local(stamp), true
}

// wire is how long a packet of n bytes of UDP payload is on the wire, from the
// moment that cards stamp it (the end of the preamble) to its end: NTP's receive
// timestamps are of the end. 0 where the link's speed is not known.
func (c *Card) wire(n int, v6 bool, now clock.Mono) time.Duration {
	const ethernet, udp, ipv4, ipv6 = 14 + 4, 8, 20, 40 // header and checksum
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.known || now.Sub(c.asked) > speedFor {
		c.speed, c.asked, c.known = c.calls.speed(c.name), now, true
	}
	if c.speed <= 0 {
		return 0
	}
	n += ethernet + udp + ipv4
	if v6 {
		n += ipv6 - ipv4
	}
	return time.Duration(int64(n) * 8 * int64(time.Second) / c.speed)
}

// Cards are all that stamp. The nil value has none.
type Cards []*Card

// Exchange is when a request was sent and its reply came, at the earliest and at
// the latest, and what maps CLOCK_REALTIME to the local timescale.
type Exchange struct {
	From, To clock.Mono
	MonoAt   func(clock.Wall) clock.Mono
}

// Sent returns the local time of the request's stamp.
func (cs Cards) Sent(stamp Time, x Exchange) (clock.Mono, bool) {
	_, at, ok := cs.find(stamp, x)
	return at, ok
}

// Received returns the local time at which a reply of n bytes was there, by its
// stamp.
func (cs Cards) Received(stamp Time, x Exchange, n int, v6 bool) (clock.Mono, bool) {
	card, at, ok := cs.find(stamp, x)
	if !ok {
		return 0, false
	}
	return at.Add(card.wire(n, v6, x.To)), true
}

// find returns the card that took a stamp, and when. It is in doubt, and ok is
// false, where no card's clock, or more than one, puts it into the exchange: a
// socket does not say which card a packet passed.
func (cs Cards) find(stamp Time, x Exchange) (card *Card, m clock.Mono, ok bool) {
	if stamp == 0 {
		return nil, 0, false
	}
	for _, c := range cs {
		at, good := c.Local(stamp, x.MonoAt)
		if !good || at < x.From.Add(-slack) || at > x.To.Add(slack) {
			continue
		}
		if card != nil {
			return nil, 0, false
		}
		card, m = c, at
	}
	return card, m, card != nil
}

// Close closes all cards.
func (cs Cards) Close() {
	for _, c := range cs {
		_ = c.Close()
	}
}

// Package boot simulates routers that boot: with a clock that says anything,
// with NTS servers whose certificates have dates, with flash that keeps what
// was written when the power goes at any instant. The very engine that the
// daemon runs decides; what must never happen is checked at every action.
//
// Tests only. Non-goals: how well the clock is kept afterwards (package sim),
// TLS (a chain is a window of time here), and files (a write is all or nothing,
// as package store promises).
package boot

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"time"

	"ntsd/internal/bootstrap"
	"ntsd/internal/clock"
	"ntsd/internal/engine"
	"ntsd/internal/event"
	"ntsd/internal/nts"
	"ntsd/internal/upstream"
)

// Built is when the program was built: no true time lies before it.
const Built = clock.Wall(1_790_000_000_000_000_000) // 2026-09-21

// Day is a day.
const Day = 24 * time.Hour

// Chain is the validity that a server's certificates share, and since when it
// shows them.
type Chain struct{ Since, NotBefore, NotAfter clock.Wall }

// Server is one server of keys and time, with the path to it.
type Server struct {
	Name, Operator string
	Addr           netip.Addr
	Plain          bool // without NTS
	NoVal, Pool    bool
	Trip           time.Duration // round trip
	Loss           float64
	Delay          time.Duration // that somebody on the path adds to replies
	Lie            clock.Offset  // its clock less the truth
	Dead           bool
	Deaf           time.Duration // so long after the start requests get lost
	Chains         []Chain       // the latest whose time has come is shown
	Again          *Chain        // is shown from the second key establishment on
	Lost           []clock.Wall  // when it forgets its cookie keys

	ring *nts.Keyring
	key  uint32
	kes  int
}

// Life is the time between two starts of the daemon.
type Life struct {
	Off     time.Duration // how long before it nothing ran
	Restart bool          // the power stayed: memory and clock too
	Clock   clock.Wall    // what the kernel says at the boot; 0: 1970
	Lasts   time.Duration
	Cut     bool // it ends by a power cut
	// CutAt is the action at which the power is cut, in the middle of it if it
	// writes; 0: at the end of Lasts.
	CutAt    int
	Network  time.Duration // is there after so long
	Names    time.Duration // are resolved after so long; negative: never
	ReadOnly bool          // the flash
	Mode     bootstrap.Mode
	AtFloor  bool // the clock is set to the floor at the start
	Agree    int
	Events   []Event
}

// Event is a change of the world so long after the start.
type Event struct {
	After time.Duration
	Do    func()
}

// World is a router, its servers and its flash.
type World struct {
	Servers []*Server
	Truth   clock.Wall // true time when the next life begins

	seed  uint64
	rng   *rand.Rand
	bytes io.Reader

	disk    disk
	memory  volatile
	cookies map[string]bool // that servers have seen
	strict  map[string]bool // operators whose certificates were judged strictly
	// Broken is what must never happen and did.
	Broken []string

	life    *life
	Results []Result // of each life
}

// disk is what survives the power.
type disk struct {
	state   event.Boot
	reserve []nts.Session
	writes  int
}

// volatile is what survives the daemon.
type volatile struct {
	sessions map[netip.AddrPort]nts.Session
	backoffs map[netip.AddrPort]event.Backoff
}

// Result is what became of one life.
type Result struct {
	Synchronised bool          // at the end
	After        time.Duration // of the start, until it was; 0: never
	Wrong        clock.Offset  // truth less the clock, at the end
	KEs, Steps   int
	Writes       int // of flash
	Notices      []event.Notice
	Status       bootstrap.Status
}

// Count returns how often a notice was given.
func (r *Result) Count(kind event.NoticeKind) (n int) {
	for _, x := range r.Notices {
		if x.Kind == kind {
			n++
		}
	}
	return n
}

// New returns a world at a time, with so many honest servers of different
// operators, 50 ms away. Their certificates are valid for 90 days, 20 of them
// over, and renewed 30 days before their end.
func New(seed uint64, truth clock.Wall, servers int) *World {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	w := &World{
		Truth: truth, seed: seed, rng: rand.New(rand.NewPCG(seed, 0)), bytes: rand.NewChaCha8(key),
		cookies: map[string]bool{}, strict: map[string]bool{},
	}
	for i := range servers {
		w.Add(Server{})
		s := w.Servers[i]
		for from := truth.Add(-20 * Day); from < truth.Add(1000*Day); from = from.Add(60 * Day) {
			s.Chains = append(s.Chains, Chain{Since: from, NotBefore: from, NotAfter: from.Add(90 * Day)})
		}
	}
	w.memory = volatile{map[netip.AddrPort]nts.Session{}, map[netip.AddrPort]event.Backoff{}}
	return w
}

// Add adds a server. What is missing is filled in.
func (w *World) Add(s Server) *Server {
	i := len(w.Servers) + 1
	if s.Name == "" {
		s.Name = fmt.Sprintf("time%d.example", i)
	}
	if s.Operator == "" && !s.Plain {
		s.Operator = fmt.Sprintf("operator%d", i)
	}
	if s.Trip == 0 {
		s.Trip = 50 * time.Millisecond
	}
	s.Addr = netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})
	w.Servers = append(w.Servers, &s)
	return &s
}

// config is the daemon's configuration.
func (w *World) config(l *Life) engine.Config {
	c := engine.Config{
		MakeStep:  engine.MakeStep{Threshold: time.Second, Limit: 3},
		MaxSlew:   clock.RatePPM(83333),
		Bootstrap: engine.Bootstrap{Mode: l.Mode, Agree: l.Agree, Deadline: 300 * time.Second},
		Floor:     w.floor(), FloorFrom: "the build or the flash", StartAtFloor: l.AtFloor,
	}
	for _, s := range w.Servers {
		kind := upstream.Server
		if s.Pool {
			kind = upstream.Pool
		}
		c.Sources = append(c.Sources, upstream.Source{
			Kind: kind, Name: s.Name, Operator: s.Operator, NTS: !s.Plain, NoVal: s.NoVal, IBurst: true,
			MinPoll: 6, MaxPoll: 10, MaxSources: 1,
		})
	}
	return c
}

// floor is T0 of the next life.
func (w *World) floor() clock.Wall {
	if t := w.disk.state.Time; t != 0 {
		return max(Built, t.Add(-w.disk.state.TimeError))
	}
	return Built
}

// breaks notes what must never happen.
func (w *World) breaks(format string, args ...any) {
	const enough = 10
	if len(w.Broken) < enough {
		w.Broken = append(w.Broken, fmt.Sprintf("life %d at %v: %s", len(w.Results)+1, time.Duration(w.life.mono-w.life.born), fmt.Sprintf(format, args...)))
	}
}

// Disk returns what lies on the flash, for tests that damage it.
func (w *World) Disk() (*event.Boot, *[]nts.Session) { return &w.disk.state, &w.disk.reserve }

// Package scenario reads the files that describe worlds for package sim, and the
// limits that their runs must keep to. README.md of sim has the language. Like
// sim it is for tests and for cmd/ntssim.
//
// Non-goals: it runs nothing and decides nothing about worlds that a file does
// not say.
package scenario

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/engine"
	"ntsd/internal/event"
	"ntsd/internal/mac"
	"ntsd/internal/ntptime"
	"ntsd/internal/selection"
	"ntsd/internal/sim"
	"ntsd/internal/upstream"
)

// Bounds of a scenario file.
const (
	maxScenario = 64 << 10 // bytes
	maxServers  = 50
	maxEvents   = 100 // of one kind
)

const (
	second  = sim.Instant(1e9)
	ntpPort = 123
)

// Scenario is a world described in a file, with the limits that its runs must
// keep to. README.md has the language.
type Scenario struct {
	Name   string
	About  string // the comment at the top
	Limits []Limit
	world  sim.World
	// implied: it has no limit of its own on what the bound covers.
	implied bool
}

// World returns the world for a seed. Worlds of one scenario share memory that
// nobody writes to.
func (s *Scenario) World(seed uint64) sim.World {
	w := s.world
	w.Seed = seed
	return w
}

// Parse reads a scenario. Errors name the file and the line.
func Parse(name string, text []byte) (Scenario, error) {
	if len(text) > maxScenario {
		return Scenario{}, fmt.Errorf("scenario: %s: more than %d bytes", name, maxScenario)
	}
	b := newBuilder(name)
	for i, line := range strings.Split(string(text), "\n") {
		line, comment, _ := strings.Cut(line, "#")
		w := &words{left: strings.Fields(line)}
		if len(w.left) == 0 {
			b.comment(strings.TrimSpace(comment))
			continue
		}
		b.begun = true
		b.line(w)
		if err := w.end(); err != nil {
			return Scenario{}, fmt.Errorf("scenario: %s line %d: %w", name, i+1, err)
		}
	}
	if err := b.finish(); err != nil {
		return Scenario{}, fmt.Errorf("scenario: %s: %w", name, err)
	}
	return b.Scenario, nil
}

// builder makes a scenario from its lines.
type builder struct {
	Scenario
	begun   bool
	sources []upstream.Source // one per server, until pools are joined
	chosen  []int             // servers that the next lines are for
	pooled  map[int]int       // by server: which pool it is of
	pools   []int             // by pool: how many associations are wanted
}

// epoch is when worlds begin unless their file says something else.
const epoch = clock.Wall(1_790_000_000_000_000_000) // 2026-09-21

// leapDay is when worlds with a leap second have it.
const leapDay = clock.Wall(1_798_718_400_000_000_000) // 2026-12-31

func newBuilder(name string) *builder {
	b := &builder{pooled: make(map[int]int)}
	b.Name = name
	b.world = sim.World{
		Oscillator: sim.Oscillator{Base: clock.RatePPM(100), Wander: 1e-9},
		Epoch:      epoch,
		WallError:  clock.Offset(time.Second),
		Engine: engine.Config{
			MakeStep:  engine.MakeStep{Threshold: 100 * time.Millisecond, Limit: 3},
			Selection: selection.DefaultConfig(),
		},
		Duration: 20000 * time.Second,
		Settle:   6000 * time.Second,
	}
	return b
}

// comment collects the lines before the first directive.
func (b *builder) comment(text string) {
	if !b.begun && text != "" {
		b.About = strings.TrimSpace(b.About + " " + text)
	}
}

func (b *builder) line(w *words) {
	switch key := w.next("directive"); key {
	case "run":
		b.run(w)
	case "leap":
		b.leap(w)
	case "client":
		b.client(w)
	case "servers":
		b.servers(w)
	case "server":
		b.chosen = []int{w.integer("server", 1, max(len(b.sources), 1)) - 1}
		if len(b.sources) == 0 {
			w.fail("there are no servers yet")
		}
	case "limit", "goal":
		l := w.limit()
		l.Goal = key == "goal"
		if b.Limits = append(b.Limits, l); len(b.Limits) > maxEvents {
			w.fail("too many limits")
		}
	default:
		b.server(key, w)
	}
}

// run reads the length of the run.
func (b *builder) run(w *words) {
	b.world.Duration = w.positive("length")
	b.world.Settle = b.world.Duration * 3 / 10
	for w.more() {
		switch {
		case w.skip("settle"):
			b.world.Settle = w.duration("settle")
		case w.skip("from"):
			t, err := time.Parse(time.RFC3339, w.next("date"))
			if err != nil || t.Year() < 1970 || t.Year() > 2200 {
				w.fail("from: want a date like 2026-09-21T00:00:00Z")
				return
			}
			b.world.Epoch = clock.WallTime(t)
		default:
			return
		}
	}
}

func (b *builder) leap(w *words) {
	switch word := w.next("insert or delete"); word {
	case "insert", "delete":
		b.world.LeapDelete = word == "delete"
	default:
		w.fail("leap: got %q, want insert or delete", word)
	}
	// It happens between two looks of the checker.
	b.world.LeapAt = w.instant("time") - second/2
}

// servers makes equal servers.
func (b *builder) servers(w *words) {
	n := w.integer("servers", 1, maxServers)
	if len(b.sources)+n > maxServers {
		w.fail("more than %d servers", maxServers)
		return
	}
	b.chosen = nil
	for range n {
		i := len(b.sources)
		b.chosen = append(b.chosen, i)
		s := sim.Server{Addr: netip.AddrFrom4([4]byte{192, 0, byte(2 + i), 1})}
		b.world.Servers = append(b.world.Servers, s)
		b.sources = append(b.sources, upstream.Source{
			Kind: upstream.Server, Name: s.Addr.String(), Port: ntpPort, NTSPort: 4460, IBurst: true,
			MinPoll: 6, MaxPoll: 10,
		})
	}
}

// finish joins what belongs together and checks what no line could.
func (b *builder) finish() error {
	if b.world.Settle >= b.world.Duration || b.world.Settle < 0 {
		return fmt.Errorf("the settling time must lie within the run")
	}
	for i, s := range b.world.Servers {
		if len(s.To) == 0 || len(s.Back) == 0 {
			return fmt.Errorf("server %d has no delay: \"both\", or \"to\" and \"back\"", i+1)
		}
	}
	if b.world.LeapAt > 0 && b.world.Epoch == epoch {
		b.world.Epoch = leapDay.Midnight().Add(-time.Duration(b.world.LeapAt))
		if b.world.LeapDelete {
			b.world.Epoch = b.world.Epoch.Add(-time.Second)
		}
	}
	seen := make(map[int]bool)
	for i, src := range b.sources {
		p, pooled := b.pooled[i]
		if pooled && seen[p] {
			continue
		}
		if pooled {
			seen[p] = true
			src.Kind, src.MaxSources = upstream.Pool, b.pools[p]
		}
		b.world.Engine.Sources = append(b.world.Engine.Sources, src)
	}
	own := func(metric string) bool {
		return slices.ContainsFunc(b.Limits, func(x Limit) bool { return x.Metric == metric && !x.Goal })
	}
	b.implied = !own("covered")
	b.Limits = append(b.Limits, slices.DeleteFunc(implied(), func(l Limit) bool { return own(l.Metric) })...)
	return nil
}

// each calls do for every server that is being described.
func (b *builder) each(do func(s *sim.Server, src *upstream.Source)) {
	for _, i := range b.chosen {
		do(&b.world.Servers[i], &b.sources[i])
	}
}

// server reads a line about the servers chosen last.
func (b *builder) server(key string, w *words) {
	if len(b.chosen) == 0 {
		w.fail("unknown directive %q, or no server yet", key)
		return
	}
	switch key {
	case "to", "back", "both":
		d := w.delay()
		b.each(func(s *sim.Server, _ *upstream.Source) {
			if key != "back" {
				s.To = d
			}
			if key != "to" {
				s.Back = d
			}
		})
	case "reply":
		d := w.delay()
		b.each(func(s *sim.Server, _ *upstream.Source) { s.Reply = d })
	case "basic":
		b.each(func(s *sim.Server, _ *upstream.Source) { s.Basic = true })
	case "loss", "lossback", "forges", "replays", "tampers":
		b.shares(key, w.share(key))
	case "maxlength":
		n := w.integer(key, 1, 65535)
		b.each(func(s *sim.Server, _ *upstream.Source) { s.MaxLength = n })
	case "error":
		terms := w.wrong()
		b.each(func(s *sim.Server, _ *upstream.Source) { s.Error = terms })
	case "dead", "unsynchronised", "noke":
		b.spans(key, w.span(), w)
	case "moves", "rekeys":
		b.moments(key, w.instant(key), w)
	case "pool":
		b.pool(w.integer("pool", 1, maxServers))
	case "resolution":
		d := w.positive(key)
		b.each(func(s *sim.Server, _ *upstream.Source) { s.Resolution = d })
	case "stratum":
		n := w.integer(key, 1, 15)
		b.each(func(s *sim.Server, _ *upstream.Source) { s.Stratum = uint8(n) })
	case "announces":
		b.announces(w)
	default:
		b.source(key, w)
	}
}

func (b *builder) shares(key string, p float64) {
	b.each(func(s *sim.Server, _ *upstream.Source) {
		*map[string]*float64{
			"loss": &s.Loss, "lossback": &s.LossBack, "forges": &s.Attack.Forges,
			"replays": &s.Attack.Replays, "tampers": &s.Attack.Tampers,
		}[key] = p
	})
}

func (b *builder) spans(key string, at sim.When, w *words) {
	b.each(func(s *sim.Server, _ *upstream.Source) {
		list := map[string]*[]sim.When{"dead": &s.Dead, "unsynchronised": &s.Unsynchronised, "noke": &s.NoKE}[key]
		if *list = append(*list, at); len(*list) > maxEvents {
			w.fail("too many lines %q", key)
		}
	})
}

func (b *builder) moments(key string, at sim.Instant, w *words) {
	b.each(func(s *sim.Server, src *upstream.Source) {
		list := &s.Rekeys
		if key == "moves" {
			list = &s.Moves
			if s.Name == "" {
				s.Name = fmt.Sprintf("%s.example", strings.ReplaceAll(s.Addr.String(), ".", "-"))
				src.Name = s.Name
			}
		}
		if *list = append(*list, at); len(*list) > maxEvents || !slices.IsSorted(*list) {
			w.fail("%s: too many, or not in order", key)
		}
	})
}

// pool gives the chosen servers one name, and makes one source of them.
func (b *builder) pool(wanted int) {
	p := len(b.pools)
	b.pools = append(b.pools, wanted)
	name := fmt.Sprintf("pool%d.example", p+1)
	for _, i := range b.chosen {
		b.pooled[i] = p
		b.world.Servers[i].Name, b.sources[i].Name = name, name
	}
}

func (b *builder) announces(w *words) {
	l := event.LeapInsert
	switch word := w.next("insert or delete"); word {
	case "insert":
	case "delete":
		l = event.LeapDelete
	default:
		w.fail("announces: got %q, want insert or delete", word)
	}
	b.each(func(s *sim.Server, _ *upstream.Source) { s.Leap = l })
}

// source reads a line about how the client was told of the servers.
func (b *builder) source(key string, w *words) {
	switch key {
	case "poll":
		least := ntptime.Exponent(w.integer("shortest poll", 0, 17))
		most := ntptime.Exponent(w.integer("longest poll", int(least), 17))
		b.each(func(_ *sim.Server, src *upstream.Source) { src.MinPoll, src.MaxPoll = least, most })
	case "noburst":
		b.each(func(_ *sim.Server, src *upstream.Source) { src.IBurst = false })
	case "nts":
		b.each(func(s *sim.Server, src *upstream.Source) { s.NTS, src.NTS = true, true })
	case "key":
		k := &mac.Secret{ID: 1, Type: mac.AES128, Value: []byte("0123456789abcdef")}
		b.each(func(s *sim.Server, src *upstream.Source) { s.Key, src.Key = k, k })
	case "peer":
		b.each(func(_ *sim.Server, src *upstream.Source) { src.Kind, src.LocalPort = upstream.Peer, 123 })
	case "xleave":
		b.each(func(_ *sim.Server, src *upstream.Source) { src.XLeave = true })
	case "filter":
		n := w.integer(key, 0, 64)
		b.each(func(_ *sim.Server, src *upstream.Source) { src.Filter = n })
	case "maxdelay":
		d := w.positive(key)
		b.each(func(_ *sim.Server, src *upstream.Source) { src.MaxDelay = d })
	case "prefer", "trust", "require", "noselect":
		b.each(func(_ *sim.Server, src *upstream.Source) {
			o := &src.Select
			o.Prefer = o.Prefer || key == "prefer"
			o.Trust = o.Trust || key == "trust"
			o.Require = o.Require || key == "require"
			o.NoSelect = o.NoSelect || key == "noselect"
		})
	default:
		w.fail("unknown directive %q", key)
	}
}

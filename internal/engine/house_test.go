package engine

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"ntsd/internal/assoc"
	"ntsd/internal/bootstrap"
	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/local"
	"ntsd/internal/selection"
	ntpserver "ntsd/internal/server"
	"ntsd/internal/snapshot"
	"ntsd/internal/upstream"
)

// home is a network of hosts that run an engine each, poll each other over
// real packets and answer with package server.
type home struct {
	t     *testing.T
	rng   *rand.Rand
	now   time.Duration // true time since epoch
	hosts []*host
	queue []visit
}

type visit struct {
	at time.Duration
	do func()
}

// host is a computer with an oscillator of its own.
type host struct {
	h     *home
	addr  netip.Addr
	osc   clock.Rate // how fast the oscillator really runs
	eng   *Engine
	srv   *ntpserver.Server
	dead  bool
	wall  clock.Line // of the host's mono
	open  map[event.SourceID]uint64
	steps int
	// kernelLeap is what the kernel was told of; leap is announced in replies,
	// whatever is known, if it is not LeapNone.
	kernelLeap, leap event.Leap
}

func newHouse(t *testing.T, seed uint64) *home {
	t.Helper()
	t.Logf("seed %d", seed)
	return &home{t: t, rng: rand.New(rand.NewPCG(seed, 9))}
}

func (h *home) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(h.rng.Uint32())
	}
	return len(b), nil
}

// add puts a host into the house, whose clock is off by err (positive: ahead).
func (h *home) add(addr string, osc clock.Rate, err time.Duration) *host {
	x := &host{h: h, addr: netip.MustParseAddr(addr), osc: osc, srv: ntpserver.New(ntpserver.Config{})}
	x.wall.At = clock.Reading{Mono: x.mono(), Wall: epoch.Add(h.now + err)}
	h.hosts = append(h.hosts, x)
	return x
}

func (x *host) mono() clock.Mono {
	return clock.Mono(time.Hour) + clock.Mono(x.h.now) + clock.Mono(x.osc.Over(x.h.now))
}

func (x *host) read() clock.Reading {
	m := x.mono()
	return clock.Reading{Mono: m, Wall: x.wall.WallAt(m)}
}

// wrong is by how much the host's clock is ahead of true time.
func (x *host) wrong() time.Duration { return x.read().Wall.Sub(epoch.Add(x.h.now)).Duration() }

// start switches the host on; it asks every other host at intervals of 2^poll.
func (x *host) start(cfg Config) {
	x.dead, x.open = false, map[event.SourceID]uint64{}
	x.eng = New(cfg, x.h, x.read())
	x.perform(x.eng.HandleStart(x.read(), nil, nil, nil))
}

// stop switches it off.
func (x *host) stop() { x.dead = true }

func (x *host) perform(actions []event.Action) {
	for _, a := range actions {
		switch a := a.(type) {
		case event.Send:
			x.send(a)
		case event.CloseSocket:
			delete(x.open, a.Source)
		case event.SetRate:
			x.wall = x.wall.From(x.mono())
			x.wall.Rate = a.Rate
		case event.Step:
			x.steps++
			x.wall = x.wall.From(x.mono())
			x.wall.At.Wall = x.wall.At.Wall.Add(a.Offset.Duration())
		case event.SetStatus:
			x.kernelLeap = a.Leap
		}
	}
}

func (h *home) after(d time.Duration, do func()) { h.queue = append(h.queue, visit{h.now + d, do}) }

// way is how long a packet takes.
func (h *home) way() time.Duration {
	return 200*time.Microsecond + time.Duration(h.rng.ExpFloat64()*float64(20*time.Microsecond))
}

func (x *host) send(a event.Send) {
	eng, sent := x.eng, x.mono()
	x.open[a.Source] = a.Request
	i := slices.IndexFunc(x.h.hosts, func(o *host) bool { return o.addr == a.To.Addr() })
	if i < 0 {
		return
	}
	x.h.after(x.h.way(), func() {
		reply := x.h.hosts[i].answer(x.addr, a.Data)
		if reply == nil {
			return
		}
		x.h.after(x.h.way(), func() {
			if x.dead || x.eng != eng || x.open[a.Source] != a.Request {
				return
			}
			x.perform(x.eng.HandleReceived(x.read(), event.Received{
				Source: a.Source, Request: a.Request, From: a.To, Local: x.addr,
				Sent:     event.Stamp{At: sent, Kind: event.StampKernel},
				Received: event.Stamp{At: x.mono(), Kind: event.StampKernel}, Data: reply,
			}, nil))
		})
	})
}

// leapNow is the kernel's part of a leap second that is inserted.
func (x *host) leapNow() {
	if x.kernelLeap == event.LeapInsert || x.leap == event.LeapInsert {
		x.wall.At.Wall = x.wall.At.Wall.Add(-time.Second)
		x.kernelLeap, x.leap = event.LeapNone, event.LeapNone
	}
}

// served is the time that the host serves.
func (x *host) served() clock.Wall {
	now := x.read()
	if sys := x.eng.System(now); sys.Served.Active {
		return sys.Served.WallAt(now.Mono)
	}
	return now.Wall
}

// answer is what the host's server makes of a request.
func (x *host) answer(from netip.Addr, data []byte) []byte {
	if x.dead || x.eng == nil {
		return nil
	}
	now := x.read()
	sys := x.eng.System(now)
	if x.leap != event.LeapNone {
		sys.Leap = x.leap
	}
	now.Wall = x.served()
	reply, v := x.srv.Reply(nil, ntpserver.Request{
		Data: data, From: netip.AddrPortFrom(from, 4000), Local: x.addr, Received: now.Wall,
	}, now.Wall, ntpserver.System{
		Leap: sys.Leap, Stratum: sys.Stratum, Precision: -20, RootDelay: sys.RootDelay,
		RootDispersion: sys.RootDispersion, ReferenceID: sys.ReferenceID, ReferenceTime: sys.ReferenceTime,
	})
	if !v.Replies() {
		x.h.t.Errorf("%v does not answer: %v", x.addr, v)
	}
	return reply
}

// run lets d pass.
func (h *home) run(d time.Duration) {
	end := h.now + d
	for {
		var do func()
		next := end
		for i := range h.queue {
			if h.queue[i].at <= next {
				next = h.queue[i].at
			}
		}
		for _, x := range h.hosts {
			if x.dead || x.eng == nil {
				continue
			}
			if at := x.eng.NextDeadline(); at != clock.Never {
				in := h.now + max(0, time.Duration(float64(at.Sub(x.mono()))/(1+float64(x.osc)))+1)
				if in < next {
					next, do = in, func() { x.perform(x.eng.HandleTimer(x.read(), nil)) }
				}
			}
		}
		h.now = max(next, h.now)
		if do == nil {
			i := slices.IndexFunc(h.queue, func(v visit) bool { return v.at == next })
			if i < 0 {
				return
			}
			do = h.queue[i].do
			h.queue = slices.Delete(h.queue, i, i+1)
		}
		do()
	}
}

// keepers are the hosts that serve their own time now.
func (h *home) keepers() (found []string) {
	for _, x := range h.hosts {
		if !x.dead && x.eng != nil && x.eng.System(x.read()).Local {
			found = append(found, x.addr.String())
		}
	}
	return found
}

// spread is by how much the clocks of the living differ.
func (h *home) spread() time.Duration {
	var least, most time.Duration
	first := true
	for _, x := range h.hosts {
		if x.dead || x.eng == nil {
			continue
		}
		w := x.wrong()
		if first {
			least, most, first = w, w, false
		}
		least, most = min(least, w), max(most, w)
	}
	return most - least
}

// orphanage is the configuration of a host that polls those of the addresses.
func orphanage(addrs ...string) Config {
	var s []upstream.Source
	for _, a := range addrs {
		s = append(s, upstream.Source{Name: a, IBurst: true, MinPoll: 4, MaxPoll: 6})
	}
	cfg := with(s...)
	cfg.Local = local.Config{
		Enabled: true, Stratum: 10, Orphan: true, WaitSynced: 10 * time.Minute,
		WaitUnsynced: 300 * time.Second,
	}
	return cfg
}

// TestOrphans: three that know nothing agree on the one with the smallest
// address; when it is gone, on the next; when it comes back it takes the time
// that was kept meanwhile.
func TestOrphans(t *testing.T) {
	for _, addrs := range [][]string{
		{"192.0.2.1", "192.0.2.2", "192.0.2.3"},
		// Here the hashes count.
		{"2001:db8::b", "2001:db8::a", "2001:db8::1"},
	} {
		h := newHouse(t, 61)
		slices.SortFunc(addrs, byReferenceID)
		for i, a := range addrs {
			h.add(a, clock.RatePPM(float64(20*(1-i))), time.Duration(i)*400*time.Millisecond)
		}
		for i, x := range h.hosts {
			others := slices.Delete(slices.Clone(addrs), i, i+1)
			x.start(orphanage(others...))
		}
		h.run(290 * time.Second)
		if got := h.keepers(); len(got) != 0 {
			t.Errorf("before the others had their chance: got keepers %v, want none", got)
		}
		h.run(20 * time.Minute)
		h.expect(addrs[:1], 2*time.Millisecond)
		if st := h.hosts[2].eng.System(h.hosts[2].read()); st.Stratum != 11 || st.Local {
			t.Errorf("one that follows: got %+v, want stratum 11", st)
		}

		h.hosts[0].stop()
		h.run(40 * time.Minute)
		h.expect(addrs[1:2], 2*time.Millisecond)

		h.hosts[0].wall = clock.Line{At: clock.Reading{Mono: h.hosts[0].mono(), Wall: epoch}} // far off
		others := addrs[1:]
		h.hosts[0].start(orphanage(others...))
		before := h.hosts[1].steps
		h.run(30 * time.Minute)
		h.expect(addrs[1:2], 2*time.Millisecond)
		if h.hosts[1].steps != before {
			t.Error("the one that came back made the others step")
		}

		h.hosts[1].stop()
		h.run(40 * time.Minute)
		h.expect(addrs[:1], 2*time.Millisecond)
	}
}

func byReferenceID(x, y string) int {
	a, b := assoc.ReferenceID(netip.MustParseAddr(x)), assoc.ReferenceID(netip.MustParseAddr(y))
	return slices.Compare(a[:], b[:])
}

func (h *home) expect(keepers []string, spread time.Duration) {
	h.t.Helper()
	if got := h.keepers(); !slices.Equal(got, keepers) {
		h.t.Errorf("after %v: got keepers %v, want %v", h.now, got, keepers)
		for _, x := range h.hosts {
			if x.dead {
				continue
			}
			for _, s := range x.eng.Snapshot(x.read()).Sources {
				h.t.Logf("%v: %v stratum %d reach %o: %v", x.addr, s.Addr, s.Stratum, s.Reach, s.State)
			}
		}
	}
	if got := h.spread(); got > spread {
		h.t.Errorf("after %v: clocks differ by %v, want at most %v", h.now, got, spread)
	}
}

// TestOrphansWithUpstream: one host has a server; the line goes down, the house
// keeps the time that it had, and gives it up when the line is back. With six or
// seven of the seeds 1 to 120 two hosts are in the middle of changing their
// keeper when it is looked at.
func TestOrphansWithUpstream(t *testing.T) {
	h := newHouse(t, 63)
	addrs := []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}
	for i, a := range addrs {
		h.add(a, clock.RatePPM(float64(10*(1-i))), 0)
	}
	up := h.add("203.0.113.9", 0, 0)
	up.start(Config{Local: local.Config{Enabled: true, Stratum: 2}})
	for i, x := range h.hosts[:3] {
		others := slices.Delete(slices.Clone(addrs), i, i+1)
		if i == 2 { // the largest address has the line
			others = append(others, "203.0.113.9")
		}
		x.start(orphanage(others...))
	}
	h.run(time.Hour)
	h.expect([]string{"203.0.113.9"}, time.Millisecond)
	up.stop()
	h.run(2 * time.Hour)
	h.expect([]string{"192.0.2.1"}, 5*time.Millisecond)
	up.dead = false
	h.run(2 * time.Hour)
	h.expect([]string{"203.0.113.9"}, 5*time.Millisecond)
}

// TestLocal: when the clock is its own reference.
func TestLocal(t *testing.T) {
	type step struct {
		after time.Duration
		reply bool // the server lives
		local bool
	}
	for name, c := range map[string]struct {
		l     local.Config
		steps []step
	}{
		"off":         {local.Config{Stratum: 10}, []step{{0, false, false}, {time.Minute, true, false}}},
		"never known": {local.Config{Enabled: true, Stratum: 10, Distance: time.Second}, []step{{0, false, true}, {time.Minute, true, false}, {200 * time.Hour, false, true}}},
		"a while before": {local.Config{Enabled: true, Stratum: 10, Distance: time.Second, WaitUnsynced: time.Minute}, []step{
			{59 * time.Second, false, false}, {2 * time.Second, false, true},
		}},
		"a while after": {local.Config{Enabled: true, Stratum: 10, WaitSynced: time.Hour}, []step{
			{0, false, true}, {10 * time.Minute, true, false}, {50 * time.Minute, false, false}, {70 * time.Minute, false, true},
		}},
		"not before it was near": {local.Config{Enabled: true, Stratum: 10, Activate: 50 * time.Millisecond, WaitSynced: time.Hour}, []step{
			{time.Hour, false, false}, {10 * time.Minute, true, false}, {2 * time.Hour, false, true},
		}},
		"never near": {local.Config{Enabled: true, Stratum: 10, Activate: time.Millisecond, WaitSynced: time.Hour}, []step{
			{time.Hour, false, false}, {10 * time.Minute, true, false}, {3 * time.Hour, false, false},
		}},
	} {
		w := newWorld(t, 63, 0)
		s := w.serve("a.test", addr(1), server{})
		cfg := with(plainSource("a.test"))
		cfg.Local = c.l
		s.dead = true
		w.start(cfg)
		for i, step := range c.steps {
			s.dead = !step.reply
			w.run(step.after)
			got := w.eng.System(w.now)
			want := snapshot.System{
				Local: true, Stratum: 10, ReferenceID: local.ReferenceID(), ReferenceTime: w.now.Wall.Add(-64 * time.Second),
			}
			if got.Local != step.local || step.local && got != want {
				t.Errorf("%s, step %d: got %+v, want local %v", name, i, got, step.local)
			}
			k := w.eng.Snapshot(w.now).Tracking
			if k.Local != step.local || step.local && (k.Synchronised || k.Stratum != 10 || k.ReferenceName != "" ||
				fmt.Sprint(k.ReferenceID.Hex()) != "7F7F0101" || k.Leap != event.LeapNone) {
				t.Errorf("%s, step %d: tracking shows %+v", name, i, k)
			}
		}
	}
}

// TestOrphansWithoutTrust: after a power cut the line stays down, so that no
// authenticated time is to be had, and each clock shows something else. Where
// the configuration lets plain sources do, the house agrees on one time, which
// is believed by nobody: when the line comes back it is as if it had not been.
func TestOrphansWithoutTrust(t *testing.T) {
	h := newHouse(t, 64)
	addrs := []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}
	for i, a := range addrs {
		h.add(a, clock.RatePPM(float64(10*(1-i))), time.Duration(i)*400*time.Millisecond)
	}
	for _, mode := range []selection.AuthMode{selection.AuthIgnore, selection.AuthMix} {
		for i, x := range h.hosts {
			cfg := orphanage(slices.Delete(slices.Clone(addrs), i, i+1)...)
			cfg.Selection.AuthMode = mode
			cfg.Bootstrap.Mode = bootstrap.ModeLadder
			cfg.Sources = append(cfg.Sources, upstream.Source{Name: "203.0.113.9", NTS: true, Operator: "example.net", MinPoll: 6, MaxPoll: 6})
			x.start(cfg)
		}
		h.run(time.Hour)
		if mode == selection.AuthMix {
			if got := h.keepers(); len(got) != len(addrs) {
				t.Errorf("with authenticated sources required: got keepers %v, want each for itself", got)
			}
			continue
		}
		h.expect(addrs[:1], 2*time.Millisecond)
		x := h.hosts[1]
		sys, k := x.eng.System(x.read()), x.eng.Snapshot(x.read()).Tracking
		if !sys.Orphan || sys.Stratum != 11 || k.Synchronised || !k.Local || k.ReferenceAddr != h.hosts[0].addr ||
			x.eng.ladder.Phase() != bootstrap.PhaseSearching || x.eng.sync.ever {
			t.Errorf("one that follows: %+v, tracking %+v; want it not to be synchronised", sys, k)
		}
		h.hosts[0].stop()
		h.run(40 * time.Minute)
		h.expect(addrs[1:2], 2*time.Millisecond)
	}
}

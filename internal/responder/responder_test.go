package responder

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/config"
	"ntsd/internal/event"
	"ntsd/internal/ntptime"
	"ntsd/internal/server"
	"ntsd/internal/smooth"
	"ntsd/internal/snapshot"
	"ntsd/internal/wire"
)

func TestServes(t *testing.T) {
	run(t, 1, func(t *testing.T, b *bed) {
		p := b.ports[123][0]
		req := b.request("198.51.100.7:4000", plain())
		now, _ := b.Now()
		h := parse(t, b.ask(t, p, req, b.request("203.0.113.1:4000", plain())))
		if h.Origin != 77 || h.Receive != ntptime.FromWall(req.Received) || h.Transmit != ntptime.FromWall(now.Wall) ||
			h.Stratum != 2 || h.Precision != -20 {
			t.Errorf("got %+v", h)
		}
		// Root dispersion grows between two words of the engine.
		pass(900 * time.Millisecond)
		h2 := parse(t, b.ask(t, p, b.request("198.51.100.7:4000", plain())))
		if h2.RootDispersion < h.RootDispersion || h2.RootDispersion == 0 {
			t.Errorf("root dispersion: got %v, then %v", h.RootDispersion, h2.RootDispersion)
		}
		s := b.ServerStats()
		if s.Received != 3 || s.Dropped != 1 || s.KernelRX != 3 || s.Verdicts["drop_access"] != 1 || !slices.Equal(s.Ports, []uint16{123}) {
			t.Errorf("stats: got %+v", s)
		}
		if c := b.Clients(0, false); len(c) != 1 || c[0].Address != "198.51.100.7" || c[0].Requests != 2 {
			t.Errorf("clients: got %+v", c)
		}
		for addr, want := range map[string]bool{"198.51.100.9": true, "203.0.113.1": false, "127.0.0.1": true} {
			if a := b.CheckAccess(netip.MustParseAddr(addr)); a.Allowed != want || !a.Serving {
				t.Errorf("accheck %s: got %+v, want %v", addr, a, want)
			}
		}
	})
}

// With a clock of the daemon's own the kernel's stamps are put on its scale.
func TestStampsOfAnotherScale(t *testing.T) {
	run(t, 1, func(t *testing.T, b *bed) {
		req := b.request("198.51.100.7:4000", plain())
		want := req.Received
		b.change(func() { b.shift = clock.Offset(time.Hour) })
		req.Received = req.Received.Add(-time.Hour)
		if h := parse(t, b.ask(t, b.ports[123][0], req)); h.Receive != ntptime.FromWall(want) {
			t.Errorf("receive: got %x, want %x", h.Receive, ntptime.FromWall(want))
		}
		// A step of the clock while the request waited: the stamp is dropped.
		now, _ := b.Now()
		req.Received = now.Wall.Add(-2 * time.Hour)
		if h := parse(t, b.ask(t, b.ports[123][0], req)); h.Receive != ntptime.FromWall(now.Wall) {
			t.Errorf("receive after a step: got %x, want the time of the reply, %x", h.Receive, ntptime.FromWall(now.Wall))
		}
	})
}

func TestUnsynchronised(t *testing.T) {
	run(t, 1, func(t *testing.T, b *bed) {
		b.change(func() { b.sys = snapshot.System{Leap: event.LeapUnsynchronised} })
		pass(1500 * time.Millisecond)
		h := parse(t, b.ask(t, b.ports[123][0], b.request("198.51.100.7:4000", plain())))
		if h.Leap != wire.LeapUnknown || h.Stratum != 0 {
			t.Errorf("got leap %d, stratum %d; want 3, 0", h.Leap, h.Stratum)
		}
	})
}

func TestLocalClock(t *testing.T) {
	run(t, 1, func(t *testing.T, b *bed) {
		b.change(func() {
			b.sys = snapshot.System{Local: true, Stratum: 8, ReferenceID: wire.ReferenceID{127, 127, 1, 1}, ReferenceTime: base()}
		})
		pass(1500 * time.Millisecond)
		h := parse(t, b.ask(t, b.ports[123][0], b.request("198.51.100.7:4000", plain())))
		if h.Leap != wire.LeapNone || h.Stratum != 8 || h.ReferenceID != (wire.ReferenceID{127, 127, 1, 1}) {
			t.Errorf("got %+v, want the local clock at stratum 8", h)
		}
		b.change(func() { b.sys = goodSystem() })
		pass(time.Second)
		if h := parse(t, b.ask(t, b.ports[123][0], b.request("198.51.100.7:4000", plain()))); h.Stratum != 2 {
			t.Errorf("got stratum %d, want the sources' 2", h.Stratum)
		}
	})
}

// What the engine wants to be served is given to the clock.
func TestSmoothedTime(t *testing.T) {
	run(t, 1, func(t *testing.T, b *bed) {
		var s smooth.Smoother
		s.HandleConfig(clock.Reading{}, smooth.Config{MaxRate: 1e-4, MaxWander: 1e-9})
		s.Activate(clock.Reading{}, clock.Line{})
		b.change(func() { b.sys.Served = s.Plan() })
		pass(1500 * time.Millisecond)
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.served != s.Plan() {
			t.Errorf("got %+v, want the engine's plan", b.served)
		}
	})
}

// A client that comes back from another port meets another worker, which
// knows when the reply before left.
func TestInterleavedAcrossWorkers(t *testing.T) {
	run(t, 2, func(t *testing.T, b *bed) {
		one, two := b.ports[123][0], b.ports[123][1]
		first := parse(t, b.ask(t, one, b.request("198.51.100.7:4000", plain())))
		pass(time.Second)
		h := wire.Header{Version: 4, Mode: wire.ModeClient, Origin: first.Receive, Receive: 5, Transmit: 78}
		replies := b.ask(t, two, b.request("198.51.100.7:4001", h))
		second := parse(t, replies)
		if second.Origin != 5 || second.Transmit != first.Transmit || replies[0].tag == 0 {
			t.Fatalf("second: got %+v, tag %d; want interleaved", second, replies[0].tag)
		}
		now, _ := b.Now()
		left := now.Wall.Add(123 * time.Microsecond)
		two.sent[replies[0].tag] = left
		b.ask(t, two) // only the stamp came
		h.Origin = second.Receive
		third := parse(t, b.ask(t, one, b.request("198.51.100.7:4002", h)))
		if third.Transmit != ntptime.FromWall(left) {
			t.Errorf("third: got transmit %x, want the kernel's %x", third.Transmit, ntptime.FromWall(left))
		}
		if s := b.ServerStats(); s.Interleaved != 2 || s.KernelTX != 1 || s.DaemonTX != 2 || s.Held != 3 {
			t.Errorf("stats: got %+v", s)
		}
	})
}

func TestReload(t *testing.T) {
	run(t, 2, func(t *testing.T, b *bed) {
		old := b.ports[123]
		if len(old) != 2 {
			t.Fatalf("got %d sockets, want 2", len(old))
		}
		b.ask(t, old[0], b.request("198.51.100.7:4000", plain()))
		b.change(func() {
			b.cfg = configuration(func(c *config.Config) {
				c.Serve.Ports = []uint16{1123}
				c.Deny = []config.Access{{Subnets: []netip.Prefix{netip.MustParsePrefix("198.51.100.7/32")}}}
			})
		})
		pass(1500 * time.Millisecond)
		select {
		case <-old[0].closed:
		default:
			t.Error("the old port is still open")
		}
		p := b.ports[1123][0]
		if r := b.ask(t, p, b.request("198.51.100.7:4000", plain())); len(r) != 0 {
			t.Error("a denied client is answered")
		}
		parse(t, b.ask(t, p, b.request("198.51.100.8:4000", plain())))
		if s := b.ServerStats(); s.Received != 3 || !slices.Equal(s.Ports, []uint16{1123}) {
			t.Errorf("stats after the change of port: got %+v", s)
		}
		if c := b.Clients(0, false); len(c) != 2 {
			t.Errorf("clients: got %+v, want 2: the memory stays", c)
		}
		b.change(func() { b.cfg = configuration(func(c *config.Config) { c.Serve.Enabled = false }) })
		pass(1500 * time.Millisecond)
		if s := b.ServerStats(); len(s.Ports) != 0 || s.Received != 3 {
			t.Errorf("stats when switched off: got %+v", s)
		}
	})
}

func TestNobodyAllowed(t *testing.T) {
	for name, change := range map[string]func(*config.Config){
		"no allow":     func(c *config.Config) { c.Allow = nil },
		"switched off": func(c *config.Config) { c.Serve.Enabled = false },
	} {
		run(t, 1, func(t *testing.T, b *bed) {
			b.change(func() { b.cfg = configuration(change) })
			pass(1500 * time.Millisecond)
			if s := b.ServerStats(); len(s.Ports) != 0 {
				t.Errorf("%s: got ports %v", name, s.Ports)
			}
		})
	}
}

// A port that is taken is told once and tried again.
func TestPortTaken(t *testing.T) {
	run(t, 1, func(t *testing.T, b *bed) {
		b.change(func() {
			b.refuse = errors.New("address already in use")
			b.cfg = configuration(func(c *config.Config) { c.Serve.Ports = []uint16{1123} })
		})
		pass(time.Minute)
		if n := strings.Count(b.log.String(), "already in use"); n != 1 {
			t.Errorf("told %d times, want once:\n%s", n, b.log.String())
		}
		b.change(func() { b.refuse = nil })
		pass(15 * time.Second)
		parse(t, b.ask(t, b.ports[1123][0], b.request("198.51.100.7:4000", plain())))
	})
}

func TestInterfacesAreFollowed(t *testing.T) {
	run(t, 1, func(t *testing.T, b *bed) {
		b.change(func() {
			b.cfg = withNTS(func(c *config.Config) { c.Allow = []config.Access{{Interfaces: []string{"lan"}}} })
		})
		pass(1500 * time.Millisecond)
		p := b.ports[123][0]
		if r := b.ask(t, p, b.request("192.168.1.9:4000", plain())); len(r) != 0 {
			t.Error("answered before the interface has an address")
		}
		b.change(func() {
			b.interfaces = []link{{"br-lan", 4, []netip.Prefix{
				netip.MustParsePrefix("192.168.1.0/24"), netip.MustParsePrefix("fe80::/64"),
			}}}
		})
		pass(11 * time.Second)
		parse(t, b.ask(t, p, b.request("192.168.1.9:4000", plain())))
		local := b.request("[fe80::9]:4000", plain())
		local.Local, local.Interface = netip.MustParseAddr("fe80::1"), 4
		parse(t, b.ask(t, p, local))
		local.Interface = 5
		if r := b.ask(t, p, local); len(r) != 0 {
			t.Error("a link-local client of another interface is answered")
		}
		for client, want := range map[string]bool{"[fe80::9%br-lan]:9": true, "[fe80::9%eth1]:9": false, "[fe80::9]:9": false} {
			if got := b.kes[0].grants.Admit(netip.MustParseAddrPort(client)); got != want {
				t.Errorf("key establishment of %s: got %v, want %v", client, got, want)
			}
		}
	})
}

// TestNothingToDo: where nobody is served, nothing is asked until something
// changes; then it begins within a second.
func TestNothingToDo(t *testing.T) {
	run(t, 1, func(t *testing.T, b *bed) {
		b.change(func() { b.cfg = configuration(func(c *config.Config) { c.Allow = nil }) })
		pass(2 * time.Second)
		asked := b.count(&b.asked)
		pass(time.Hour)
		if got := b.count(&b.asked) - asked; got != 0 {
			t.Errorf("asked %d times in an hour without anything to serve", got)
		}
		b.change(func() { b.cfg = configuration(nil) })
		pass(1100 * time.Millisecond)
		ports := b.ports[123]
		parse(t, b.ask(t, ports[len(ports)-1], b.request("198.51.100.7:4000", plain())))
	})
}

// TestInterfacesAreLookedAtWhenTheyChange: and not more than once a second,
// however often that is; without a word of changes every ten seconds.
func TestInterfacesAreLookedAtWhenTheyChange(t *testing.T) {
	for _, c := range []struct{ workers, quiet int }{{2, 0}, {1, 6}} { // two workers: changes are told
		run(t, c.workers, func(t *testing.T, b *bed) {
			pass(1500 * time.Millisecond)
			looks := b.count(&b.looks)
			pass(time.Minute)
			if got := b.count(&b.looks) - looks; got != c.quiet {
				t.Errorf("told %v: looked %d times in a quiet minute, want %d", c.workers > 1, got, c.quiet)
			}
			looks = b.count(&b.looks)
			for range 1000 {
				b.change(func() {})
				pass(10 * time.Millisecond)
			}
			if got := b.count(&b.looks) - looks; got < 9 || got > 11 {
				t.Errorf("told %v: looked %d times at 1000 changes in 10 s, want 10", c.workers > 1, got)
			}
		})
	}
}

// TestRefusedClientsDoNotFillTheLog: whoever is not allowed is told of once an
// hour, with how many requests there were, not one by one.
func TestRefusedClientsDoNotFillTheLog(t *testing.T) {
	run(t, 1, func(t *testing.T, b *bed) {
		pass(1500 * time.Millisecond)
		const hours = 2
		before := b.log.Len()
		for i := range hours * 360 {
			var batch []server.Request
			for j := range 4 {
				batch = append(batch, b.request(fmt.Sprintf("203.0.113.%d:4000", (i+j)%250), plain()))
			}
			b.ask(t, b.ports[123][0], batch...)
			pass(10 * time.Second)
		}
		log := b.log.String()[before:]
		if n := strings.Count(log, "\n"); n != hours || !strings.Contains(log, "requests=1440 latest=203.0.113.") {
			t.Errorf("%d requests: got %d lines, want %d, most for 1440 requests:\n%.600s", hours*1440, n, hours, log)
		}
		before = b.log.Len()
		pass(2 * time.Hour)
		if log := b.log.String()[before:]; strings.Count(log, "\n") > 1 {
			t.Errorf("two quiet hours, and the log says:\n%s", log)
		}
	})
}

func TestWanIsEveryone(t *testing.T) {
	run(t, 1, func(t *testing.T, b *bed) {
		b.change(func() {
			b.cfg = configuration(func(c *config.Config) { c.Allow = []config.Access{{Interfaces: []string{"wan"}}} })
		})
		pass(time.Minute)
		for _, from := range []string{"203.0.113.1:4000", "[2001:db8::1]:4000"} {
			parse(t, b.ask(t, b.ports[123][0], b.request(from, plain())))
		}
		if n := strings.Count(b.log.String(), "everyone on the Internet"); n != 1 {
			t.Errorf("told %d times, want once:\n%s", n, b.log.String())
		}
	})
}

func TestDaemonEnds(t *testing.T) {
	run(t, 2, func(t *testing.T, b *bed) {
		b.change(func() { b.ended = errors.New("stopped") })
		pass(1500 * time.Millisecond)
		for _, p := range b.ports[123] {
			<-p.closed
		}
	})
}

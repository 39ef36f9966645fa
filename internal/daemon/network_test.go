package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ntsd/internal/event"
	"ntsd/internal/status"
)

// TestLearntServers: what DHCP names is asked while it names it, on interfaces
// that are up, as section dhcp_ntp_server says, and once when it is configured
// anyway.
func TestLearntServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.addPeer("192.0.2.1:123", "one.example")
		for n := range 3 {
			w.addPeer(fmt.Sprintf("192.0.2.%d:123", 10+n), "")
		}
		cfg := settings(t, "server one.example iburst nts")
		pattern := cfg.Sources[0]
		pattern.NTS, pattern.Name, pattern.Operator = false, "", ""
		cfg.DHCP = &pattern
		d, stop := w.run(cfg, nil)
		names := func() string {
			synctest.Wait()
			var all []string
			for _, s := range w.report(d).Sources {
				all = append(all, s.Name)
			}
			slices.Sort(all)
			return strings.Join(all, " ")
		}
		for _, step := range []struct {
			interfaces []Interface
			want       string
		}{
			{[]Interface{{Name: "wan", Up: true, TimeServers: []string{"192.0.2.10", "192.0.2.11"}}}, "192.0.2.10 192.0.2.11 one.example"},
			{[]Interface{{Name: "wan", Up: true, TimeServers: []string{"192.0.2.11", "one.example", "not a host"}}}, "192.0.2.11 one.example"},
			{[]Interface{
				{Name: "wan", TimeServers: []string{"192.0.2.11"}}, {Name: "wan2", Up: true, TimeServers: []string{"192.0.2.12"}},
			}, "192.0.2.12 one.example"},
			{nil, "one.example"},
		} {
			if err := d.NetworkChanged(context.Background(), step.interfaces); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			if got := names(); got != step.want {
				t.Errorf("%v: got %s, want %s", step.interfaces, got, step.want)
			}
		}
		for _, p := range w.peers {
			if p.keRuns > 1 {
				t.Errorf("%d key establishments with a server that stayed, want 1", p.keRuns)
			}
		}
		stop()
	})
}

// TestNoNetworkLeavesClocksAlone: where the last route goes away servers rest, but
// not a reference clock, which is what remains.
func TestNoNetworkLeavesClocksAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.addPeer("192.0.2.1:123", "")
		d, stop := w.run(settings(t, "server 192.0.2.1", "refclock SHM 0 refid GPS"), nil)
		defer stop()
		for _, step := range []struct {
			noRoute error
			ask     func() error
		}{
			{errors.New("network unreachable"), func() error { return d.NetworkChanged(t.Context(), []Interface{{Name: "wan"}}) }},
			{nil, func() error { return d.NetworkChanged(t.Context(), []Interface{{Name: "wan", Up: true}}) }},
			{errors.New("network unreachable"), func() error { return d.OnOffline(t.Context(), "") }},
		} {
			w.mu.Lock()
			w.noRoute = step.noRoute
			w.mu.Unlock()
			if err := step.ask(); err != nil {
				t.Fatal(err)
			}
			for _, s := range w.report(d).Sources {
				if want := step.noRoute == nil || s.Kind == status.KindRefClock; s.Online != want {
					t.Errorf("no route: %v: %s is online: %v, want %v", step.noRoute, s.Name, s.Online, want)
				}
			}
		}
	})
}

// TestRouteComesUntold: a source that rests for want of a route is asked again when
// there is one, though nobody tells; not so one that somebody switched off.
func TestRouteComesUntold(t *testing.T) {
	for _, off := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.addPeer("192.0.2.1:123", "")
			d, stop := w.run(settings(t, "server 192.0.2.1"), nil)
			defer stop()
			route := func(err error) {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.noRoute = err
			}
			route(errors.New("network unreachable"))
			if err := d.NetworkChanged(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if off {
				if err := d.Command(t.Context(), event.Command{Kind: event.CommandOffline}); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(3 * routeInterval)
			if w.report(d).Sources[0].Online {
				t.Error("online without a route")
			}
			route(nil)
			time.Sleep(2 * routeInterval)
			synctest.Wait()
			if got := w.report(d).Sources[0]; got.Online == off || got.Online && got.Reach == 0 {
				t.Errorf("switched off %v: online %v, reach %o", off, got.Online, got.Reach)
			}
		})
	}
}

// TestRoutesOfSome: of several sources without a route each comes back for itself: at
// an address of the other family, too, where only that has a route, and not if it is
// switched off or gone meanwhile.
func TestRoutesOfSome(t *testing.T) {
	for _, c := range []struct {
		name          string
		servers       []string
		before, after func(w *world)
		meanwhile     func(ctx context.Context, d *Daemon) error
		online        string
		unrouted      int
	}{
		{
			"one is switched off",
			[]string{"server 192.0.2.1", "server 192.0.2.2"},
			noRoute(true, true), noRoute(false, false),
			func(ctx context.Context, d *Daemon) error {
				return d.Command(ctx, event.Command{Kind: event.CommandOffline, Target: "192.0.2.2"})
			}, "192.0.2.1", 0,
		},
		{
			"only IPv4 comes", []string{"server one.example"}, noRoute(true, true), noRoute(false, true), nil, "192.0.2.1", 0,
		},
		{
			"IPv6 comes, where IPv4 was there", []string{"server 2001:db8::1"}, noRoute(false, true), noRoute(false, false), nil, "2001:db8::1", 0,
		},
		{
			"IPv6 does not come", []string{"server 2001:db8::1"}, noRoute(false, true), noRoute(false, true), nil, "", 1,
		},
		{
			"it does not, and is wanted all the same",
			[]string{"server 2001:db8::1"},
			noRoute(false, true), noRoute(false, true),
			func(ctx context.Context, d *Daemon) error {
				return d.Command(ctx, event.Command{Kind: event.CommandOnline})
			}, "2001:db8::1", 1,
		},
		{
			"one is gone",
			[]string{"server 192.0.2.1", "server 192.0.2.2"},
			noRoute(true, true), noRoute(true, true),
			func(ctx context.Context, d *Daemon) error { return d.Delete(ctx, "192.0.2.2") }, "", 1,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.addPeer("[2001:db8::1]:123", "one.example")
				w.addPeer("192.0.2.1:123", "one.example")
				w.addPeer("192.0.2.2:123", "")
				d, stop := w.run(settings(t, c.servers...), nil)
				time.Sleep(time.Minute)
				c.before(w)
				if err := d.NetworkChanged(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
				if c.meanwhile != nil {
					if err := c.meanwhile(t.Context(), d); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(3 * routeInterval)
				c.after(w)
				time.Sleep(2 * routeInterval)
				synctest.Wait()
				var online []string
				for _, s := range w.report(d).Sources {
					if s.Online {
						online = append(online, s.Address)
					}
				}
				stop()
				if got := strings.Join(online, " "); got != c.online || len(d.unrouted) != c.unrouted {
					t.Errorf("online %q, want %q; routes looked for: %v, want %d", got, c.online, d.unrouted, c.unrouted)
				}
			})
		})
	}
}

// noRoute takes away routes, those of IPv6 alone or all.
func noRoute(all, six bool) func(w *world) {
	return func(w *world) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.noRoute, w.noIPv6 = nil, six
		if all {
			w.noRoute = errors.New("network unreachable")
		}
	}
}

// TestIPv6GoesAway: where only the route of one family goes away, a server that has
// addresses of both is asked at the other; where all goes away it keeps the one
// that works, and its keys.
func TestIPv6GoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		six := w.addPeer("[2001:db8::1]:123", "one.example")
		four := w.addPeer("192.0.2.1:123", "one.example")
		d, stop := w.run(settings(t, "server one.example iburst nts"), nil)
		defer stop()
		for _, step := range []struct {
			name           string
			noRoute        error
			noIPv6, online bool
			addr           string
			six, four      int // key establishments
		}{
			{"all is well", nil, false, true, "2001:db8::1", 1, 0},
			{"no network", errors.New("network unreachable"), true, false, "2001:db8::1", 1, 0},
			{"back again", nil, false, true, "2001:db8::1", 1, 0},
			{"no IPv6", nil, true, true, "192.0.2.1", 1, 1},
			{"still none", nil, true, true, "192.0.2.1", 1, 1},
			{"no network", errors.New("network unreachable"), true, false, "192.0.2.1", 1, 1},
			{"IPv6 only", nil, false, true, "192.0.2.1", 1, 1},
		} {
			w.mu.Lock()
			w.noRoute, w.noIPv6 = step.noRoute, step.noIPv6
			w.mu.Unlock()
			if err := d.NetworkChanged(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			all := w.report(d).Sources
			if len(all) != 1 || all[0].Address != step.addr || all[0].Online != step.online || step.online && all[0].Reach == 0 {
				t.Errorf("%s: got %s, online %v, reach %o", step.name, all[0].Address, all[0].Online, all[0].Reach)
			}
			if six.keRuns != step.six || four.keRuns != step.four {
				t.Errorf("%s: %d and %d key establishments, want %d and %d", step.name, six.keRuns, four.keRuns, step.six, step.four)
			}
		}
	})
}

// TestOfflineStaysOffline: what the configuration, or who added it, wants offline
// is not switched on by a network that comes up, be it a server or a peer.
func TestOfflineStaysOffline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		d, stop := w.run(settings(t, "server 192.0.2.1", "server 192.0.2.2 offline", "peer 192.0.2.3 offline"), nil)
		defer stop()
		if err := d.Add(t.Context(), settings(t, "server 192.0.2.4 offline").Sources[0]); err != nil {
			t.Fatal(err)
		}
		if err := d.NetworkChanged(t.Context(), []Interface{{Name: "wan", Up: true}}); err != nil {
			t.Fatal(err)
		}
		for _, s := range w.report(d).Sources {
			if want := s.Name == "192.0.2.1"; s.Online != want {
				t.Errorf("%s is online: %v, want %v", s.Name, s.Online, want)
			}
		}
	})
}

// TestAnnouncements: a step, then the stratum once the clock is synchronised,
// then every eleventh minute; a loss, and the stratum again.
func TestAnnouncements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := w.addPeer("192.0.2.1:123", "one.example")
		d, stop := w.run(settings(t, "server one.example iburst maxpoll 6", "makestep 0.1 3", "maxdistance 0.05"), nil)
		actions := func() string {
			synctest.Wait()
			w.mu.Lock()
			defer w.mu.Unlock()
			var all []string
			for _, a := range w.told {
				all = append(all, fmt.Sprintf("%s/%d", a.Action, a.Stratum))
			}
			w.told = nil
			return strings.Join(all, " ")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		w.mu.Lock()
		first := w.told
		w.mu.Unlock()
		if got := actions(); got != "step/16 stratum/2" {
			t.Errorf("start: got %s", got)
		}
		if off := first[0].Offset.Seconds(); off < 0.2 || off > 0.3 {
			t.Errorf("step: got %v s, want about 0.25", off)
		}
		time.Sleep(35 * time.Minute)
		if got := actions(); got != "periodic/2 periodic/2 periodic/2" {
			t.Errorf("half an hour: got %s", got)
		}
		silence := func(on bool) {
			w.mu.Lock()
			defer w.mu.Unlock()
			p.silent = on
		}
		silence(true)
		time.Sleep(48 * time.Hour)
		if got := actions(); !strings.HasSuffix(got, "periodic/2 unsync/16") || strings.Count(got, "unsync") != 1 {
			t.Errorf("a loss: got ... %s", got[max(0, len(got)-60):])
		}
		silence(false)
		time.Sleep(time.Hour)
		if got := actions(); !strings.HasPrefix(got, "stratum/2 periodic/2") {
			t.Errorf("and again: got %s", got)
		}
		want := []string{"ACTION=stratum", "stratum=2", "freq_drift_ppm=30", "poll_interval=64", "offset=0.000000", "NTSD=1"}
		snap := d.engine.Snapshot(w.Read())
		env := announcement(&snap, "stratum", 2, 0).Env()
		if !slices.Equal(env, want) {
			t.Errorf("variables: got %v, want %v", env, want)
		}
		stop()
	})
}

package daemon

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ntsd/internal/event"
	"ntsd/internal/nts"
)

// cable is a world behind a cable that may be pulled out: nothing leaves, no
// name resolves.
type cable struct {
	*world
	pulled atomic.Bool
}

var errUnreachable = errors.New("network unreachable")

func (c *cable) Open(s event.Send) (Socket, error) {
	if c.pulled.Load() {
		return nil, errUnreachable
	}
	return c.world.Open(s)
}

func (c *cable) Exchange(ctx context.Context, ke event.StartKE, t Trust) event.KEDone {
	if c.pulled.Load() {
		return event.KEDone{Source: ke.Source, Attempt: ke.Attempt, Failure: nts.FailureNetwork, Reason: "no route"}
	}
	return c.world.Exchange(ctx, ke, t)
}

func (c *cable) Resolve(ctx context.Context, r event.Resolve) event.Resolved {
	if c.pulled.Load() {
		return event.Resolved{Name: r.Name, Family: r.Family, Temporary: true, Reason: "no name server"}
	}
	return c.world.Resolve(ctx, r)
}

// run starts a daemon behind the cable.
func (c *cable) run(cfg []string) (*Daemon, func()) {
	c.t.Helper()
	d := New(Options{
		Config: settings(c.t, cfg...), Clock: c.world, Network: c, KE: c, Resolver: c, Store: &c.files,
		Rand: chacha(7), Log: loggerTo(c.log), Version: "test",
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.Run(ctx)
	}()
	return d, func() { cancel(); <-done }
}

// fourServers is a world of four NTS servers and the configuration for them.
func fourServers(t *testing.T) (*cable, []string) {
	c := &cable{world: newWorld(t)}
	var cfg []string
	for i := range 4 {
		name := fmt.Sprintf("s%d.example", i+1)
		c.addPeer(fmt.Sprintf("192.0.2.%d:123", i+1), name)
		cfg = append(cfg, "server "+name+" iburst nts")
	}
	return c, cfg
}

// lines returns how many lines the log has.
func (c *cable) lines() int {
	synctest.Wait()
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	return len(c.log.lines)
}

// An outage is told once per source and way of failing, and ends by itself
// once the network is back.
func TestOutage(t *testing.T) {
	tests := []struct {
		name     string
		sync     time.Duration // how long the network is there first
		pulled   bool          // no link; else the servers' replies are lost
		firstHr  int           // lines per source in the first hour
		day      int           // and in the first day, that hour among it
		recovery time.Duration // until every source answers
	}{
		{"cable pulled", time.Hour, true, 5, 5, 20 * time.Minute},
		// Cookies run out every two hours, and new keys are news.
		{"replies lost", time.Hour, false, 5, 20, 20 * time.Minute},
		{"no network at the start", 0, true, 2, 2, 5 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, cfg := fourServers(t)
				c.pulled.Store(tt.sync == 0)
				d, stop := c.run(cfg)
				defer stop()
				time.Sleep(tt.sync)
				before := c.lines()
				c.fail(tt.pulled, true)
				time.Sleep(time.Hour)
				if n := c.lines() - before; n > tt.firstHr*len(cfg) {
					t.Errorf("%d lines in the first hour, want at most %d per source:\n%s", n, tt.firstHr, c.tail(before))
				}
				time.Sleep(23 * time.Hour)
				if n := c.lines() - before; n > tt.day*len(cfg) {
					t.Errorf("%d lines in a day, want at most %d per source:\n%s", n, tt.day, c.tail(before))
				}
				c.fail(tt.pulled, false)
				time.Sleep(tt.recovery)
				synctest.Wait()
				for _, s := range c.report(d).Sources {
					if s.Reach == 0 {
						t.Errorf("%s does not answer %v after the network is back", s.Name, tt.recovery)
					}
				}
			})
		})
	}
}

// fail breaks the network, or mends it.
func (c *cable) fail(pull, broken bool) {
	c.pulled.Store(pull && broken)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.peers {
		p.silent = broken && !pull
	}
}

// tail is the log from a line on.
func (c *cable) tail(from int) string {
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	return strings.Join(c.log.lines[from:], "\n")
}

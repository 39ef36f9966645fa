package daemon

import (
	"context"
	"slices"
	"strings"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/config"
	"ntsd/internal/event"
	"ntsd/internal/snapshot"
)

// Interface is a logical interface of the router, as its network daemon knows
// it.
type Interface struct {
	Name        string
	Up          bool
	TimeServers []string // that DHCP or DHCPv6 named there
}

// maxLearnt bounds the servers that DHCP can make us ask, over all interfaces.
const maxLearnt = 8

// routeInterval is how often a route is looked for while a source rests for want of
// one. It costs a socket per source and no packet.
const routeInterval = 10 * time.Second

// NetworkChanged takes the interfaces as they are now: servers that DHCP names
// are added and withdrawn, sources with a route are asked at once, those
// without one rest.
func (d *Daemon) NetworkChanged(ctx context.Context, all []Interface) error {
	return d.do(ctx, func(ctx context.Context) {
		learnt := timeServers(all)
		if !slices.Equal(learnt, d.learnt) {
			if d.applied.DHCP != nil {
				d.opt.Log.Info("time servers named by DHCP", "servers", strings.Join(learnt, " "))
			}
			d.learnt = learnt
			d.handle(ctx, func(now clock.Reading, out []event.Action) []event.Action {
				return d.engine.HandleConfig(now, d.engineConfig(), out)
			})
		}
		// What the configuration wants offline stays so until somebody says
		// otherwise.
		d.follow(ctx, d.meantOnline)
	})
}

// meantOnline reports whether nobody configured or added s to be offline.
func (d *Daemon) meantOnline(s *snapshot.Source) bool {
	return !slices.ContainsFunc(d.sources(), func(o config.Source) bool { return o.Offline && o.Name == s.Name })
}

// lookForRoutes switches sources on that rest for want of a route and have one
// again. Whoever tells of interfaces does not tell of all routes: those of scripts,
// of tunnels, of a line that only its watchdog had cut off.
func (d *Daemon) lookForRoutes(ctx context.Context) {
	now := d.opt.Clock.Read().Mono
	if len(d.unrouted) == 0 || now < d.routesDue {
		return
	}
	d.routesDue = now.Add(routeInterval)
	d.forgetRoutes(d.meantOnline)
	d.follow(ctx, func(s *snapshot.Source) bool {
		return slices.Contains(d.unrouted, nameOrAddr(s)) && (d.routed(s) || !s.Online && d.otherFamily(s))
	})
}

// forgetRoutes looks for routes only to those sources any more that are still there
// and that keep wants to.
func (d *Daemon) forgetRoutes(keep func(*snapshot.Source) bool) {
	snap := d.engine.Snapshot(d.opt.Clock.Read())
	d.unrouted = slices.DeleteFunc(d.unrouted, func(name string) bool {
		return !slices.ContainsFunc(snap.Sources, func(s snapshot.Source) bool { return nameOrAddr(&s) == name && keep(&s) })
	})
}

// timeServers returns what DHCP names on interfaces that are up, each once.
func timeServers(all []Interface) []string {
	var servers []string
	for _, i := range all {
		if !i.Up {
			continue
		}
		for _, host := range i.TimeServers {
			if len(servers) < maxLearnt && !slices.Contains(servers, host) {
				servers = append(servers, host)
			}
		}
	}
	return servers
}

// learntSources returns a source for each server that DHCP names, as section
// dhcp_ntp_server wants them, but for those that are configured anyway.
func (d *Daemon) learntSources() []config.Source {
	if d.applied.DHCP == nil {
		return nil
	}
	var sources []config.Source
	for _, host := range d.learnt {
		s, ok := d.applied.DHCP.Named(host)
		if ok && !slices.ContainsFunc(d.applied.Sources, func(o config.Source) bool { return strings.EqualFold(o.Name, s.Name) }) {
			sources = append(sources, s)
		}
	}
	return sources
}

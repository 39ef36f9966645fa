package daemon

import (
	"context"
	"slices"
	"strings"

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
		d.follow(ctx, func(s *snapshot.Source) bool {
			return !slices.ContainsFunc(d.sources(), func(o config.Source) bool { return o.Offline && o.Name == s.Name })
		})
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

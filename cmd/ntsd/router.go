package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"sync/atomic"

	"ntsd/internal/config"
	"ntsd/internal/control"
	"ntsd/internal/daemon"
	"ntsd/internal/linux/serving"
	"ntsd/internal/openwrt"
	"ntsd/internal/ubus"
)

// routerLink joins the daemon with the rest of an OpenWrt router. On other
// systems there is no bus, and it does nothing.
type routerLink struct {
	bus     *openwrt.Router
	devices atomic.Pointer[map[string]string] // of the logical interfaces
}

func newRouterLink(log *slog.Logger) *routerLink {
	r := &routerLink{}
	r.devices.Store(&map[string]string{})
	if _, err := os.Stat(ubus.Socket); !errors.Is(err, fs.ErrNotExist) {
		r.bus = openwrt.New(ubus.Socket, log)
	}
	return r
}

// Announce has the scripts run that wait for the time.
func (r *routerLink) Announce(a daemon.Announcement) {
	if r.bus != nil {
		r.bus.Announce(a.Env())
	}
}

// Run tells the daemon what changes on the router, until ctx ends, and calls
// nudge after each change. answer is what the router may ask.
func (r *routerLink) Run(ctx context.Context, d *daemon.Daemon, answer control.Handler, nudge func()) {
	if r.bus == nil {
		return
	}
	r.bus.Run(ctx, busObject(ctx, answer), func(all []openwrt.Interface) {
		devices := make(map[string]string, len(all))
		changed := make([]daemon.Interface, 0, len(all))
		for _, i := range all {
			if i.Device != "" {
				devices[i.Name] = i.Device
			}
			changed = append(changed, daemon.Interface{Name: i.Name, Up: i.Up, TimeServers: i.TimeServers})
		}
		r.devices.Store(&devices)
		nudge()
		_ = d.NetworkChanged(ctx, changed) // it fails only when the daemon ends
	})
}

// Addresses returns the addresses of the interfaces of these names, logical or
// not; without a name those of all.
func (r *routerLink) Addresses(names []string) ([]netip.Addr, error) {
	devices := *r.devices.Load()
	return serving.Addresses(func(device string) bool {
		return len(names) == 0 || slices.ContainsFunc(names, func(name string) bool {
			return config.IsInterface(device, name) || devices[name] == device
		})
	})
}

// Interfaces calls f for each network interface that is up, and once more for
// each logical one that it carries.
func (r *routerLink) Interfaces(f func(name string, index uint32, subnets []netip.Prefix)) error {
	devices := *r.devices.Load()
	return serving.Interfaces(func(name string, index uint32, subnets []netip.Prefix) {
		f(name, index, subnets)
		for logical, device := range devices {
			if device == name && logical != name {
				f(logical, index, subnets)
			}
		}
	})
}

package names

import (
	"net/netip"
	"slices"

	"ntsd/internal/event"
)

// Bounds of what is remembered of names.
const (
	maxHosts = 64
	maxAddrs = 16
)

// Hosts is where names were found last: for a boot without name service. The
// zero value is empty.
type Hosts struct{ list []event.Host } // the latest answer last

// NewHosts returns what was saved.
func NewHosts(saved []event.Host) Hosts {
	return Hosts{slices.Clone(saved[:min(len(saved), maxHosts)])}
}

// Remember keeps the addresses of a name. The name that was not asked for
// longest makes room.
func (h *Hosts) Remember(name string, addrs []netip.Addr) {
	h.list = slices.DeleteFunc(h.list, func(o event.Host) bool { return o.Name == name })
	if len(h.list) == maxHosts {
		h.list = slices.Delete(h.list, 0, 1)
	}
	h.list = append(h.list, event.Host{Name: name, Addrs: slices.Clone(addrs[:min(len(addrs), maxAddrs)])})
}

// Of returns the addresses that a name had.
func (h *Hosts) Of(name string) []netip.Addr {
	for _, o := range h.list {
		if o.Name == name {
			return o.Addrs
		}
	}
	return nil
}

// List returns a copy of all.
func (h *Hosts) List() []event.Host { return slices.Clone(h.list) }

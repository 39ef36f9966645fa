package ntske

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
)

// guests are the connections being served, and whose they are. A client that
// holds many makes room for one that holds fewer: no flood from few addresses
// keeps an honest client out, and one from many does so by luck alone.
type guests struct {
	most, share int // at a time: of all clients, of one

	mu   sync.Mutex
	all  []*guest // in no order
	held map[netip.Prefix]int
}

// guest is one connection.
type guest struct {
	conn  net.Conn
	of    netip.Prefix
	at    int // its place in all
	ended bool
}

func newGuests(most int) *guests {
	return &guests{most: most, share: max(minShare, most/clientShare), held: make(map[netip.Prefix]int)}
}

// client returns whom an address counts for: a home or a host has a subnet of
// IPv6 to choose from.
func client(a netip.Addr) netip.Prefix {
	bits := 32
	if a = a.Unmap().WithZone(""); a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // the zero Prefix for what is no address
	return p
}

// enter takes a new connection in. The one that has to make room for it, if
// any, is closed. nil: there is no room.
func (g *guests) enter(conn net.Conn, from netip.Addr) (entered *guest, displaced bool) {
	of := client(from)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held[of] >= g.share {
		return nil, false
	}
	if len(g.all) >= g.most {
		victim := g.victim(g.held[of])
		if victim == nil {
			return nil, false
		}
		g.remove(victim)
		victim.conn.Close()
		displaced = true
	}
	n := &guest{conn: conn, of: of, at: len(g.all)}
	g.all = append(g.all, n)
	g.held[of]++
	return n, displaced
}

// victim chooses by chance among those of the clients that hold the most, if
// that is more than least.
func (g *guests) victim(least int) *guest {
	most := 0
	for _, n := range g.held {
		most = max(most, n)
	}
	if most <= least {
		return nil
	}
	start := rand.IntN(len(g.all))
	for i := range g.all {
		if n := g.all[(start+i)%len(g.all)]; g.held[n.of] == most {
			return n
		}
	}
	return nil
}

// leave ends a connection's stay; it reports false if it was displaced.
func (g *guests) leave(n *guest) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n.ended {
		return false
	}
	g.remove(n)
	return true
}

func (g *guests) remove(n *guest) {
	last := len(g.all) - 1
	g.all[n.at] = g.all[last]
	g.all[n.at].at = n.at
	g.all[last] = nil
	g.all = g.all[:last]
	n.ended = true
	if g.held[n.of]--; g.held[n.of] == 0 {
		delete(g.held, n.of)
	}
}

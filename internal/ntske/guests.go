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

	mu    sync.Mutex
	all   []*guest // in no order
	held  map[netip.Prefix]int
	sizes []int // how many clients hold so many
	top   int   // the most that one holds
}

// guest is one connection.
type guest struct {
	conn  net.Conn
	of    netip.Prefix
	at    int // its place in all
	ended bool
}

func newGuests(most int) *guests {
	share := max(minShare, most/clientShare)
	return &guests{most: most, share: share, held: make(map[netip.Prefix]int), sizes: make([]int, share+1)}
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
	g.count(of, 1)
	return n, displaced
}

// victim chooses by chance among those of the clients that hold the most, if
// that is more than least.
func (g *guests) victim(least int) *guest {
	if g.top <= least {
		return nil
	}
	start := rand.IntN(len(g.all))
	for i := range g.all {
		if n := g.all[(start+i)%len(g.all)]; g.held[n.of] == g.top {
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
	g.count(n.of, -1)
}

// count notes that a client holds one more or one less.
func (g *guests) count(of netip.Prefix, change int) {
	was := g.held[of]
	is := was + change
	g.sizes[was]-- // nobody cares for how many hold none
	g.sizes[is]++
	if g.held[of] = is; is == 0 {
		delete(g.held, of)
	}
	g.top = max(g.top, is)
	for g.top > 0 && g.sizes[g.top] == 0 {
		g.top--
	}
}

package server

import (
	"net/netip"
	"time"

	"ntsd/internal/clock"
)

// establishments is what is known of the key establishments of an address. It
// stands beside the address's record, in memory of its own that is allocated
// with the first one: most servers see none, and the look-ups for each request
// pass over less.
type establishments struct {
	last    clock.Mono // the latest
	due     clock.Mono // when its bucket is full again
	asked   uint32     // saturated
	dropped uint32     // likewise, of these
	gap     uint32     // between them, milliseconds, a running mean
	known   bool       // there was one
}

// Admit notes a client that is not asking for the time but for a connection,
// and says whether the limit allows it.
func (c *Clients) Admit(l *RateLimit, a netip.Addr, now clock.Mono) bool {
	k := c.establish(a, now)
	if k.known {
		k.gap = meanGap(k.gap, now.Sub(k.last))
	}
	k.last, k.known, k.asked = now, true, increment(k.asked)
	if !l.Enabled || l.charge(&k.due, now) || c.oneIn(l.Leak) {
		return true
	}
	k.dropped = increment(k.dropped)
	return false
}

// establish finds or makes the place of an address.
func (c *Clients) establish(a netip.Addr, now clock.Mono) *establishments {
	if c.ke == nil {
		c.ke = make([][clientWays]establishments, len(c.sets))
	}
	key := keyOf(a)
	n := c.seed.hash(key) & uint64(len(c.sets)-1)
	set := &c.sets[n]
	for i := range set {
		if r := &set[i]; r.addr == key && r.flags&used != 0 {
			return &c.ke[n][i]
		}
	}
	i := c.displace(n, now)
	set[i] = record{addr: key, flags: used}
	return &c.ke[n][i]
}

// latest is when the i-th client of the n-th set was last heard of.
func (c *Clients) latest(n uint64, i int) clock.Mono {
	r := &c.sets[n][i]
	switch {
	case c.ke == nil || !c.ke[n][i].known:
		return r.last
	case r.flags&asked == 0:
		return c.ke[n][i].last
	}
	return max(r.last, c.ke[n][i].last)
}

// describeKE fills in what is known of the key establishments of a client.
func (c *Clients) describeKE(d *Client, n uint64, i int, now clock.Mono) {
	const never = -time.Second
	if c.sets[n][i].flags&asked == 0 {
		d.Last = never
	}
	d.KELast = never
	if c.ke == nil || !c.ke[n][i].known {
		return
	}
	k := &c.ke[n][i]
	d.KE, d.KEDropped = k.asked, k.dropped
	d.KEInterval, d.KELast = time.Duration(k.gap)*time.Millisecond, max(0, now.Sub(k.last))
}

// Reset forgets how often the clients have asked that did so at least so many
// times; what the limits need stays.
func (c *Clients) Reset(least uint32) {
	for n := range c.sets {
		for i := range c.sets[n] {
			r, k := &c.sets[n][i], new(establishments)
			if c.ke != nil {
				k = &c.ke[n][i]
			}
			if max(r.requests, k.asked) >= least {
				r.requests, r.dropped, k.asked, k.dropped = 0, 0, 0, 0
			}
		}
	}
}

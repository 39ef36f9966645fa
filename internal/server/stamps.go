package server

import (
	"encoding/binary"
	"math"
	"net/netip"
	"time"

	"ntsd/internal/ntptime"
	"ntsd/internal/wire"
)

// Implementation constants.
const (
	// stampWays is how many pairs of timestamps share a set.
	stampWays = 4
	// maxBumps is how far a receive timestamp is moved to be unique: each
	// step is a quarter of a nanosecond.
	maxBumps = 8
	// inUse and awaited are flags of a pair; the rest of the word tells clients
	// apart.
	inUse, awaited = 1, 2
	whose          = ^uint32(inUse | awaited)
)

// stamps holds when replies really left, for interleaved mode (RFC 9769 section
// 2): a client names a reply by its receive timestamp, and is told in the next
// reply. Pairs are kept by address and receive timestamp, not by port: behind
// one address there may be many clients, and a client changes its port.
type stamps struct {
	sets [][stampWays]pair // each fills a cache line
}

type pair struct {
	rx ntptime.Timestamp
	// stay is how long after rx the reply left, in its units, so at most a
	// second.
	stay  uint32
	flags uint32 // 0: free; awaited: the client uses interleaved mode
}

// is reports whether p belongs to the client. Two clients may be taken for one
// another, once in 2^30: it would take a receive timestamp in common to notice.
func (p *pair) is(client uint64) bool { return p.flags&whose == uint32(client)&whose && p.flags != 0 }

func newStamps(size int) stamps {
	return stamps{sets: make([][stampWays]pair, powerOfTwo(size/stampWays))}
}

func (s *stamps) set(client uint64, rx ntptime.Timestamp) *[stampWays]pair {
	const mix = 0x9e3779b97f4a7c15
	h := (client ^ uint64(rx)*mix) * mix
	return &s.sets[h>>32&uint64(len(s.sets)-1)]
}

func (s *stamps) find(client uint64, rx ntptime.Timestamp) *pair {
	set := s.set(client, rx)
	for i := range set {
		if p := &set[i]; p.rx == rx && p.is(client) {
			return p
		}
	}
	return nil
}

// recall returns when the reply with the receive timestamp rx left. The pair
// then stays only for as long as nobody needs its place: should the reply be
// lost, the client asks for it again.
func (s *stamps) recall(client uint64, rx ntptime.Timestamp) (tx ntptime.Timestamp, ok bool) {
	p := s.find(client, rx)
	if p == nil {
		return 0, false
	}
	p.flags &^= awaited
	return p.rx + ntptime.Timestamp(p.stay), true
}

// remember keeps a pair and returns its receive timestamp: moved a little where
// the client has one of that value. RFC 9769 §2 needs it to be unique.
func (s *stamps) remember(client uint64, rx, tx ntptime.Timestamp, proven bool) ntptime.Timestamp {
	for range maxBumps {
		if s.find(client, rx) == nil && rx != 0 {
			break
		}
		rx++
	}
	set := s.set(client, rx)
	best := &set[0]
	var bestRank uint64
	for i := range set {
		p := &set[i]
		if p.flags == 0 {
			best = p
			break
		}
		if rank := p.rank(rx); rank >= bestRank {
			best, bestRank = p, rank
		}
	}
	*best = pair{rx: rx, flags: uint32(client)&whose | inUse}
	if proven {
		best.flags |= awaited
	}
	best.left(tx)
	return rx
}

// left notes when the reply left. A time that cannot be frees the pair: the
// client then gets a reply in basic mode.
func (p *pair) left(tx ntptime.Timestamp) {
	stay := uint64(tx - p.rx)
	if stay > math.MaxUint32 {
		*p = pair{}
		return
	}
	p.stay = uint32(stay)
}

// rank says how little is lost with p: its age, and more where no interleaved
// client waits for it.
func (p *pair) rank(now ntptime.Timestamp) uint64 {
	const unproven = 1 << 63
	age := uint64(now - p.rx)
	if age>>63 == 1 { // from the future: the clock was stepped back
		age = 0
	}
	if p.flags&awaited != 0 && age < uint64(provenFor/time.Second)<<32 {
		return age
	}
	return age | unproven
}

// interleave remembers the reply out, and where the request in names an earlier
// reply turns out into one of interleaved mode: RFC 9769 §2, the origin
// timestamp is the request's receive timestamp, and the transmit timestamp says
// when that earlier reply left.
func (c *Clients) interleave(r *record, in, out *wire.Header) Verdict {
	v, id, left := Answered, c.seed.hash(r.addr)|1, out.Transmit
	// RFC 9769 §2: a client that asks in basic mode has both timestamps equal,
	// or names a time at which no reply was received.
	if in.Origin != 0 && in.Receive != in.Transmit {
		if tx, ok := c.stamps.recall(id, in.Origin); ok {
			v = AnsweredInterleaved
			r.flags |= interleaved | proven
			out.Origin, out.Transmit = in.Receive, tx
		}
	}
	out.Receive = c.stamps.remember(id, out.Receive, left, v == AnsweredInterleaved)
	return v
}

// Sent notes when a reply really left, as the kernel says: the client will be
// told in its next interleaved reply. rx is the reply's receive timestamp.
func (c *Clients) Sent(to netip.Addr, rx, tx ntptime.Timestamp) {
	if p := c.stamps.find(c.seed.hash(keyOf(to))|1, rx); p != nil {
		p.left(tx)
	}
}

// Held returns how many timestamps are kept for interleaved mode, and over
// what span of time.
func (c *Clients) Held() (n int, span time.Duration) {
	var first, last ntptime.Timestamp
	for i := range c.stamps.sets {
		for j := range c.stamps.sets[i] {
			p := &c.stamps.sets[i][j]
			if p.flags == 0 {
				continue
			}
			if n == 0 || p.rx.Sub(first) < 0 {
				first = p.rx
			}
			if n == 0 || p.rx.Sub(last) > 0 {
				last = p.rx
			}
			n++
		}
	}
	return n, last.Sub(first)
}

// addr returns the address that k stands for.
func (k key128) addr() netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], k.hi)
	binary.BigEndian.PutUint64(b[8:], k.lo)
	return netip.AddrFrom16(b).Unmap()
}

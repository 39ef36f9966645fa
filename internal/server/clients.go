package server

import (
	"math"
	"math/bits"
	"net/netip"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/order"
)

// Implementation constants.
const (
	// clientWays is how many records share a set of the table. An address can
	// only ever displace the records of its set.
	clientWays = 8
	// provenFor is how long the record of a proven client resists others.
	provenFor = 2 * time.Hour
	// maxGap bounds the intervals that are kept, in milliseconds: 49 days.
	maxGap = math.MaxUint32
)

// Seed keys the hashes of addresses. It is random and secret, so that nobody
// can choose addresses which meet in one set.
type Seed [2]uint64

func (s Seed) hash(a key128) uint64 {
	hi, lo := bits.Mul64(a.hi^s[0], a.lo^s[1])
	return hi ^ lo
}

// Stripe returns which of n Clients an address belongs to, n a power of two.
func (s Seed) Stripe(a netip.Addr, n int) int {
	if n == 1 {
		return 0
	}
	return int(uint32(s.hash(keyOf(a))>>32) & uint32(n-1))
}

// Clients remembers who asked, for rate limits, statistics and interleaved
// mode. Its memory is bounded: sets of a few records each. A newcomer takes
// the place of the record that was longest idle; those of clients that have
// proved to receive our replies yield last, so that requests from invented
// addresses displace each other. Being displaced costs a client no more than
// a burst more and one reply in basic mode.
//
// It takes no locks. Workers that share it hold the caller's lock from Reply on
// until the reply is built; with a Clients for each stripe of addresses (see
// Seed.Stripe) they hardly meet.
type Clients struct {
	seed      Seed
	random    uint64
	sets      [][clientWays]record
	displaced uint64
	stamps    stamps
	ke        [][clientWays]establishments // beside sets; nil: there were none
}

// record is what is known of one address.
type record struct {
	addr      key128
	last      clock.Mono // its latest request
	replied   clock.Mono // and the latest that was answered, where there is a limit
	due       clock.Mono // when its bucket of replies is full again
	requests  uint32     // saturated
	dropped   uint32     // likewise, of these
	gap       uint32     // between requests, milliseconds, a running mean
	repliedIn uint32     // between replies, likewise
	flags     uint8
}

// Flags of a record.
const (
	used        = 1 << iota // the record holds a client
	asked                   // it sent requests: it is not here for key establishments alone
	proven                  // it receives what we send to its address
	byNTS                   // its requests are authenticated
	interleaved             // it uses interleaved mode
)

// NewClients returns a table with room for about size addresses, at least
// clientWays.
func NewClients(size int, seed Seed) *Clients {
	n := powerOfTwo((size + clientWays - 1) / clientWays)
	return &Clients{
		seed: seed, random: seed[0] ^ seed[1],
		sets: make([][clientWays]record, n), stamps: newStamps(n * clientWays),
	}
}

// powerOfTwo returns the largest power of two that is at most n, at least 1.
func powerOfTwo(n int) int { return 1 << (bits.Len(uint(max(n, 1))) - 1) }

// visit finds or makes the record of an address and notes a request.
func (c *Clients) visit(a netip.Addr, now clock.Mono) *record {
	key := keyOf(a)
	n := c.seed.hash(key) & uint64(len(c.sets)-1)
	set := &c.sets[n]
	for i := range set {
		if r := &set[i]; r.addr == key && r.flags&used != 0 {
			if r.flags&asked != 0 {
				r.gap = meanGap(r.gap, now.Sub(r.last))
			}
			r.last = now
			r.requests = increment(r.requests)
			r.flags |= asked
			return r
		}
	}
	r := &set[c.displace(n, now)]
	*r = record{addr: key, last: now, requests: 1, flags: used | asked}
	return r
}

// displace returns which record of the n-th set a newcomer takes: a free one,
// else the longest idle of the unproven, else of all.
func (c *Clients) displace(n uint64, now clock.Mono) int {
	set := &c.sets[n]
	best, bestIdle, bestProven := 0, time.Duration(-1), true
	for i := range set {
		r := &set[i]
		if r.flags&used == 0 {
			return i
		}
		idle := max(0, now.Sub(c.latest(n, i)))
		isProven := r.flags&proven != 0 && idle < provenFor
		if !isProven && bestProven || isProven == bestProven && idle > bestIdle {
			best, bestIdle, bestProven = i, idle, isProven
		}
	}
	c.displaced++
	if c.ke != nil {
		c.ke[n][best] = establishments{}
	}
	return best
}

// meanGap moves a mean of gaps, 0 if there was none yet, towards the latest.
func meanGap(mean uint32, d time.Duration) uint32 {
	gap := uint32(min(max(0, d/time.Millisecond), maxGap))
	if mean == 0 {
		return gap
	}
	return uint32((3*uint64(mean) + uint64(gap)) / 4)
}

func increment(n uint32) uint32 {
	if n == math.MaxUint32 {
		return n
	}
	return n + 1
}

// oneIn draws with a chance of 1 in 2^shift. The numbers are splitmix64's: for
// the choice of which spoofed request to answer they need be no better.
func (c *Clients) oneIn(shift uint8) bool {
	c.random += 0x9e3779b97f4a7c15
	z := c.random
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return (z^z>>31)>>(64-shift) == 0
}

// Client is one line of the table of clients.
type Client struct {
	Addr             netip.Addr
	Requests         uint32
	Dropped          uint32        // of these, by the rate limit
	Interval         time.Duration // mean, between requests; 0 before the second
	AnsweredInterval time.Duration // mean, between replies, where there is a limit
	Last             time.Duration // since the latest request; negative: there was none
	NTS, Interleaved bool          // what the client uses

	KE         uint32        // its key establishments
	KEDropped  uint32        // of these, by their rate limit
	KEInterval time.Duration // mean, between them; 0 before the second
	KELast     time.Duration // since the latest; negative: there was none
}

// AppendList appends the clients in the order of their addresses.
func (c *Clients) AppendList(dst []Client, now clock.Mono) []Client {
	first := len(dst)
	for i := range c.sets {
		for j := range c.sets[i] {
			r := &c.sets[i][j]
			if r.flags&used == 0 {
				continue
			}
			dst = append(dst, Client{
				Addr: r.addr.addr(), Requests: r.requests, Dropped: r.dropped,
				Interval:         time.Duration(r.gap) * time.Millisecond,
				AnsweredInterval: time.Duration(r.repliedIn) * time.Millisecond,
				Last:             max(0, now.Sub(r.last)),
				NTS:              r.flags&byNTS != 0, Interleaved: r.flags&interleaved != 0,
			})
			c.describeKE(&dst[len(dst)-1], uint64(i), j, now)
		}
	}
	order.Stable(dst[first:], func(x, y Client) int { return x.Addr.Compare(y.Addr) })
	return dst
}

// Displaced returns how many records made room for others.
func (c *Clients) Displaced() uint64 { return c.displaced }

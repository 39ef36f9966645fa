package server

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"

	"ntsd/internal/order"
)

// Rule lets the clients of a prefix in, or keeps them out.
type Rule struct {
	Prefix netip.Prefix
	Allow  bool
}

// Access says which clients are answered, with chrony's meaning of allow and
// deny: the rule with the longest prefix that holds an address decides, and an
// address in none is refused. Where both an allow and a deny have the same
// prefix the deny counts. The loopback addresses are always allowed.
//
// It does not change once made, so workers may share it. The zero value
// refuses everybody but loopback.
type Access struct {
	// The address space of each family, cut where the deciding rule changes: a
	// look-up is a binary search, however many rules there are and however
	// they nest.
	v4, v6 []edge
	rules  []Rule
}

// edge is where a rule begins to decide; it does until the next edge.
type edge struct {
	from key128
	rule int32 // in Access.rules; none: refused
}

const noRule = -1

// key128 is an address as a number.
type key128 struct{ hi, lo uint64 }

func (k key128) compare(l key128) int {
	if c := cmp.Compare(k.hi, l.hi); c != 0 {
		return c
	}
	return cmp.Compare(k.lo, l.lo)
}

// keyOf maps IPv4 into IPv6 (RFC 4291 section 2.5.5.2) and forgets the zone.
func keyOf(a netip.Addr) key128 {
	b := a.As16()
	return key128{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// span is a rule as a range of numbers, ends included.
type span struct {
	first, last key128
	rule        int32
}

func spanOf(p netip.Prefix, rule int32) span {
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	first := keyOf(p.Masked().Addr())
	last := first
	switch {
	case bits == 0:
		last = key128{^uint64(0), ^uint64(0)}
	case bits <= 64:
		last.hi |= ^uint64(0) >> bits
		last.lo = ^uint64(0)
	case bits < 128:
		last.lo |= ^uint64(0) >> (bits - 64)
	}
	return span{first, last, rule}
}

// NewAccess returns the table of the rules. Their order does not matter.
// Invalid prefixes are passed over.
func NewAccess(rules []Rule) *Access {
	a := &Access{rules: slices.Clone(rules)}
	a.rules = slices.DeleteFunc(a.rules, func(r Rule) bool { return !r.Prefix.IsValid() })
	for i, r := range a.rules {
		p := r.Prefix
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		a.rules[i].Prefix = p.Masked()
	}
	var v4, v6 []span
	for i, r := range a.rules {
		if s := spanOf(r.Prefix, int32(i)); r.Prefix.Addr().Is4() {
			v4 = append(v4, s)
		} else {
			v6 = append(v6, s)
		}
	}
	a.v4, a.v6 = a.cut(v4), a.cut(v6)
	return a
}

// cut sorts the ranges, which nest but never overlap, sweeps over them, and
// notes each change of the innermost one.
func (a *Access) cut(spans []span) []edge {
	// Outer ranges stand before the ranges inside them, and of equal ones the
	// deny stands last: the innermost decides.
	order.Stable(spans, func(x, y span) int {
		if c := x.first.compare(y.first); c != 0 {
			return c
		}
		if c := y.last.compare(x.last); c != 0 {
			return c
		}
		return cmp.Compare(denyRank(a.rules[x.rule]), denyRank(a.rules[y.rule]))
	})
	var edges []edge
	var open []span
	closeUpTo := func(next key128, all bool) {
		for len(open) > 0 && (all || open[len(open)-1].last.compare(next) < 0) {
			after := open[len(open)-1].last.next()
			open = open[:len(open)-1]
			outer := int32(noRule)
			if len(open) > 0 {
				outer = open[len(open)-1].rule
			}
			if after != (key128{}) { // else it is the end of the address space
				edges = appendEdge(edges, edge{after, outer})
			}
		}
	}
	for _, s := range spans {
		closeUpTo(s.first, false)
		edges = appendEdge(edges, edge{s.first, s.rule})
		open = append(open, s)
	}
	closeUpTo(key128{}, true)
	return edges
}

func denyRank(r Rule) int {
	if r.Allow {
		return 0
	}
	return 1
}

// appendEdge appends e. A later word about the same place replaces the earlier
// one.
func appendEdge(edges []edge, e edge) []edge {
	if n := len(edges); n > 0 && edges[n-1].from == e.from {
		edges[n-1] = e
		return edges
	}
	return append(edges, e)
}

// next returns the number after k, 0 after the last.
func (k key128) next() key128 {
	k.lo++
	if k.lo == 0 {
		k.hi++
	}
	return k
}

// Allowed reports whether a client is answered. It allocates nothing.
func (a *Access) Allowed(client netip.Addr) bool {
	if client.Unmap().IsLoopback() {
		return true
	}
	r := a.find(client)
	return r != noRule && a.rules[r].Allow
}

// Deciding returns the rule that decides about a client; ok is false where none
// does, so that the client is refused. Loopback is beyond all rules.
func (a *Access) Deciding(client netip.Addr) (r Rule, ok bool) {
	i := a.find(client)
	if i == noRule {
		return Rule{}, false
	}
	return a.rules[i], true
}

func (a *Access) find(client netip.Addr) int32 {
	if !client.IsValid() {
		return noRule
	}
	k, edges := keyOf(client), a.v6
	if client.Unmap().Is4() {
		edges = a.v4
	}
	low, high := 0, len(edges) // the first edge beyond k lies in [low, high]
	for low < high {
		mid := int(uint(low+high) >> 1)
		if from := &edges[mid].from; from.hi < k.hi || from.hi == k.hi && from.lo <= k.lo {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low == 0 {
		return noRule
	}
	return edges[low-1].rule
}

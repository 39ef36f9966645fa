package names

import (
	"net/netip"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
)

// MaxAddresses of one name are kept: a server could announce thousands.
const MaxAddresses = maxAddrs

// RetryAddress is how long an address that failed is left alone. With it a
// source changes its server at most that often, once all its addresses have been
// tried: a fleet of clients must not wander in step.
const RetryAddress = 30 * time.Minute

// Addresses are those of one name.
type Addresses []Address

// Address is one of them.
type Address struct {
	Addr   netip.Addr
	Bad    bool // gave nothing when it was last tried
	failed clock.Mono
}

// Ripe reports whether an address may be tried.
func (x *Address) Ripe(now clock.Mono) bool {
	return !x.Bad || now.Sub(x.failed) >= RetryAddress
}

// Set takes the addresses of an answer that are of a family; what is known of one
// of them stays.
func (l *Addresses) Set(addrs []netip.Addr, family event.Family) {
	old := *l
	*l = nil
	for _, a := range addrs {
		a = a.Unmap()
		if !a.IsValid() || !OfFamily(a, family) || len(*l) == MaxAddresses || l.Find(a) != nil {
			continue
		}
		next := Address{Addr: a}
		if known := old.Find(a); known != nil {
			next = *known
		}
		*l = append(*l, next)
	}
}

// Find returns an address of the list, nil when it is not there.
func (l Addresses) Find(a netip.Addr) *Address {
	for i := range l {
		if l[i].Addr == a {
			return &l[i]
		}
	}
	return nil
}

// Fail notes that an address gave nothing.
func (l Addresses) Fail(now clock.Mono, a netip.Addr) {
	if x := l.Find(a); x != nil {
		x.Bad, x.failed = true, now
	}
}

// Forgive forgets failures.
func (l Addresses) Forgive() {
	for i := range l {
		l[i].Bad = false
	}
}

// SameFamily returns the first address of the family of like, or else the
// first (RFC 8915 §4.1.7 asks servers for it): what reached one server reaches
// the other.
func SameFamily(addrs []netip.Addr, like netip.Addr) netip.Addr {
	for _, a := range addrs {
		if a.Is4() == like.Is4() {
			return a
		}
	}
	return addrs[0]
}

// OfFamily reports whether an address is of a family.
func OfFamily(a netip.Addr, f event.Family) bool {
	switch f {
	case event.FamilyIPv4:
		return a.Is4()
	case event.FamilyIPv6:
		return a.Is6()
	}
	return true
}

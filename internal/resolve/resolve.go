// Package resolve turns names into addresses with Go's own resolver, which
// reads /etc/resolv.conf and /etc/hosts and needs no C library. It belongs to
// layer 4.
//
// Not its business: caching (dnsmasq does), when to ask again, which address
// to use, and the saved addresses that stand in while nothing resolves.
package resolve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// MaxAddrs is how many addresses of one name are kept: pools answer with four
// or so of each family, and a forged answer may hold hundreds.
const MaxAddrs = 16

// DefaultTimeout bounds a lookup: two tries of 5 s, as resolvers do.
const DefaultTimeout = 10 * time.Second

// DefaultPatience is how long the addresses of one family wait for those of
// the other. Some name servers answer for A and swallow the question for AAAA.
const DefaultPatience = time.Second

// Why a name has no addresses. Test with errors.Is.
var (
	// ErrNotFound: the answer is that there is no such name, or that it has
	// no address of the family. Asking again soon does not help.
	ErrNotFound = errors.New("no such host")
	// ErrTemporary: no answer in time, or the server failed (which a wrong
	// clock before a validating resolver looks like).
	ErrTemporary = errors.New("temporary failure")
	// ErrNoNetwork: no name server could be reached at all: no route, link
	// down, nobody listening. Cheap; worth a retry when an interface is up.
	ErrNoNetwork = errors.New("no name server reachable")
)

// Error is a lookup that gave nothing. Err wraps one of the reasons above.
type Error struct {
	Name string
	Err  error
}

// Error returns "resolve: time.example: no such host".
func (e *Error) Error() string { return fmt.Sprintf("resolve: %s: %v", e.Name, e.Err) }

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// Family limits a lookup to one kind of address.
type Family uint8

// The families.
const (
	Any Family = iota
	IPv4
	IPv6
)

// network returns the family's name in package net.
func (f Family) network() string {
	return [...]string{"ip", "ip4", "ip6"}[f]
}

// has reports whether a belongs to the family.
func (f Family) has(a netip.Addr) bool {
	return f == Any || (f == IPv4) == a.Is4()
}

// Config is how to ask.
type Config struct {
	// Servers are asked in turn instead of those in /etc/resolv.conf: the
	// WAN's own, say, when the local validating one fails.
	Servers []netip.AddrPort
	// CheckingDisabled sets the CD bit (RFC 4035 §3.2.2): a validating server
	// then answers although the clock is wrong. Only for names whose servers
	// prove themselves by TLS.
	CheckingDisabled bool
	// Timeout bounds the lookup, per server; 0 means DefaultTimeout.
	Timeout time.Duration
	// Patience is how long one family waits for the other; 0 means
	// DefaultPatience.
	Patience time.Duration
	// Dial replaces net.Dialer.DialContext.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Resolver looks names up. It is safe for concurrent use; the zero value asks
// the system's name servers.
type Resolver struct{ Config Config }

// Lookup returns the addresses of name in the order of the answer, without
// duplicates, at most MaxAddrs. Where both are asked, IPv6 comes
// first if there is a route to it, last if not. An address needs no lookup. A name with a dot in it is
// absolute (RFC 8915 §4.1.7): the search list never applies to it.
func (r *Resolver) Lookup(ctx context.Context, name string, family Family) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(name); err == nil {
		a = a.Unmap()
		if !family.has(a) {
			return nil, &Error{name, fmt.Errorf("%w of that family", ErrNotFound)}
		}
		return []netip.Addr{a}, nil
	}
	servers := r.Config.Servers
	if len(servers) == 0 {
		servers = []netip.AddrPort{{}} // the system's
	}
	var err error
	for _, s := range servers {
		var addrs []netip.Addr
		if family == Any {
			addrs, err = r.askBoth(ctx, s, absolute(name))
		} else {
			addrs, err = r.ask(ctx, s, absolute(name), family)
		}
		if err == nil {
			return addrs, nil
		}
		if errors.Is(err, ErrNotFound) || ctx.Err() != nil {
			break // a clear answer, or nobody is waiting for one
		}
	}
	return nil, &Error{name, err}
}

// absolute appends the dot that keeps the search list away.
func absolute(name string) string {
	if strings.Contains(name, ".") && !strings.HasSuffix(name, ".") {
		return name + "."
	}
	return name
}

// ask does one lookup at server, or at the system's name servers.
func (r *Resolver) ask(ctx context.Context, server netip.AddrPort, name string, family Family) ([]netip.Addr, error) {
	timeout := r.Config.Timeout
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	d := &dialer{config: r.Config, server: server}
	system := net.Resolver{PreferGo: true, Dial: d.dial}
	found, err := system.LookupNetIP(ctx, family.network(), name)
	if err != nil {
		return nil, d.classify(err)
	}
	var addrs []netip.Addr
	for _, a := range found {
		a = a.Unmap()
		// Filtering name servers answer 0.0.0.0 for what they block.
		if a.IsUnspecified() || a.IsMulticast() || slices.Contains(addrs, a) {
			continue
		}
		if addrs = append(addrs, a); len(addrs) == MaxAddrs {
			break
		}
	}
	if len(addrs) == 0 {
		return nil, fmt.Errorf("%w (unusable addresses only)", ErrNotFound)
	}
	return addrs, nil
}

// classify puts one of the package's reasons before err.
func (d *dialer) classify(err error) error {
	var dns *net.DNSError
	var family *net.AddrError // /etc/hosts has the name, but no address of the family
	switch {
	case errors.As(err, &dns) && dns.IsNotFound, errors.As(err, &family):
		return fmt.Errorf("%w (%w)", ErrNotFound, err)
	case d.unreachable():
		return fmt.Errorf("%w (%w)", ErrNoNetwork, err)
	}
	return fmt.Errorf("%w (%w)", ErrTemporary, err)
}

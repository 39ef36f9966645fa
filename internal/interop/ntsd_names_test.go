package interop

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"ntsd/internal/status"
)

// useDNS makes the daemon's host ask the name server on another host.
func (d *daemon) useDNS(h, server *Host) {
	d.t.Helper()
	d.see("/etc/resolv.conf", h, "nameserver "+server.IPv4.String(), "options timeout:1 attempts:2")
	d.see("/etc/hosts", h, "127.0.0.1 localhost")
}

// A server by name: the name stands in the tables, the address in those with
// -n, the certificate must be for the name.
func TestNtsdNamedServer(t *testing.T) {
	const name = "time.example"
	l := newLab(t)
	srv, dns, router := l.Host("chrony"), l.Host("dns"), l.Host("router")
	srv.StartChronyServer(l.peers, l.certificateFor(name))
	dns.startDNS(map[string][]netip.Addr{
		name: {srv.IPv4}, "other.example": {srv.IPv6},
	})
	d := l.configure(router, source(name, quickly), source("other.example", quickly))
	d.useDNS(router, dns)
	d.start(router)
	d.checkFollowed(srv.IPv4, name, 2, true)
	// The same server under a name that its certificate does not have.
	s := d.untilSource("other.example", "a reason", func(s *status.Source) bool { return s.Auth.LastError != "" })
	if !strings.Contains(s.Auth.LastError, "other.example") || s.Counters.Sent != 0 {
		t.Errorf("with the wrong name: got %q after %d packets, want the name in the reason, no packets", s.Auth.LastError, s.Counters.Sent)
	}
	if got := d.untilSource(name, "a certificate", func(s *status.Source) bool { return s.Auth.Certificate != nil }).Address; got != srv.IPv4.String() {
		t.Errorf("address of %s: got %s, want %v", name, got, srv.IPv4)
	}
}

// TestCheck11DeadAddressReplaced: a name has two IPv4 and two IPv6 addresses,
// one of them dead from the beginning. ntsd finds a good one; when that dies
// it moves to another by itself.
func TestCheck11DeadAddressReplaced(t *testing.T) {
	const name = "time.example"
	l := newLab(t)
	one, two, dns, router := l.Host("one"), l.Host("two"), l.Host("dns"), l.Host("router")
	cert := l.certificateFor(name)
	one.StartChronyServer(l.peers, cert)
	two.StartChronyServer(l.peers, cert)
	// Nobody has the first address: it is the one that is tried first.
	dead := netip.MustParseAddr("2001:db8::dead")
	dns.startDNS(map[string][]netip.Addr{name: {dead, two.IPv6, one.IPv4, two.IPv4}})
	d := l.configure(router, source(name, quickly))
	d.useDNS(router, dns)
	d.start(router)

	followed := func(not ...string) func(*status.Source) bool {
		return func(s *status.Source) bool {
			for _, n := range not {
				if s.Address == n {
					return false
				}
			}
			return s.Mark == "*" && s.Reach&7 == 7
		}
	}
	first := d.untilSource(name, "a good address", followed())
	if first.Address == dead.String() {
		t.Fatalf("got replies from %v, which nobody has", dead)
	}
	for _, h := range []*Host{one, two} {
		for _, a := range []netip.Addr{h.IPv4, h.IPv6} {
			if a.String() == first.Address {
				h.ns.ip(t, "addr", "del", fmt.Sprintf("%v/%d", a, map[bool]int{true: 24, false: 64}[a.Is4()]), "dev", "eth0")
			}
		}
	}
	d.untilSource(name, "another address", followed(first.Address))
	for _, gone := range []string{dead.String(), first.Address} {
		if log := d.Log(); !strings.Contains(log, "replaced by another address") || !strings.Contains(log, "reason="+gone+"\n") {
			t.Errorf("the log does not tell that %s was replaced:\n%s", gone, log)
		}
	}
}

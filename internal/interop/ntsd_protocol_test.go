package interop

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ntsd/internal/status"
)

// TestNtsdNegotiatedServer: chronyd names another NTP server, by name, and
// another port; that is where ntsd goes, under both families.
func TestNtsdNegotiatedServer(t *testing.T) {
	const port = 11123
	l := newLab(t)
	srv, dns, router := l.Host("chrony"), l.Host("dns"), l.Host("router")
	srv.StartChronyServer(l.peers, srv.Certificate(l.ca), "ntsntpserver ntp.example", fmt.Sprint("port ", port))
	dns.startDNS(map[string][]netip.Addr{"ntp.example": {srv.IPv6}})
	addr := srv.IPv4.String()
	d := l.configure(router, source(addr, quickly))
	d.useDNS(router, dns)
	d.start(router)
	r := d.until("replies", func(r *status.Report) bool { return r.Tracking.Synchronised && r.Sources[0].Reach&7 == 7 })
	s := r.Sources[0]
	if s.Address != srv.IPv6.String() || s.Port != port || s.Auth.KEAddress != addr || s.Auth.KEs != 1 {
		t.Errorf("got %s port %d from %s, %d key establishments; want %v port %d from %s, 1",
			s.Address, s.Port, s.Auth.KEAddress, s.Auth.KEs, srv.IPv6, port, addr)
	}
}

// TestNtsdQuery: ntsd -Q measures chronyd's and ntpsec's offset as "chronyd -Q"
// would, in a second or two.
func TestNtsdQuery(t *testing.T) {
	l := newLab(t)
	chrony, ntpsec, router := l.Host("chrony"), l.Host("ntpsec"), l.Host("router")
	chrony.StartChronyServer(l.peers, chrony.Certificate(l.ca))
	ntpsec.StartNTPsecServer(l.peers, ntpsec.Certificate(l.ca))
	ca := router.writeCA(l.ca)
	for _, addr := range []netip.Addr{chrony.IPv4, chrony.IPv6, ntpsec.IPv4, ntpsec.IPv6} {
		begin := time.Now()
		cmd := router.Command(context.Background(), filepath.Join(binDir, "ntsd"), "-Q", "-t", "10",
			"ntstrustedcerts "+ca, fmt.Sprintf("server %v nts iburst maxsamples 1", addr))
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "System clock wrong by ") || !strings.Contains(string(out), "Disabled control of system clock") {
			t.Errorf("%v: %v\n%s", addr, err, out)
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("%v: took %v", addr, took)
		}
	}
}

// TestNtsdRate: ntpsec asks for fewer requests; ntsd obeys and goes on.
func TestNtsdRate(t *testing.T) {
	l := newLab(t)
	srv, router := l.Host("ntpsec"), l.Host("router")
	srv.StartNTPsecServer(l.peers, srv.Certificate(l.ca), "limit average 3 burst 4 kod 1",
		"restrict "+router.IPv4.String()+" kod limited")
	addr := srv.IPv4.String()
	d := l.ntsd("router", plainSource(addr, -3))
	s := d.untilSource(addr, "a longer interval", func(s *status.Source) bool { return s.PollLog2 > -3 })
	if n := verdict(s, "kiss-o'-death RATE"); n == 0 {
		t.Errorf("got verdicts %v, want a kiss", s.Counters.Verdicts)
	}
	d.untilSource(addr, "a usable reply", func(s *status.Source) bool { return s.Reach != 0 })
}

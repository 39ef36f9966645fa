package interop

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ntsd/internal/siv"
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

// TestNtsdAlgorithms: ntpsec has the three AES-SIV-CMACs, chronyd 4.3 the first
// of them. With the longest keys a request has 296 octets.
func TestNtsdAlgorithms(t *testing.T) {
	l := newLab(t)
	chrony, ntpsec, way := l.Host("chrony"), l.Host("ntpsec"), l.Host("way")
	chrony.StartChronyServer(l.peers, chrony.Certificate(l.ca))
	ntpsec.StartNTPsecServer(l.peers, l.certificate(ntpsec, way))
	p := l.path("way", ntpsec)
	addr := way.IPv4.String()
	for _, c := range []struct {
		want   keys
		length int // of a request
	}{
		{keys{siv.AESSIVCMAC256, 104}, 232}, {keys{siv.AESSIVCMAC384, 136}, 264}, {keys{siv.AESSIVCMAC512, 168}, 296},
	} {
		before, _ := p.seen()
		list := fmt.Sprintf("\tlist aead '%d'\n", c.want.aead)
		d := l.ntsd(fmt.Sprint("router ", c.want.aead), source(addr, quickly)+list, source(chrony.IPv4.String(), quickly)+list)
		d.untilSource(addr, "replies", func(s *status.Source) bool { return s.Reach&7 == 7 })
		d.checkAuthdata(addr, c.want)
		if requests, _ := p.seen(); len(requests[len(before)]) != c.length {
			t.Errorf("%v: got a request of %d octets, want %d", c.want.aead, len(requests[len(before)]), c.length)
		}
		if c.want.aead != siv.AESSIVCMAC256 {
			s := d.untilSource(chrony.IPv4.String(), "a reason", func(s *status.Source) bool { return s.Auth.LastError != "" })
			if !strings.Contains(s.Auth.LastError, "none of our AEAD algorithms") || s.Counters.Sent != 0 {
				t.Errorf("chronyd, %v: got %q", c.want.aead, s.Auth.LastError)
			}
		}
		if err := d.Stop(); err != nil {
			t.Error(err)
		}
	}
	// What it was not offered ntpsec takes all the same, its first.
	d := l.ntsd("router 30", source(addr, quickly)+"\tlist aead '30'\n")
	s := d.untilSource(addr, "a reason", func(s *status.Source) bool { return s.Auth.LastError != "" })
	if !strings.Contains(s.Auth.LastError, "none of our AEAD algorithms; it has 15") || s.Counters.Sent != 0 {
		t.Errorf("ntpsec, AEAD 30 only: got %q", s.Auth.LastError)
	}
}

// TestNtsdLinkComesLater: a router boots before its uplink does. ntsd starts
// without a network and needs no help when there is one.
func TestNtsdLinkComesLater(t *testing.T) {
	l := newLab(t)
	srv, router := l.Host("chrony"), l.Host("router")
	srv.StartChronyServer(l.peers, srv.Certificate(l.ca))
	router.SetLink(false)
	addr := srv.IPv4.String()
	d := l.ntsd("router", source(addr, quickly))
	d.untilSource(addr, "a reason", func(s *status.Source) bool { return s.Auth.LastError != "" })
	router.SetLink(true)
	d.until("synchronisation", func(r *status.Report) bool { return r.Tracking.Synchronised })
}

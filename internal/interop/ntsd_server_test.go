package interop

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"

	"ntsd/internal/status"
)

// quickly is four polls a second.
const quickly = -2

// fullReach: all of the last eight polls had a usable reply.
func fullReach(s *status.Source) bool { return s.Reach == 0o377 }

// checkFollowed wants ntsd to follow the one server at addr, of that stratum,
// which shares its clock.
func (d *daemon) checkFollowed(addr netip.Addr, name string, stratum int, nts bool) {
	d.t.Helper()
	s := d.untilSource(name, "full reach", func(s *status.Source) bool { return fullReach(s) && s.Mark == "*" })
	if !strings.HasPrefix(row(d.t, d.ask("sources", "-N"), name), "^* ") {
		d.t.Errorf("sources: %s is not selected:\n%s", name, d.ask("sources"))
	}
	got := strings.Fields(row(d.t, d.ask("sources", "-n"), addr.String()))
	want := []string{"^*", addr.String(), fmt.Sprint(stratum), fmt.Sprint(s.PollLog2), "377"}
	if g, w := strings.Join(got[:min(5, len(got))], " "), strings.Join(want, " "); g != w {
		d.t.Errorf("sources: got %q, want %q", g, w)
	}
	r := d.until("synchronisation", func(r *status.Report) bool { return r.Tracking.Synchronised })
	tr := r.Tracking
	if tr.Stratum != stratum+1 || tr.ReferenceAddress != addr.String() || tr.Authenticated != nts || tr.Leap != status.LeapNormal {
		d.t.Errorf("tracking: got %+v, want stratum %d, %v, authenticated %v", tr, stratum+1, addr, nts)
	}
	if want := refid(addr); tr.ReferenceID != want {
		d.t.Errorf("reference ID: got %s, want %s", tr.ReferenceID, want)
	}
	// Both read the same clock, which our dry run steers a copy of: what the
	// source and the clock claim about the difference must be possible at once.
	s = Source(d.t, r, name)
	bound := s.ErrorBoundS + math.Abs(tr.CorrectionS) + tr.RootDispersionS + tr.RootDelayS/2
	if math.Abs(s.AdjustedOffsetS) > bound || math.Abs(tr.CorrectionS) > 1e-3 {
		d.t.Errorf("got offset %g +/- %g s, tracking %+v; want an offset within %g, a correction below 1 ms", s.AdjustedOffsetS, s.ErrorBoundS, tr, bound)
	}
	if got := d.ask("tracking"); !strings.Contains(got, "Leap status     : Normal") {
		d.t.Errorf("tracking:\n%s", got)
	}
}

// eachFamily runs a test for both addresses of a host.
func eachFamily(t *testing.T, test func(t *testing.T, addr func(*Host) netip.Addr)) {
	t.Helper()
	require(t) // where both would be skipped, so is their test
	FindPeers(t)
	t.Run("IPv4", func(t *testing.T) { test(t, func(h *Host) netip.Addr { return h.IPv4 }) })
	t.Run("IPv6", func(t *testing.T) { test(t, func(h *Host) netip.Addr { return h.IPv6 }) })
}

// ntsd takes its time from chronyd.
func TestNtsdChronyServer(t *testing.T) {
	eachFamily(t, func(t *testing.T, of func(*Host) netip.Addr) {
		l := newLab(t)
		srv := l.Host("chrony")
		srv.StartChronyServer(l.peers, srv.Certificate(l.ca))
		addr := of(srv)
		d := l.ntsd("router", source(addr.String(), quickly))
		d.checkFollowed(addr, addr.String(), 2, true)
		d.checkAuthdata(addr.String(), chronyKeys(l.peers))
	})
}

// ntsd takes its time from ntpsec.
func TestNtsdNTPsecServer(t *testing.T) {
	eachFamily(t, func(t *testing.T, of func(*Host) netip.Addr) {
		l := newLab(t)
		srv := l.Host("ntpsec")
		srv.StartNTPsecServer(l.peers, srv.Certificate(l.ca))
		addr := of(srv)
		d := l.ntsd("router", source(addr.String(), quickly))
		d.checkFollowed(addr, addr.String(), 3, true)
		d.checkAuthdata(addr.String(), ntpsecKeys())
	})
}

// Without NTS, both are followed too.
func TestNtsdPlainServers(t *testing.T) {
	l := newLab(t)
	chrony, ntpsec := l.Host("chrony"), l.Host("ntpsec")
	chrony.StartChronyServer(l.peers, chrony.Certificate(l.ca))
	ntpsec.StartNTPsecServer(l.peers, ntpsec.Certificate(l.ca))
	a := l.ntsd("router a", plainSource(chrony.IPv4.String(), quickly))
	b := l.ntsd("router b", plainSource(ntpsec.IPv4.String(), quickly))
	a.checkFollowed(chrony.IPv4, chrony.IPv4.String(), 2, false)
	b.checkFollowed(ntpsec.IPv4, ntpsec.IPv4.String(), 3, false)
	if got := strings.Fields(row(t, a.ask("authdata"), chrony.IPv4.String())); strings.Join(got[1:], " ") != "- 0 0 0 - 0 0 0 0" {
		t.Errorf("authdata: got %v", got)
	}
}

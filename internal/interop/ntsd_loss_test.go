package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ntsd/internal/nts"
	"ntsd/internal/status"
)

// longestGap returns the most zero bits in a row of the reach register that
// were polls: those before the first poll were none.
func longestGap(reach int, polls uint64) int {
	longest, gap := 0, 0
	for i := range min(polls, 8) {
		if gap++; reach>>i&1 == 1 {
			gap = 0
		}
		longest = max(longest, gap)
	}
	return longest
}

// TestNtsdChronyLostKeys: a chronyd that was restarted without its keys says
// so; ntsd gets new ones at once, from one key establishment, and misses two
// polls at most.
func TestNtsdChronyLostKeys(t *testing.T) {
	l := newLab(t)
	srv := l.Host("chrony")
	cert := srv.Certificate(l.ca)
	line, _ := srv.commandSocket()
	proc := srv.StartChronyServer(l.peers, cert, line)
	addr := srv.IPv4.String()
	d := l.ntsd("router", source(addr, 0))
	d.untilSource(addr, "three replies", func(s *status.Source) bool { return s.Reach&7 == 7 })
	if got := srv.counters(l.peers); got.accepted != 1 {
		t.Errorf("before: got %d key establishments, want 1", got.accepted)
	}
	// Right after a reply there is a second until the next request.
	if err := proc.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(srv.Dir, "ntskeys")); err != nil {
		t.Fatal(err)
	}
	srv.StartChronyServer(l.peers, cert, line)
	worst := 0
	s := d.untilSource(addr, "replies with new keys", func(s *status.Source) bool {
		worst = max(worst, longestGap(s.Reach, s.Counters.Sent))
		return s.Auth.KEs == 2 && s.Reach&7 == 7
	})
	if worst > 2 {
		t.Errorf("got %d polls in a row without a reply, want 2 at most", worst)
	}
	if s.Auth.NAKs == 0 || s.Auth.KEs != 2 || s.Auth.Cookies != nts.MaxCookies {
		t.Errorf("got %+v, want a NAK, two key establishments, eight cookies", s.Auth)
	}
	if got := srv.counters(l.peers); got.accepted != 1 || !l.peers.Newer && got.authenticated < 3 {
		t.Errorf("after: got %+v, want 1 key establishment, 3 packets or more", got)
	}
	fields := strings.Fields(row(t, d.ask("-n", "authdata"), addr))
	if fields[2] != "2" || fields[7] != fmt.Sprint(s.Auth.NAKs) {
		t.Errorf("authdata: got %v, want key 2 and the NAK", fields)
	}
	if log := d.Log(); strings.Count(log, "NTS keys established") != 2 {
		t.Errorf("the log does not tell of two key establishments:\n%s", log)
	}
}

// TestNtsdNTPsecLostKeys: ntpsec says nothing to a cookie that it cannot open.
// When its cookies are used up ntsd gets new ones.
func TestNtsdNTPsecLostKeys(t *testing.T) {
	l := newLab(t)
	srv, other := l.Host("ntpsec"), l.Host("restarted")
	way := l.Host("way")
	cert := l.certificate(srv, other, way)
	srv.StartNTPsecServer(l.peers, cert)
	other.StartNTPsecServer(l.peers, cert)
	p := l.path("way", srv)
	addr := way.IPv4.String()
	d := l.ntsd("router", source(addr, -1))
	d.untilSource(addr, "three replies", func(s *status.Source) bool { return s.Reach&7 == 7 })
	before, _ := p.seen()
	p.reroute(other)
	s := d.untilSource(addr, "replies with new keys", func(s *status.Source) bool { return s.Auth.KEs == 2 && s.Reach&3 == 3 })
	requests, ke := p.seen()
	if ke != 2 || s.Auth.NAKs != 0 {
		t.Errorf("got %d key establishments, %d NAKs; want 2 and 0", ke, s.Auth.NAKs)
	}
	// Eight cookies of the old keys are spent, and two new ones; more until a busy
	// machine looks.
	if n := len(requests) - len(before); n < nts.MaxCookies+2 || n > 3*nts.MaxCookies {
		t.Errorf("got %d requests since the keys were lost, want about %d", n, nts.MaxCookies+2)
	}
}

// TestNtsdLostReplies: each lost reply makes the next request longer by the
// room for one cookie, until after three of them some are short, to see whether
// those fare better; after eight ntsd has no cookie and gets new keys, once.
func TestNtsdLostReplies(t *testing.T) {
	l := newLab(t)
	srv, way := l.Host("chrony"), l.Host("way")
	cert := l.certificate(srv, way)
	line, _ := srv.commandSocket()
	srv.StartChronyServer(l.peers, cert, line)
	p := l.path("way", srv)
	addr := way.IPv4.String()
	d := l.ntsd("router", source(addr, quickly))
	// A busy machine may have made ntsd try the path before.
	d.untilSource(addr, "full reach, all cookies and no trial", func(s *status.Source) bool {
		return fullReach(s) && s.Auth.Cookies == nts.MaxCookies && !s.Auth.OnTrial && s.Auth.MaxPlaceholders == nts.MaxCookies-1
	})
	p.onReplies(lose)
	before, _ := p.seen()
	s := d.untilSource(addr, "new keys", func(s *status.Source) bool { return s.Auth.KEs == 2 })
	p.onReplies(nil)
	requests, _ := p.seen()
	step := chronyKeys(l.peers).cookieLen + 4
	short := len(requests[0])
	lengths := make([]int, len(requests))
	for i, r := range requests {
		lengths[i] = len(r)
	}
	// The first that was lost. A busy machine may have lost one long before.
	first := max(len(before)-2, 0)
	first += slices.Index(lengths[first:], short+step) - 1
	if first < 0 || len(lengths) < first+nts.MaxCookies {
		t.Fatalf("got requests of %v octets, too few that were lost", lengths)
	}
	for i := range nts.MaxCookies {
		if got, want := lengths[first+i], short+i*step; got != want && (i < 3 || got != short) {
			t.Errorf("after %d losses: got a request of %d octets, want %d", i, got, want)
		}
	}
	if s.Reach&0xff != 0 {
		t.Errorf("reach: got %o after eight losses, want 0", s.Reach)
	}
	d.untilSource(addr, "full reach again", func(s *status.Source) bool { return fullReach(s) && s.Mark == "*" })
	if _, ke := p.seen(); ke != 2 {
		t.Errorf("got %d key establishments, want 2", ke)
	}
	if got := srv.counters(l.peers).accepted; got != 2 {
		t.Errorf("chronyd counts %d key establishments, want 2", got)
	}
}

// TestNtsdTamperedReply: what was changed on the way is discarded and counted,
// costs one poll, and does not move the clock.
func TestNtsdTamperedReply(t *testing.T) {
	l := newLab(t)
	srv, way := l.Host("chrony"), l.Host("way")
	cert := l.certificate(srv, way)
	srv.StartChronyServer(l.peers, cert)
	p := l.path("way", srv)
	addr := way.IPv4.String()
	d := l.ntsd("router", source(addr, quickly))
	d.untilSource(addr, "full reach", fullReach)
	p.onReplies(tamper)
	const forged = "NTS authentication failed"
	s := d.untilSource(addr, "three forged replies", func(s *status.Source) bool {
		return verdict(s, forged) >= 3 && s.Reach&3 == 0
	})
	p.onReplies(nil)
	if s.Reach == 0 || s.Auth.Cookies >= nts.MaxCookies-1 {
		t.Errorf("got reach %o, %d cookies; want losses, and cookies spent", s.Reach, s.Auth.Cookies)
	}
	s = d.untilSource(addr, "genuine replies", fullReach)
	if s.MeasuredOffsetS > 1 || s.MeasuredOffsetS < -1 || s.Auth.KEs != 1 || s.Auth.Cookies < nts.MaxCookies-1 {
		t.Errorf("got %+v, want the same keys, eight cookies and no change of the clock", s)
	}
	r := d.until("a report", func(*status.Report) bool { return true })
	if !r.Tracking.Synchronised || r.Tracking.Steps != 0 {
		t.Errorf("tracking: got %+v, want a clock that stayed synchronised", r.Tracking)
	}
	if out := d.ask("ntpdata", "-v", addr); !strings.Contains(out, forged) {
		t.Errorf("ntpdata -v does not tell of the forged replies:\n%s", out)
	}
}

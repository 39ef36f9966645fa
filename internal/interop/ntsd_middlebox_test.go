package interop

import (
	"strings"
	"testing"

	"ntsd/internal/status"
)

// TestNtsdLongRequestsDropped: something on the way to chronyd drops requests
// that ask for more than one cookie. ntsd finds out, says so once, asks for no
// more, and needs no new keys for lost replies from then on.
func TestNtsdLongRequestsDropped(t *testing.T) {
	l := newLab(t)
	srv, way := l.Host("chrony"), l.Host("way")
	srv.StartChronyServer(l.peers, l.certificate(srv, way))
	p := l.path("way", srv)
	addr := way.IPv4.String()
	d := l.ntsd("router", source(addr, -3))
	d.untilSource(addr, "three replies", func(s *status.Source) bool { return s.Reach&7 == 7 })
	requests, _ := p.seen()
	short := len(requests[0])
	p.narrow(short)
	// Some replies get lost as well: else nothing long is asked for.
	every := func(n int) {
		i := 0
		p.onReplies(func(pkt []byte) []byte {
			if i++; i%n == 0 {
				return nil
			}
			return pkt
		})
	}
	every(12)
	p.lose(2)
	s := d.untilSource(addr, "a finding", func(s *status.Source) bool { return s.Auth.Path != nil })
	if f := s.Auth.Path; f.Longest != short || f.Lost <= short || f.Closed || s.Auth.MaxPlaceholders != 0 {
		t.Errorf("got %+v, %d placeholders; want requests of %d bytes to pass", *f, s.Auth.MaxPlaceholders, short)
	}
	for _, args := range [][]string{{"authdata", "-v"}, {"sources", "-v"}} {
		if out := d.ask(args...); !strings.Contains(out, "get no reply") {
			t.Errorf("%v does not tell of it:\n%s", args, out)
		}
	}
	before, _ := p.seen()
	d.untilSource(addr, "thirty more requests", func(*status.Source) bool {
		all, _ := p.seen()
		return len(all) >= len(before)+30
	})
	after, _ := p.seen()
	long := 0
	for _, r := range after[len(before):] {
		if len(r) > short {
			long++
		}
	}
	if long > 6 {
		t.Errorf("got %d long requests of %d after the finding, want a try now and then", long, len(after)-len(before))
	}
	p.narrow(0)
	d.untilSource(addr, "longer requests", func(s *status.Source) bool { return s.Auth.Path == nil || s.Auth.Path.Longest > short })
	if got := strings.Count(d.Log(), "the network drops long NTP packets"); got != 1 {
		t.Errorf("got %d lines in the log, want 1", got)
	}
}

// TestNtsdOnlyPlainRequestsPass: nothing with NTS gets through though keys do.
// No time is taken from what passes.
func TestNtsdOnlyPlainRequestsPass(t *testing.T) {
	l := newLab(t)
	srv, way := l.Host("chrony"), l.Host("way")
	srv.StartChronyServer(l.peers, l.certificate(srv, way))
	p := l.path("way", srv)
	p.narrow(100)
	addr := way.IPv4.String()
	d := l.ntsd("router", source(addr, quickly))
	s := d.untilSource(addr, "a finding", func(s *status.Source) bool { return s.Auth.Path != nil })
	if f := s.Auth.Path; !f.Closed || f.Longest != 48 || s.Reach != 0 || s.Counters.Good != 0 {
		t.Errorf("got %+v, reach %o, %d good replies", *f, s.Reach, s.Counters.Good)
	}
	if out := d.ask("sources", "-v"); !strings.Contains(out, "requests longer than 48 bytes get no reply") {
		t.Errorf("sources -v:\n%s", out)
	}
	p.narrow(0)
	d.untilSource(addr, "replies", fullReach)
	if log := d.Log(); strings.Count(log, "the network drops long NTP packets") != 1 || strings.Count(log, "long NTP packets get replies again") != 1 {
		t.Errorf("the log does not tell of it once:\n%s", log)
	}
}

package interop

import (
	"strings"
	"testing"

	"ntsd/internal/status"
)

// TestNtsdUnsynchronisedServer: a server that has no time itself says so, and
// that is what ntsd tells; it is no kiss-o'-death. ntpsec says it with stratum
// 0 and the reference ID INIT, chronyd with stratum 0 and none.
func TestNtsdUnsynchronisedServer(t *testing.T) {
	l := newLab(t)
	chrony, ntpsec := l.Host("chrony"), l.Host("ntpsec")
	chrony.StartChronyd(l.peers, "allow all")
	ntpsec.StartNTPsec(l.peers)
	chrony.WaitListen("udp", ntpPort)
	ntpsec.WaitListen("udp", ntpPort)
	d := l.ntsd("router", plainSource(chrony.IPv4.String(), quickly), plainSource(ntpsec.IPv4.String(), quickly))
	for _, h := range []*Host{chrony, ntpsec} {
		s := d.untilSource(h.IPv4.String(), "replies", func(s *status.Source) bool { return s.Counters.Received >= 3 && s.Counters.Sent >= 4 })
		if n := verdict(s, "server not synchronised"); n == 0 || verdict(s, "kiss-o'-death") != 0 {
			t.Errorf("%s: got verdicts %v, want only \"server not synchronised\"", h.Name, s.Counters.Verdicts)
		}
		if s.Reach != 0 || s.Mark != "?" || !strings.Contains(s.Selection.Why, "not synchronised") {
			t.Errorf("%s: got reach %o, mark %s, %q", h.Name, s.Reach, s.Mark, s.Selection.Why)
		}
	}
	r := d.until("a report", func(*status.Report) bool { return true })
	if r.Tracking.Synchronised || strings.Contains(d.Log(), "kiss") {
		t.Errorf("got %+v; log:\n%s", r.Tracking, d.Log())
	}
}

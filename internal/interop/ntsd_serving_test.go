package interop

import (
	"strings"
	"testing"

	"ntsd/internal/status"
)

// TestNtsdServesChronyAndNTPsec: a router between: ntsd takes its time from a
// chronyd with NTS and serves it to a chronyd, in interleaved mode too, and to
// an ntpsec.
func TestNtsdServesChronyAndNTPsec(t *testing.T) {
	l := newLab(t)
	up, router := l.Host("upstream"), l.Host("router")
	chrony, ntpsec := l.Host("chrony"), l.Host("ntpsec")
	up.StartChronyServer(l.peers, up.Certificate(l.ca))
	d := l.ntsd("router", source(up.IPv4.String(), quickly),
		section("allow")+"\tlist subnet '192.0.2.0/24'\n\tlist subnet '2001:db8::/64'\n")
	d.until("synchronisation", func(r *status.Report) bool { return r.Tracking.Synchronised })
	line, _ := chrony.commandSocket()
	chrony.StartChronyd(l.peers, line,
		"server "+router.IPv4.String()+" minpoll -2 maxpoll -2",
		"server "+router.IPv6.String()+" minpoll -2 maxpoll -2 xleave")
	ntpsec.StartNTPsec(l.peers, "server "+router.IPv4.String()+" iburst minpoll 3 maxpoll 3")

	var table string
	chrony.waitFor("full reach", func() bool {
		table = chrony.chronyc(l.peers, "-n", "sources")
		return strings.Count(table, " 377 ") == 2 && strings.Contains(table, "^* ")
	})
	for _, a := range []string{router.IPv4.String(), router.IPv6.String()} {
		f := strings.Fields(row(t, table, a))
		// Interleaved, the time is better: the other one may not be near enough
		// to be combined (-).
		if f[2] != "3" || !strings.Contains("^* ^+ ^-", f[0]) {
			t.Errorf("chronyd: got %v, want stratum 3 and a good mark", f)
		}
	}
	data := chrony.chronyc(l.peers, "-n", "ntpdata", router.IPv6.String())
	for _, want := range []string{"Interleaved     : Yes", "Leap status     : Normal", "NTP tests       : 111 111 1111",
		"Reference ID    : " + refid(up.IPv4)} {
		if !strings.Contains(data, want) {
			t.Errorf("chronyc ntpdata lacks %q:\n%s", want, data)
		}
	}
	ntpsec.waitFor("ntpsec's sync", func() bool { return strings.Contains(ntpsec.ntpq(l.peers), "*"+router.IPv4.String()) })
	if f := strings.Fields(row(t, ntpsec.ntpq(l.peers), "*"+router.IPv4.String())); f[1] != up.IPv4.String() || f[2] != "3" {
		t.Errorf("ntpq -pn: got %v, want %v and stratum 3", f, up.IPv4)
	}
}

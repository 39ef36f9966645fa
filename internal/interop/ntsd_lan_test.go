package interop

import (
	"strings"
	"testing"

	"ntsd/internal/nts"
	"ntsd/internal/status"
)

// TestNtsdLANAuthority: chronyd, ntpsec and ntsd accept the certificate that
// ntsd makes for its LAN once they were given the authority's, constraints and
// all.
func TestNtsdLANAuthority(t *testing.T) {
	l := newLab(t)
	up, router := l.Host("upstream"), l.Host("router")
	chrony, ntpsec, client := l.Host("chrony"), l.Host("ntpsec"), l.Host("client")
	up.StartChronyServer(l.peers, up.Certificate(l.ca))
	d := l.ntsd("router", source(up.IPv4.String(), quickly), Section("allow")+"\tlist subnet '192.0.2.0/24'\n\tlist subnet '2001:db8::/64'\n",
		Section("nts_server", "enabled", "yes", "selfsigned", "yes"))
	d.until("synchronisation", func(r *status.Report) bool { return r.Tracking.Synchronised })
	router.WaitListen("tcp", nts.DefaultPort)
	pem := d.ask("ca", "export")
	line, _ := chrony.commandSocket()
	chrony.StartChronyd(l.peers, line, "ntstrustedcerts "+chrony.writeFile("lan.pem", []string{pem}),
		"server "+router.IPv4.String()+" nts iburst minpoll -2 maxpoll -2",
		"server "+router.IPv6.String()+" nts iburst minpoll -2 maxpoll -2")
	ntp := ntpsec.StartNTPsec(l.peers, "server "+router.IPv4.String()+" nts iburst minpoll 3 maxpoll 3 ca "+ntpsec.writeFile("lan.pem", []string{pem}))
	c := l.ntsd("client", source(router.IPv4.String(), quickly, "trustedcerts", client.writeFile("lan.pem", []string{pem})))
	ntp.WaitLog("NTSc: Got 8 cookies")
	var table string
	chrony.waitFor("full reach", func() bool {
		table = chrony.chronyc(l.peers, "-n", "sources")
		return strings.Count(table, " 377 ") == 2
	})
	r := c.until("synchronisation", func(r *status.Report) bool { return r.Tracking.Synchronised })
	if a := r.Sources[0].Auth; a.KEs != 1 {
		t.Errorf("ntsd: got %+v, want one key establishment", a)
	}
	if got := d.served("NTS-KE connections accepted"); got != 4 {
		t.Errorf("got %d key establishments, want 4", got)
	}
}

package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ntsd/internal/nts"
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
		Section("allow")+"\tlist subnet '192.0.2.0/24'\n\tlist subnet '2001:db8::/64'\n")
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
	for _, want := range []string{
		"Interleaved     : Yes", "Leap status     : Normal", "NTP tests       : 111 111 1", // the rest is about this one sample's delay
		"Reference ID    : " + refid(up.IPv4),
	} {
		if !strings.Contains(data, want) {
			t.Errorf("chronyc ntpdata lacks %q:\n%s", want, data)
		}
	}
	ntpsec.waitFor("ntpsec's sync", func() bool { return strings.Contains(ntpsec.ntpq(l.peers), "*"+router.IPv4.String()) })
	if f := strings.Fields(row(t, ntpsec.ntpq(l.peers), "*"+router.IPv4.String())); f[1] != up.IPv4.String() || f[2] != "3" {
		t.Errorf("ntpq -pn: got %v, want %v and stratum 3", f, up.IPv4)
	}
}

// TestNtsdServesNTS: chronyd and ntpsec get their keys and their time from
// ntsd. A restart of ntsd that keeps its cookie keys is no news to them, nor is a
// reboot, which leaves only what is on flash; one that lost them costs each a key
// establishment.
func TestNtsdServesNTS(t *testing.T) {
	l := newLab(t)
	up, router := l.Host("upstream"), l.Host("router")
	chrony, ntpsec := l.Host("chrony"), l.Host("ntpsec")
	up.StartChronyServer(l.peers, up.Certificate(l.ca))
	certFile, keyFile := router.writeKeyPair(router.Certificate(l.ca))
	d := l.ntsd("router", source(up.IPv4.String(), quickly), Section("allow")+"\tlist subnet '192.0.2.0/24'\n",
		Section("nts_server", "enabled", "yes", "cert", certFile, "key", keyFile))
	d.until("synchronisation", func(r *status.Report) bool { return r.Tracking.Synchronised })
	router.WaitListen("tcp", nts.DefaultPort)
	line, _ := chrony.commandSocket()
	addr := router.IPv4.String()
	chrony.StartChronyd(l.peers, line, "ntstrustedcerts "+chrony.writeCA(l.ca), "server "+addr+" nts iburst minpoll -2 maxpoll -2")
	ntp := ntpsec.StartNTPsec(l.peers, "server "+addr+" nts iburst minpoll 3 maxpoll 3 ca "+ntpsec.writeCA(l.ca))
	ntp.WaitLog("NTSc: Got 8 cookies")
	reached := func() bool { return strings.Contains(chrony.chronyc(l.peers, "-n", "sources"), " 377 ") }
	chrony.waitFor("full reach", reached)
	aead := chronyKeys(l.peers).aead
	want := fmt.Sprintf("%s NTS 1 %d %d 0 0 %d", addr, aead, 8*aead.KeySize(), nts.CookieLen(aead))
	authdata := func() []string { return strings.Fields(row(t, chrony.chronyc(l.peers, "-n", "authdata"), addr)) }
	// All but the age of the keys, and the cookies that are not under way.
	f := authdata()
	if got := strings.Join(slices.Concat(f[:5], f[6:8], f[9:]), " "); got != want {
		t.Errorf("chronyc authdata: got %q, want %q", got, want)
	}
	if got := d.served("NTS-KE connections accepted"); got != 2 {
		t.Errorf("got %d key establishments, want 2", got)
	}

	run := filepath.Join(router.Dir, "run")
	restart := func(lost ...string) {
		t.Helper()
		if err := d.Stop(); err != nil {
			t.Fatal(err)
		}
		for _, path := range lost {
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
		}
		d.start(router)
	}
	for _, lost := range [][]string{nil, {run}} {
		restart(lost...)
		chrony.waitFor("replies after the restart", func() bool { return d.served("Authenticated NTP packets") >= 8 && reached() })
		if f := authdata(); f[2] != "1" || f[7] != "0" || d.served("NTS-KE connections accepted") != 0 {
			t.Errorf("after a restart without %v: got %v, %s; want the same keys, no NAK", lost, f, d.ask("serverstats"))
		}
	}
	restart(run, filepath.Join(router.Dir, "state"))
	chrony.waitFor("new keys", func() bool { return authdata()[2] == "2" })
	chrony.waitFor("replies with new keys", reached)
}

// served returns one of the daemon's counters as a server.
func (d *daemon) served(name string) int {
	d.t.Helper()
	for line := range strings.Lines(d.ask("serverstats")) {
		if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == name {
			n, err := strconv.Atoi(strings.TrimSpace(value))
			if err != nil {
				d.t.Fatal(err)
			}
			return n
		}
	}
	d.t.Fatalf("ntsctl serverstats has no %q", name)
	return 0
}

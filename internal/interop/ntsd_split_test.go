package interop

import (
	"strings"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/nts"
	"ntsd/internal/server"
	"ntsd/internal/status"
	"ntsd/internal/store"
)

// TestNtsdSplit: one ntsd establishes keys, another one answers requests; they
// share a file of keys from the beginning and nothing afterwards. A chronyd gets
// its keys from the one and its time from the other, before and after the keys
// are replaced, and a second one that comes later as well.
func TestNtsdSplit(t *testing.T) {
	l := newLab(t)
	up, ke, ntp := l.Host("upstream"), l.Host("ke"), l.Host("ntp")
	early, late := l.Host("early"), l.Host("late")
	up.StartChronyServer(l.peers, up.Certificate(l.ca))
	const rotate = 10 * time.Minute
	fleet := server.Rotation{
		Made: clock.WallTime(time.Now().Add(10*time.Second - rotate)),
		Keys: []nts.CookieKey{{ID: 41, Key: [nts.CookieKeyLen]byte{4, 2}}},
	}
	share := func(h *Host) string {
		t.Helper()
		path := h.Dir + "/fleet"
		if err := store.SaveCookieKeys(path, fleet); err != nil {
			t.Fatal(err)
		}
		return path
	}
	certFile, keyFile := ke.writeKeyPair(ke.Certificate(l.ca))
	clients := Section("allow") + "\tlist subnet '192.0.2.0/24'\n"
	k := l.ntsd("ke", source(up.IPv4.String(), quickly), clients, Section("serve", "enabled", "no"),
		Section("nts_server", "enabled", "yes", "cert", certFile, "key", keyFile, "ntp_server", ntp.IPv4.String(),
			"keys_file", share(ke), "rotate", "600"))
	n := l.ntsd("ntp", source(up.IPv4.String(), quickly), clients,
		Section("nts_server", "enabled", "no", "keys_file", share(ntp), "rotate", "600"))
	for _, d := range []*daemon{k, n} {
		d.until("synchronisation", func(r *status.Report) bool { return r.Tracking.Synchronised })
	}
	ke.WaitListen("tcp", nts.DefaultPort)
	follow := func(h *Host) (full func() bool) {
		line, _ := h.commandSocket()
		h.StartChronyd(l.peers, line, "ntstrustedcerts "+h.writeCA(l.ca), "server "+ke.IPv4.String()+" nts iburst minpoll -2 maxpoll -2")
		return func() bool {
			table := h.chronyc(l.peers, "-n", "sources")
			return strings.Contains(table, " 377 ") && strings.Contains(table, ntp.IPv4.String())
		}
	}
	full := follow(early)
	early.waitFor("full reach", full)
	rotated := func(d *daemon) bool {
		return strings.Contains(strings.Join(strings.Fields(d.ask("ntskeys")), " "), " 42 current ")
	}
	for h, d := range map[*Host]*daemon{ke: k, ntp: n} {
		h.waitFor("rotation", func() bool { return rotated(d) })
	}
	before := n.served("Authenticated NTP packets")
	early.waitFor("replies after the rotation", func() bool { return n.served("Authenticated NTP packets") >= before+8 && full() })
	late.waitFor("full reach of the second", follow(late))
	for name, h := range map[string]*Host{"early": early, "late": late} {
		if f := strings.Fields(row(t, h.chronyc(l.peers, "-n", "authdata"), ntp.IPv4.String())); f[2] != "1" || f[7] != "0" {
			t.Errorf("%s: got %v, want its first keys and no NAK", name, f)
		}
	}
	if got, none := k.served("NTS-KE connections accepted"), k.served("NTP packets received"); got != 2 || none != 0 {
		t.Errorf("the server of keys: got %d key establishments, %d requests; want 2, 0", got, none)
	}
	if got := n.served("NTS-KE connections accepted"); got != 0 {
		t.Errorf("the server of time: got %d key establishments, want 0", got)
	}
}

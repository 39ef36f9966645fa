package interop

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ntsd/internal/mac"
	"ntsd/internal/status"
)

// secretOf returns the hexadecimal digits of the key that the tests have for an
// id: 16 octets, of AES256 32.
func secretOf(id int, kind mac.Type) string {
	s := strings.Repeat(fmt.Sprintf("%02x", id), 16)
	if kind == mac.AES256 {
		s += s
	}
	return s
}

// sharedKeys are a key of each type, and their ids.
func sharedKeys() map[int]mac.Type {
	return map[int]mac.Type{1: mac.AES128, 2: mac.SHA1, 3: mac.SHA256, 4: mac.SHA384, 5: mac.SHA512, 6: mac.AES256, 7: mac.MD5}
}

// keyFile writes the keys as chrony or ntpsec have them.
func (h *Host) keyFile(ntp bool) string {
	h.t.Helper()
	var lines []string
	for id, kind := range sharedKeys() {
		if ntp {
			name := strings.Replace(kind.String(), "AES", "AES-", 1)
			lines = append(lines, fmt.Sprintf("%d %s %s", id, name, secretOf(id, kind)))
		} else {
			lines = append(lines, fmt.Sprintf("%d %s HEX:%s", id, kind, secretOf(id, kind)))
		}
	}
	path := h.writeFile("symmetric.keys", lines)
	if err := os.Chmod(path, 0o600); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// keySection returns the section of a key in a file of its own.
func (h *Host) keySection(id int, kind mac.Type, digits string) string {
	h.t.Helper()
	path := h.writeFile(fmt.Sprint("key", id), []string{"HEX:" + digits})
	if err := os.Chmod(path, 0o600); err != nil {
		h.t.Fatal(err)
	}
	return Section("key", "id", fmt.Sprint(id), "type", kind.String(), "secret_file", path)
}

// keySections returns those of all keys.
func (h *Host) keySections() []string {
	var all []string
	for id, kind := range sharedKeys() {
		all = append(all, h.keySection(id, kind, secretOf(id, kind)))
	}
	return all
}

// associations runs ntpq's command for them, which shows who is authenticated.
func (h *Host) associations(p Peers) string {
	h.t.Helper()
	cmd := h.Command(context.Background(), p.Ntpq, "-n", "-c", "as")
	cmd.Env = p.Env
	out, err := cmd.CombinedOutput()
	if err != nil {
		h.t.Fatalf("ntpq: %v: %s", err, out)
	}
	return string(out)
}

// allowTest lets the hosts of the segment ask.
func allowTest() string {
	return Section("allow") + "\tlist subnet '192.0.2.0/24'\n\tlist subnet '2001:db8::/64'\n"
}

// TestNtsdSymmetricKeys: ntsd takes its time from chronyd and ntpsec with
// symmetric keys, and serves it to them with such. Both sides say so.
func TestNtsdSymmetricKeys(t *testing.T) {
	l := newLab(t)
	chrony, ntpsec, router := l.Host("chrony"), l.Host("ntpsec"), l.Host("router")
	cclient, nclient := l.Host("cclient"), l.Host("nclient")
	chrony.StartChronyd(l.peers, "local stratum 2", "allow all", "keyfile "+chrony.keyFile(false))
	ntpsec.StartNTPsec(l.peers, "tos orphan 3 orphanwait 1", "keys "+ntpsec.keyFile(true), "trustedkey 1 2 3 4 5 6 7")
	chrony.WaitListen("udp", ntpPort)
	sections := append(router.keySections(), allowTest(),
		plainSource(chrony.IPv4.String(), quickly, "key", "1"),
		plainSource(chrony.IPv6.String(), quickly, "key", "3"),
		plainSource(ntpsec.IPv4.String(), quickly, "key", "2"),
		plainSource(ntpsec.IPv6.String(), quickly, "key", "5"),
		Section("selection", "authselectmode", "require"))
	d := l.ntsd("router", sections...)
	for host, want := range map[string]string{
		chrony.IPv4.String(): "SK 1 13 128 - 0 0 0 0", chrony.IPv6.String(): "SK 3 3 128 - 0 0 0 0",
		ntpsec.IPv4.String(): "SK 2 2 128 - 0 0 0 0", ntpsec.IPv6.String(): "SK 5 5 128 - 0 0 0 0",
	} {
		d.untilSource(host, "full reach", fullReach)
		if got := strings.Join(strings.Fields(row(t, d.ask("-n", "authdata"), host))[1:], " "); got != want {
			t.Errorf("ntsctl authdata: %s: got %q, want %q", host, got, want)
		}
	}
	r := d.until("synchronisation", func(r *status.Report) bool { return r.Tracking.Synchronised })
	if !r.Tracking.Authenticated {
		t.Error("the reference does not count as authenticated, though authselectmode is require")
	}

	line, _ := cclient.commandSocket()
	cclient.StartChronyd(l.peers, line, "keyfile "+cclient.keyFile(false),
		"server "+router.IPv4.String()+" key 1 minpoll -2 maxpoll -2 xleave",
		"server "+router.IPv6.String()+" key 5 minpoll -2 maxpoll -2") // in version 3, with whole digests
	nclient.StartNTPsec(l.peers, "keys "+nclient.keyFile(true), "trustedkey 1 2 3 4 5 6 7",
		"server "+router.IPv4.String()+" key 6 iburst minpoll 3 maxpoll 3")
	cclient.waitFor("full reach", func() bool {
		return strings.Count(cclient.chronyc(l.peers, "-n", "sources"), " 377 ") == 2
	})
	for host, want := range map[string]string{router.IPv4.String(): "SK 1 13 128 - 0 0 0 0", router.IPv6.String(): "SK 5 5 128 - 0 0 0 0"} {
		if got := strings.Join(strings.Fields(row(t, cclient.chronyc(l.peers, "-n", "authdata"), host))[1:], " "); got != want {
			t.Errorf("chronyc authdata: %s: got %q, want %q", host, got, want)
		}
		cclient.waitFor("good ntpdata", func() bool {
			data := cclient.chronyc(l.peers, "-n", "ntpdata", host)
			return strings.Contains(data, "Authenticated   : Yes") && strings.Contains(data, "NTP tests       : 111 111 1111")
		})
	}
	cclient.waitFor("an interleaved reply", func() bool {
		return strings.Contains(cclient.chronyc(l.peers, "-n", "ntpdata", router.IPv4.String()), "Interleaved     : Yes")
	})
	nclient.waitFor("ntpsec's sync", func() bool { return strings.Contains(nclient.ntpq(l.peers), "*"+router.IPv4.String()) })
	if f := strings.Fields(nclient.associations(l.peers)); !strings.Contains(strings.Join(f, " "), "yes yes ok sys.peer") {
		t.Errorf("ntpq -c as: got %v, want auth ok", f)
	}
	if got := d.served("Authenticated NTP packets"); got < 8 {
		t.Errorf("serverstats: got %d authenticated packets", got)
	}
}

// TestNtsdSymmetricKeysWrong: a wrong secret, a wrong type, an id that the other
// side does not have: no time comes, in neither direction, and ntsd counts it.
func TestNtsdSymmetricKeysWrong(t *testing.T) {
	l := newLab(t)
	chrony, ntpsec, router := l.Host("chrony"), l.Host("ntpsec"), l.Host("router")
	line, _ := chrony.commandSocket()
	good := secretOf(1, mac.AES128)
	chrony.StartChronyd(l.peers, "local stratum 2", "allow all", line,
		"keyfile "+chrony.writeFile("keys", []string{"1 AES128 HEX:" + good, "2 SHA1 HEX:" + good, "3 AES128 HEX:" + good}),
		"server "+router.IPv4.String()+" key 1 minpoll -2 maxpoll -2",
		"server "+router.IPv6.String()+" key 3 minpoll -2 maxpoll -2")
	ntpsec.StartNTPsec(l.peers, "tos orphan 3 orphanwait 1", "trustedkey 1 2 3",
		"keys "+ntpsec.writeFile("keys", []string{"1 AES-128 " + good, "2 SHA1 " + good, "3 AES-128 " + good}))
	chrony.WaitListen("udp", ntpPort)
	ntpsec.WaitListen("udp", ntpPort)
	wrong := "00" + good[2:]
	d := l.ntsd("router", allowTest(), Section("local", "enabled", "yes"),
		router.keySection(1, mac.AES128, wrong), // another secret
		router.keySection(2, mac.SHA256, good),  // another type
		router.keySection(9, mac.AES128, good),  // another id
		plainSource(chrony.IPv4.String(), quickly, "key", "1"), plainSource(chrony.IPv6.String(), quickly, "key", "2"),
		plainSource(ntpsec.IPv4.String(), quickly, "key", "1"), plainSource(ntpsec.IPv6.String(), quickly, "key", "9"))
	for _, host := range []string{chrony.IPv4.String(), chrony.IPv6.String(), ntpsec.IPv4.String(), ntpsec.IPv6.String()} {
		s := d.untilSource(host, "many requests", func(s *status.Source) bool { return s.NTP == nil && s.Counters.Sent >= 8 || s.Reach != 0 })
		if s.Reach != 0 || s.Counters.Valid != 0 {
			t.Errorf("%s: got %+v, want no reply", host, s)
		}
	}
	// chronyd asks under a key whose secret differs, and one that ntsd lacks.
	d.until("refused requests", func(r *status.Report) bool {
		s := d.ask("--json", "serverstats")
		return counter(s, "drop_mac") >= 4 && counter(s, "drop_key") >= 4
	})
	if table := chrony.chronyc(l.peers, "-n", "sources"); strings.Count(table, "^? ") != 2 {
		t.Errorf("chronyd got replies:\n%s", table)
	}
}

// counter finds a number in JSON.
func counter(text, name string) int {
	_, after, _ := strings.Cut(text, `"`+name+`":`)
	n := 0
	_, _ = fmt.Sscan(strings.TrimSpace(after), &n)
	return n
}

// TestNtsdChronyConfWithKeys: ntsd -f chrony.conf reads chrony's own key file,
// and so does a query that takes chrony's directives.
func TestNtsdChronyConfWithKeys(t *testing.T) {
	l := newLab(t)
	srv, router := l.Host("chrony"), l.Host("router")
	srv.StartChronyd(l.peers, "local stratum 2", "allow all", "keyfile "+srv.keyFile(false))
	srv.WaitListen("udp", ntpPort)
	keys, addr := "keyfile "+router.keyFile(false), srv.IPv4.String()
	d := l.configure(router)
	d.config = router.writeFile("chrony.conf", []string{
		"server " + addr + " key 4 iburst minpoll -2 maxpoll -2", keys, "ntsdumpdir " + filepath.Dir(d.socket),
		"cmdport 0", "bindcmdaddress " + filepath.Join(filepath.Dir(d.socket), "chronyd.sock"),
	})
	// No directive of chrony's names the folder on flash; systemd's variable does.
	d.mounts = "export STATE_DIRECTORY=" + filepath.Join(router.Dir, "state") + "\n"
	d.start(router)
	d.untilSource(addr, "full reach", fullReach)
	if got := strings.Join(strings.Fields(row(t, d.ask("-n", "authdata"), addr))[1:5], " "); got != "SK 4 4 128" {
		t.Errorf("ntsctl authdata: got %q", got)
	}
	for id, want := range map[string]bool{"4": true, "9": false} {
		cmd := router.Command(context.Background(), filepath.Join(binDir, "ntsd"), "-Q", "-t", "3",
			"server "+addr+" key "+id+" iburst maxsamples 1", keys)
		out, err := cmd.CombinedOutput()
		if (err == nil) != want || strings.Contains(string(out), "System clock wrong by") != want {
			t.Errorf("ntsd -Q with key %s: %v: %s", id, err, out)
		}
	}
}

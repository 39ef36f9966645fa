package interop

import (
	"context"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/mac"
	"ntsd/internal/siv"
	"ntsd/internal/status"
)

// asked is an ntsd that chronyc asks, with the host that it is on.
type asked struct {
	*daemon
	l    *lab
	host *Host
}

// chronyc runs chronyc on the daemon's host, on its socket unless -h names
// another one, and returns what it prints and its exit status.
func (a *asked) chronyc(args ...string) (string, int) {
	a.t.Helper()
	if !slices.Contains(args, "-h") {
		args = append([]string{"-h", filepath.Join(a.host.Dir, "run", "chronyd.sock")}, args...)
	}
	cmd := a.host.Command(context.Background(), a.l.peers.Chronyc, args...)
	cmd.Env = a.l.peers.Env
	out, err := cmd.CombinedOutput()
	if _, ended := err.(*exec.ExitError); err != nil && !ended {
		a.t.Fatalf("chronyc %v: %v", args, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// shown are the words that both programs are asked for, and how.
func shown() []string {
	var all []string
	for _, flag := range []string{"-n", "-N"} {
		for _, word := range []string{"tracking", "sources", "sourcestats", "selectdata", "authdata", "ntpdata", "sources -a", "selectdata -a", "authdata -a"} {
			all = append(all, flag+" -c "+word)
		}
	}
	return append(all, "-n -c serverstats", "-n -c clients", "-n -c clients -k", "-n -c activity", "-n -c smoothing")
}

// TestNtsdChronyc: chronyc shows of ntsd what ntsctl shows at the same moment,
// field by field, and both the truth: servers of either family, with both AEADs
// and without NTS, one that lies, one that is dead, one that has no address.
func TestNtsdChronyc(t *testing.T) {
	l := newLab(t)
	srv, gcm, liar, dead, client := l.Host("chrony"), l.Host("gcm"), l.Host("liar"), l.Host("dead"), l.Host("client")
	srv.StartChronyServer(l.peers, l.certificateFor("chrony.example", srv))
	gcm.startDemo(l.ca)
	liar.startDemo(l.ca).SetOffset(clock.Offset(500 * time.Millisecond))
	plain := l.Host("plain")
	plain.StartChronyd(l.peers, "local stratum 2", "allow all", "keyfile "+plain.keyFile(false))
	router := l.Host("router")
	key := router.keySection(1, mac.AES128, secretOf(1, mac.AES128))
	a := &asked{l: l, host: router}
	sections := func(poll int) []string {
		return []string{
			source("chrony.example", poll, "family", "ipv4", "operator", "one"), source(srv.IPv6.String(), poll, "trust", "yes"),
			source(gcm.IPv4.String(), poll, "prefer", "yes"), plainSource(liar.IPv4.String(), poll), plainSource(plain.IPv6.String(), poll, "key", "1"), key,
			plainSource(dead.IPv6.String(), poll, "noselect", "yes"), peerSection(dead.IPv4.String(), poll), plainSource("nobody.invalid", poll),
			Section("allow") + "\tlist subnet '192.0.2.0/24'\n", Section("nts_server", "enabled", "yes", "selfsigned", "yes"),
			Section("smoothtime", "maxppm", "400"), Section("refclock", "driver", "SOCK", "parameter", filepath.Join(router.Dir, "gps.sock"), "refid", "GPS"),
			Section("monitor", "chrony_port", "323"),
		}
	}
	a.daemon = l.configure(router, sections(quickly)...)
	a.see("/etc/hosts", router, srv.IPv4.String()+" chrony.example")
	a.see("/etc/resolv.conf", router, "nameserver 127.0.0.1")
	a.start(router)
	a.until("reach", func(r *status.Report) bool {
		n := 0
		for i := range r.Sources {
			if s := &r.Sources[i]; fullReach(s) && !strings.ContainsAny(s.Mark, "?") {
				n++
			}
		}
		return n == 5 && r.Tracking.Synchronised
	})
	a.order("200 OK", "smoothtime", "activate")
	line, _ := client.commandSocket()
	asker := client.StartChronyd(l.peers, line, "ntstrustedcerts "+client.writeFile("lan.pem", []string{a.ask("ca", "export")}),
		"server "+router.IPv4.String()+" nts minpoll -2 maxpoll -2")
	client.waitFor("full reach", func() bool { return strings.Contains(client.chronyc(l.peers, "-n", "sources"), " 377 ") })
	sent := strings.Split(client.chronyc(l.peers, "-n", "-c", "ntpdata"), ",")
	if err := asker.Stop(); err != nil {
		t.Fatal(err)
	}
	// Samples come seldom from now on, so that a moment has a length.
	l.configure(router, sections(5)...)
	a.ask("reload")

	for _, words := range shown() {
		a.compare(strings.Fields(words))
	}
	a.truth(srv, gcm, liar, plain, dead)
	a.served(client, sent[30])
	a.doors()
	a.orders(srv, dead)
	a.moves(sections(5))
}

// compare wants chronyc to print what ntsctl prints: each field is that of
// ntsctl before or after, or a number between them.
func (a *asked) compare(args []string) {
	a.t.Helper()
	var diff []string
	for begin := time.Now(); time.Since(begin) < patience/2; {
		before := a.fields(a.ask(args...))
		printed, exit := a.chronyc(args...)
		after := a.fields(a.ask(args...))
		if exit != 0 {
			a.t.Errorf("chronyc %v: exit status %d: %s", args, exit, printed)
			return
		}
		// A sample may have come meanwhile, or it is the next second.
		if diff = differences(args, before, a.fields(printed), after); diff == nil {
			return
		}
	}
	a.t.Errorf("chronyc %v: %s", args, strings.Join(diff, "; "))
}

// fields reads comma-separated values.
func (a *asked) fields(text string) [][]string {
	a.t.Helper()
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil {
		a.t.Fatalf("%v in\n%s", err, text)
	}
	return rows
}

// rows asks chronyc for values, of which there must be so many rows or more.
func (a *asked) rows(least int, args ...string) [][]string {
	a.t.Helper()
	text, exit := a.chronyc(args...)
	rows := a.fields(text)
	if exit != 0 || len(rows) < least {
		a.t.Fatalf("chronyc %v: exit status %d, want %d rows:\n%s", args, exit, least, text)
	}
	return rows
}

// differences lists the fields that chronyc shows otherwise than ntsctl, which
// was asked before and after.
func differences(args []string, before, got, after [][]string) (diff []string) {
	word := args[2]
	if len(before) != len(got) || len(after) != len(got) {
		return []string{fmt.Sprintf("%d rows, ntsctl has %d and %d", len(got), len(before), len(after))}
	}
	for i := range got {
		if n := len(got[i]); n > len(before[i]) || n > len(after[i]) || n < len(before[i]) && word != "serverstats" && word != "ntpdata" {
			return []string{fmt.Sprintf("row %d has %d fields, ntsctl's has %d", i, n, len(before[i]))}
		}
		for j, field := range got[i] {
			switch {
			case word == "serverstats" && (j == 2 || j == 3): // ntsctl counts no commands
			case strings.HasPrefix(field, "ID#"): // ntsctl shows the name
			case !within(before[i][j], field, after[i][j]):
				diff = append(diff, fmt.Sprintf("row %d, field %d: %s, ntsctl %s and %s", i, j+1, field, before[i][j], after[i][j]))
			}
		}
	}
	return diff
}

// within reports whether a field is one of two others, or a number between
// them, as far as chrony's numbers of 25 bits and its decimals tell.
func within(before, field, after string) bool {
	if field == before || field == after {
		return true
	}
	x, err1 := strconv.ParseFloat(before, 64)
	v, err2 := strconv.ParseFloat(field, 64)
	y, err3 := strconv.ParseFloat(after, 64)
	_, decimals, fraction := strings.Cut(field, ".")
	if err1 != nil || err2 != nil || err3 != nil || !fraction {
		return false
	}
	step := 1.01*math.Pow10(-len(decimals)) + math.Max(math.Abs(x), math.Abs(y))*0x1p-24
	return v >= math.Min(x, y)-step && v <= math.Max(x, y)+step
}

// truth compares what chronyc shows with what is so.
func (a *asked) truth(srv, gcm, liar, plain, dead *Host) {
	a.t.Helper()
	rows := a.rows(8, "-n", "-c", "sources")
	var names []string
	marks := map[string]string{}
	for _, r := range rows {
		names = append(names, r[2])
		marks[r[2]] = r[1]
	}
	want := []string{srv.IPv4.String(), srv.IPv6.String(), gcm.IPv4.String(), liar.IPv4.String(), plain.IPv6.String(), dead.IPv6.String(), dead.IPv4.String(), "GPS"}
	if !slices.Equal(names, want) || marks[liar.IPv4.String()] != "x" || marks[dead.IPv6.String()] != "?" ||
		rows[6][0] != "=" || rows[7][0] != "#" || !slices.ContainsFunc(rows, func(r []string) bool { return r[1] == "*" }) {
		a.t.Errorf("sources: got %q, want %v, the fourth with x, the sixth with ?, the seventh a peer, the last a reference clock", rows, want)
	}
	if rows = a.rows(8, "-N", "-c", "sources", "-a"); rows[0][2] != "chrony.example" || rows[1][2] != srv.IPv6.String() || rows[6][2] != "nobody.invalid" {
		a.t.Errorf("sources -a with names: got %q", rows)
	}
	rows = a.rows(7, "-n", "-c", "authdata")
	theirs := chronyKeys(a.l.peers)
	for i, k := range []siv.Algorithm{theirs.aead, theirs.aead, siv.AES128GCMSIV} {
		if r := rows[i]; r[1] != "NTS" || r[3] != fmt.Sprint(uint16(k)) || r[4] != fmt.Sprint(8*k.KeySize()) || r[8] != "8" {
			a.t.Errorf("authdata: got %v, want NTS with AEAD %d and eight cookies", r, k)
		}
	}
	if r := rows[4]; !slices.Equal(r[1:5], []string{"SK", "1", "13", "128"}) {
		a.t.Errorf("authdata of a server with a symmetric key: got %v, want key 1, AES128", r)
	}
	if r := rows[3]; r[1] != "-" || r[5] != "4294967295" {
		a.t.Errorf("authdata of a server without NTS: got %v", r)
	}
	text, _ := a.chronyc("-n", "ntpdata", gcm.IPv4.String())
	for _, line := range []string{
		"Remote address  : " + gcm.IPv4.String() + " (" + refid(gcm.IPv4) + ")", "Remote port     : 123\n",
		"Local address   : " + a.host.IPv4.String() + " (" + refid(a.host.IPv4) + ")", "Mode            : Server\n",
		"NTP tests       : 111 111 1111\n", "Authenticated   : Yes\n",
	} {
		if !strings.Contains(text, line) {
			a.t.Errorf("ntpdata lacks %q:\n%s", line, text)
		}
	}
	text, _ = a.chronyc("-n", "tracking")
	if !strings.Contains(text, "Leap status     : Normal\n") || !strings.Contains(text, "Skew            : ") {
		a.t.Errorf("tracking: got\n%s", text)
	}
	if text, exit := a.chronyc("waitsync", "1"); exit != 0 {
		a.t.Errorf("waitsync: exit status %d: %s", exit, text)
	}
}

// served compares the counters of the server with what its one client sent.
func (a *asked) served(client *Host, sent string) {
	a.t.Helper()
	most, err := strconv.Atoi(strings.TrimSpace(sent))
	if err != nil {
		a.t.Fatal(err)
	}
	stats := a.rows(1, "-n", "-c", "serverstats")[0]
	rows := a.rows(1, "-n", "-c", "clients", "-k")
	if len(rows) != 1 || rows[0][0] != client.IPv4.String() || rows[0][1] != stats[0] || rows[0][6] != "1" || stats[5] != "1" || stats[7] != stats[0] {
		a.t.Errorf("clients: got %v, serverstats %v; want %v with all the requests, authenticated, and one key establishment", rows, stats, client.IPv4)
	}
	// It may have sent some more before it was stopped.
	if got, _ := strconv.Atoi(stats[0]); got < most {
		a.t.Errorf("got %d requests, the client sent %d and more", got, most)
	}
	for addr, want := range map[string]string{client.IPv4.String(): "208 Access allowed\n", "198.51.100.1": "209 Access denied\n"} {
		if got, exit := a.chronyc("accheck", addr); got != want || exit != 0 || a.ask("accheck", addr) != want {
			a.t.Errorf("accheck %s: got %q, %d, ntsctl %q; want %q", addr, got, exit, a.ask("accheck", addr), want)
		}
	}
}

// doors wants UDP to be open for what chrony shows everybody.
func (a *asked) doors() {
	a.t.Helper()
	for _, c := range []struct{ words, want string }{
		{"tracking", "Leap status     : Normal"},
		{"sources", "192.0.2."},
		{"sourcestats", "192.0.2."},
		{"activity", "200 OK"},
		{"smoothing", "Active         : Yes"},
		{"rtcdata", "513 RTC driver not running"},
		{"manual list", "210 n_samples = 0"},
		{"selectdata", "501 Not authorised"},
		{"serverstats", "501 Not authorised"},
		{"clients", "501 Not authorised"},
		{"makestep", "501 Not authorised"},
		{"offline", "501 Not authorised"},
	} {
		for _, server := range []string{"127.0.0.1", "::1"} {
			args := append([]string{"-h", server, "-n"}, strings.Fields(c.words)...)
			if got, _ := a.chronyc(args...); !strings.Contains(got, c.want) {
				a.t.Errorf("chronyc %v: got %q, want %q", args, got, c.want)
			}
		}
	}
	for _, words := range []string{
		"add server 192.0.2.99", "delete 192.0.2.1", "local stratum 5", "allow all", "settime 12:00", "shutdown",
		"maxpoll 192.0.2.1 3", "manual on", "reset sources", "dfreq 1", "doffset 1",
	} {
		got, exit := a.chronyc(strings.Fields(words)...)
		if !strings.Contains(got, "501 Not authorised") && !strings.Contains(got, "Unrecognized command") || exit == 0 {
			a.t.Errorf("chronyc %s: got %q, exit status %d", words, got, exit)
		}
	}
}

// order gives chronyc a command that has nothing to show.
func (a *asked) order(want string, words ...string) {
	a.t.Helper()
	if got, exit := a.chronyc(words...); got != want+"\n" || exit == 0 != strings.HasPrefix(want, "200") {
		a.t.Errorf("chronyc %v: got %q, exit status %d; want %q", words, got, exit, want)
	}
}

// orders wants what chronyc may command to be done.
func (a *asked) orders(srv, dead *Host) {
	a.t.Helper()
	online := func(name string) bool {
		return Source(a.t, a.until("a report", func(*status.Report) bool { return true }), name).Online
	}
	do := a.order
	do("200 OK", "offline", srv.IPv4.String())
	if online(srv.IPv4.String()) || !online(srv.IPv6.String()) {
		a.t.Error("offline of one address: not that one alone is offline")
	}
	do("200 OK", "online", "255.255.255.0/192.0.2.0")
	if !online(srv.IPv4.String()) {
		a.t.Error("online of its network: it is offline")
	}
	do("503 No such source", "offline", "198.51.100.1")
	do("200 OK", "offline")
	if text, _ := a.chronyc("activity"); !strings.Contains(text, "\n0 sources online\n") {
		a.t.Errorf("after offline: %s", text)
	}
	do("200 OK", "onoffline")
	if !online(dead.IPv6.String()) {
		a.t.Error("onoffline: the dead one is offline although there is a route")
	}
	good := Source(a.t, a.until("a report", func(*status.Report) bool { return true }), srv.IPv4.String()).Counters.Good
	do("200 OK", "burst", "2/4", srv.IPv4.String())
	a.untilSource(srv.IPv4.String(), "a burst", func(s *status.Source) bool { return s.Counters.Good >= good+2 })
	for _, words := range []string{"refresh", "dump", "rekey", "reload sources", "makestep", "smoothtime reset"} {
		do("200 OK", strings.Fields(words)...)
	}
	reloads := func() int { return strings.Count(a.Log(), "configuration reloaded") }
	a.until("a log that is written", func(*status.Report) bool { return reloads() >= 2 })
	if n := reloads(); n != 2 {
		a.t.Errorf("the configuration was reloaded %d times, want 2: by us and by rekey (reload sources: there are no folders)", n)
	}
}

// moves wants the socket and the port to follow the configuration.
func (a *asked) moves(sections []string) {
	a.t.Helper()
	before, after := filepath.Join(a.host.Dir, "run", "chronyd.sock"), filepath.Join(a.host.Dir, "other", "chronyd.sock")
	a.l.configure(a.host, append(sections[:len(sections)-1], Section("monitor", "chrony_socket", after))...)
	a.ask("reload")
	gone := func(path string) bool { _, err := os.Lstat(path); return err != nil }
	a.host.waitFor("other socket", func() bool { return gone(before) && !gone(after) && !a.host.listening("udp", 323) })
	if got, exit := a.chronyc("-h", after, "activity"); exit != 0 {
		a.t.Errorf("at the other path: %s", got)
	}
	if got, exit := a.chronyc("-h", before+",127.0.0.1", "activity"); exit == 0 {
		a.t.Errorf("where it was: %s", got)
	}
	if err := a.Stop(); err != nil || !gone(after) {
		a.t.Errorf("after the end (%v) the socket is still there", err)
	}
}

// TestNtsdChronycAsUser: ntsd goes on as a user of its own; root's chronyc asks
// it where chronyc looks, and so may the user's group, nobody else.
func TestNtsdChronycAsUser(t *testing.T) {
	l := newLab(t)
	srv, router := l.Host("chrony"), l.Host("router")
	srv.StartChronyd(l.peers, "local stratum 2", "allow all")
	// In a world of its own, where /run is empty.
	a := &asked{l: l, host: router}
	a.daemon = l.configure(router, plainSource(srv.IPv4.String(), quickly), Section("ntsd", "user", "nobody"),
		Section("monitor", "chrony_socket", "/run/chrony/chronyd.sock"))
	a.mounts = "mount -t tmpfs none /run\n"
	for _, dir := range []string{router.Dir, filepath.Dir(router.Dir)} { // of this test alone
		if err := os.Chmod(dir, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	a.start(router)
	a.until("synchronisation", func(r *status.Report) bool { return r.Tracking.Synchronised })
	inside := func(as ...string) string {
		line := append([]string{"--mount=/proc/" + strconv.Itoa(a.Pid()) + "/ns/mnt", "--"}, as...)
		cmd := router.Command(context.Background(), "nsenter", append(line, l.peers.Chronyc, "-n", "serverstats")...)
		cmd.Env = l.peers.Env
		out, _ := cmd.CombinedOutput()
		return string(out)
	}
	if info, err := os.Stat(fmt.Sprintf("/proc/%d", a.Pid())); err != nil || info.Sys().(*syscall.Stat_t).Uid != 65534 {
		t.Fatalf("ntsd runs as %+v, %v", info.Sys(), err)
	}
	const want = "NTP packets received"
	if got := inside(); !strings.Contains(got, want) {
		t.Errorf("root, without -h: got\n%s", got)
	}
	if got := inside("setpriv", "--reuid=12345", "--regid=65534", "--clear-groups"); !strings.Contains(got, want) {
		t.Errorf("the group, without -h: got\n%s", got)
	}
	if got := inside("setpriv", "--reuid=12345", "--regid=12345", "--clear-groups"); strings.Contains(got, want) {
		t.Errorf("somebody: got\n%s", got)
	}
}

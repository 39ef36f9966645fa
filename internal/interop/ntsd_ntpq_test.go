package interop

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ntsd/internal/ntpq"
	"ntsd/internal/status"
)

// runNtpq runs NTPsec's ntpq on the host and returns what it prints.
func (h *Host) runNtpq(p Peers, args ...string) (out string, err error) {
	h.t.Helper()
	cmd := h.Command(h.t.Context(), p.Ntpq, args...)
	cmd.Env = p.Env
	text, err := cmd.CombinedOutput()
	return string(text), err
}

// asked is runNtpq for what must succeed.
func (h *Host) asked(p Peers, args ...string) string {
	h.t.Helper()
	out, err := h.runNtpq(p, args...)
	if err != nil || strings.Contains(out, "***") || strings.Contains(out, "Traceback") {
		h.t.Errorf("ntpq %q: %v: %s", args, err, out)
	}
	return out
}

// TestNtsdAnswersNtpq: NTPsec's own ntpq asks a running ntsd, which serves
// nobody, and tells the truth: servers, marks and cookies are what they are, and
// the numbers are those that ntsctl has.
func TestNtsdAnswersNtpq(t *testing.T) {
	l := newLab(t)
	secure, plain, router := l.Host("secure"), l.Host("plain"), l.Host("router")
	secure.StartChronyServer(l.peers, secure.Certificate(l.ca))
	plain.StartChronyd(l.peers, "local stratum 3", "allow all")
	d := l.ntsd("router", source(secure.IPv4.String(), 0), plainSource(plain.IPv6.String(), 0),
		plainSource("nobody.invalid", 6), Section("monitor", "ntpq", "yes"), Section("selection", "authselectmode", "ignore"))
	d.until("two good sources", func(r *status.Report) bool {
		return r.Tracking.Synchronised && !slices.ContainsFunc(r.Sources[:2], func(s status.Source) bool {
			return s.Reach&7 != 7 || !strings.Contains("*+-", s.Mark)
		})
	})
	router.WaitListen("udp", ntpPort)

	list := router.asked(l.peers, "-pn")
	checkPeers(t, list, []string{secure.IPv4.String() + " 127.127.1.1 2 [78]", plain.IPv6.String() + " 127.127.1.1 3 u", "nobody.invalid .DNS. 16 u"})
	ours := d.ask("-n", "peers")
	for _, line := range strings.Split(list, "\n")[2:4] {
		comparePeer(t, line, ours)
	}
	for _, same := range [][]string{{"-p"}, {"-c", "peers"}, {"-c", "lpeers"}, {"-p", "::1"}, {"-p", "127.0.0.1"}, {"-p", "localhost"}} {
		if out := router.asked(l.peers, same...); strings.Count(out, "\n") != 5 {
			t.Errorf("ntpq %q: got\n%s", same, out)
		}
	}
	router.checkViews(l.peers, secure)
	router.checkCounters(l.peers, d)

	// Not from elsewhere, and not by another address of its own.
	for _, h := range []*Host{plain, router} {
		if out, _ := h.runNtpq(l.peers, "-pn", router.IPv4.String()); strings.Contains(out, "remote") {
			t.Errorf("asked from %s by an address of the network: got\n%s", h.Name, out)
		}
	}
	// Nothing is changed by it.
	for _, write := range []string{"writevar 0 leap=1", ":config server 192.0.2.99"} {
		if out, _ := router.runNtpq(l.peers, "-c", write); strings.Contains(out, "ucceeded") {
			t.Errorf("ntpq -c %q: got %s", write, out)
		}
	}
}

// checkPeers compares ntpq's list with the remote, refid, stratum and type that
// are true; [78] is either.
func checkPeers(t *testing.T, list string, want []string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(list, "\n"), "\n")
	if len(lines) != 2+len(want) || strings.Join(strings.Fields(lines[0]), " ") != "remote refid st t when poll reach delay offset jitter" {
		t.Fatalf("ntpq -pn: got\n%s", list)
	}
	marks := ""
	for i, line := range lines[2:] {
		marks += line[:1]
		got := strings.Join(strings.Fields(line[1:])[:4], " ")
		if got != want[i] && !slices.Contains([]string{strings.Replace(want[i], "[78]", "7", 1), strings.Replace(want[i], "[78]", "8", 1)}, got) {
			t.Errorf("ntpq -pn: got %q, want %q", got, want[i])
		}
	}
	// The other one may be too far for that, as things go on one machine.
	if !slices.Contains([]string{"*+ ", "+* ", "*- ", "-* "}, marks) {
		t.Errorf("ntpq -pn: got marks %q, want one followed, one combined", marks)
	}
}

// comparePeer holds a line of ntpq against ntsctl's: what changes from second to
// second must be near, the rest must be the same.
func comparePeer(t *testing.T, line, ours string) {
	t.Helper()
	their := strings.Fields(line[1:])
	i := strings.Index(ours, their[0])
	if i < 1 {
		t.Errorf("ntsctl peers has no %s:\n%s", their[0], ours)
		return
	}
	own, _, _ := strings.Cut(ours[i:], "\n")
	our := strings.Fields(own)
	// remote refid st t when poll reach delay offset jitter; ntpq cuts the first.
	for _, column := range []int{1, 2, 5} {
		if their[column] != our[column] {
			t.Errorf("column %d: ntpq %q, ntsctl %q", column, line, own)
		}
	}
	for _, column := range []int{7, 8, 9} {
		a, err1 := strconv.ParseFloat(their[column], 64)
		b, err2 := strconv.ParseFloat(our[column], 64)
		const near = 5 // ms: two hosts on one machine that may be busy
		if err1 != nil || err2 != nil || math.Abs(a-b) > near || math.Abs(a) > near {
			t.Errorf("column %d: ntpq %q, ntsctl %q; want them within %d ms of 0 and of each other", column, line, own, near)
		}
	}
}

// checkViews runs the other views, each of which must have what is true of the
// first source.
func (h *Host) checkViews(p Peers, followed *Host) {
	h.t.Helper()
	as := h.asked(p, "-c", "as")
	first := strings.Fields(strings.Split(as, "\n")[3])
	if strings.Join(first[3:6], " ") != "yes yes ok" || !slices.Contains([]string{"sys.peer", "candidate", "outlier"}, first[6]) {
		h.t.Errorf("ntpq -c as: got %v", first)
	}
	for _, c := range []struct{ command, want string }{
		{"apeers", first[1]},
		{"opeers", h.IPv4.String()},
		{"rv", "leap_none, sync_ntp, 1 event, clock_sync,"},
		{"rv", `version="ntsd `},
		{"rv " + first[1], "srcadr=" + followed.IPv4.String() + ", srcport=123, dstadr=" + h.IPv4.String()},
		{"rv " + first[1], "authenb, auth, reach"},
		{"rv " + first[1], "flash=00 ok"},
		{"rv " + first[1] + " reach", "reach="},
		{"sysinfo", "system peer mode:   client"},
		{"sysstats", "processed for time:"},
		{"kerninfo", "frequency tolerance:            500"},
		{"rv 0 sys_var_list", "nts_ke_serves_bad"},
	} {
		if out := h.asked(p, "-c", c.command); !strings.Contains(out, c.want) {
			h.t.Errorf("ntpq -c %q lacks %q:\n%s", c.command, c.want, out)
		}
	}
}

// checkCounters holds ntpq -c nts against ntsctl nts: every label is there, in
// the same words, and no counter has run backwards.
func (h *Host) checkCounters(p Peers, d *daemon) {
	h.t.Helper()
	read := func(text string) (labels []string, n []int) {
		for line := range strings.Lines(text) {
			label, value, _ := strings.Cut(line, ":")
			count, err := strconv.Atoi(strings.TrimSpace(value))
			if err != nil {
				h.t.Fatalf("%q: %v", line, err)
			}
			labels, n = append(labels, label), append(n, count)
		}
		return labels, n
	}
	labels, before := read(h.asked(p, "-c", "nts"))
	own, after := read(d.ask("nts"))
	if !slices.Equal(labels, own) || len(own) != len((&ntpq.NTS{}).Counters()) {
		h.t.Fatalf("labels: ntpq has %q, ntsctl %q", labels, own)
	}
	for i := range labels {
		if after[i] < before[i] || after[i] > before[i]+20 {
			h.t.Errorf("%s: ntpq %d, then ntsctl %d", labels[i], before[i], after[i])
		}
	}
	if before[0] == 0 || before[1] == 0 || before[13] != 1 {
		h.t.Errorf("a client of one server: got %v", before)
	}
}

// TestNtpqOfNTPsecAgrees: the same ntpq sees the same kind of answer from NTPsec's
// daemon: every column of its lists, and every variable that it shows unasked, is
// among ours.
func TestNtpqOfNTPsecAgrees(t *testing.T) {
	l := newLab(t)
	up, router, other := l.Host("upstream"), l.Host("router"), l.Host("ntpsec")
	up.StartChronyServer(l.peers, up.Certificate(l.ca))
	d := l.ntsd("router", source(up.IPv4.String(), 3, "iburst", "yes"), Section("monitor", "ntpq", "yes"),
		Section("allow")+"\tlist subnet '192.0.2.0/24'\n")
	ntp := other.StartNTPsec(l.peers, "server "+up.IPv4.String()+" nts iburst minpoll 3 maxpoll 3 ca "+other.writeCA(l.ca))
	ntp.WaitLog("NTSc: Got 8 cookies")
	d.until("synchronisation", func(r *status.Report) bool { return r.Tracking.Synchronised })
	other.waitFor("ntpsec's sync", func() bool {
		out, err := other.runNtpq(l.peers, "-pn")
		return err == nil && strings.Contains(out, "*"+up.IPv4.String())
	})
	router.WaitListen("udp", ntpPort)
	for _, command := range []string{"peers", "apeers", "opeers", "as", "nts", "sysinfo", "sysstats", "kerninfo"} {
		theirs, ours := other.asked(l.peers, "-c", command), router.asked(l.peers, "-c", command)
		if a, b := shape(theirs), shape(ours); a != b {
			t.Errorf("ntpq -c %s:\n of ntpsec\n%s\n of ntsd\n%s", command, theirs, ours)
		}
	}
	if err := up.Do(func() error {
		_, err := ExchangePlain(netip.AddrPortFrom(router.IPv4, ntpPort), patience)
		return err
	}); err != nil {
		t.Error(err)
	}
	clients := router.asked(l.peers, "-n", "-c", "mrulist")
	if !strings.Contains(clients, " "+up.IPv4.String()+"\n") || !strings.Contains(clients, "# Collected 1 slots") {
		t.Errorf("ntpq -c mrulist: got\n%s", clients)
	}
	missing := func(command string, without ...string) {
		ours := variablesOf(router.asked(l.peers, "-c", command))
		for _, name := range variablesOf(other.asked(l.peers, "-c", command)) {
			if !slices.Contains(ours, name) && !slices.Contains(without, name) {
				t.Errorf("ntpq -c %q: no %s: got %v", command, name, ours)
			}
		}
	}
	missing("rv", "rootdist")
	missing("rv &1", "dstport", "headway")
}

// shape is a text with every word that has a digit, and what stands for a number,
// reduced to one letter, and blanks to one.
func shape(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "associd=") {
			continue // NTPsec's daemon, which may not touch the clock, raises an alarm
		}
		for _, word := range strings.Fields(line) {
			if strings.ContainsAny(word, "0123456789") || word == "-" || word == "u" {
				word = "N"
			}
			fmt.Fprint(&b, word, " ")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// variablesOf returns the names in ntpq's "name=value" pairs.
func variablesOf(text string) (names []string) {
	for _, word := range strings.Fields(text) {
		if name, _, ok := strings.Cut(word, "="); ok && name != "" {
			names = append(names, name)
		}
	}
	return names
}

package acceptance

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ntsd/internal/clock"
	"ntsd/internal/demo"
	"ntsd/internal/nts"
	"ntsd/internal/siv"
	"ntsd/internal/status"
)

type (
	report       = status.Report
	statusSource = status.Source
)

func portOf(s *demo.Server) string { return fmt.Sprint(s.NTPAddr().Port()) }

// replied waits for a valid reply of each source.
func replied(t *testing.T, names ...string) func(*report) bool {
	return func(r *report) bool {
		for _, name := range names {
			if find(t, r, name).Counters.Valid == 0 {
				return false
			}
		}
		return true
	}
}

// TestCheck04AuthdataColumns: after a start authdata shows one establishment,
// the algorithm and its key's bits, no refusals, eight cookies and their
// length; every algorithm can be had by option.
func TestCheck04AuthdataColumns(t *testing.T) {
	for _, alg := range []siv.Algorithm{siv.AESSIVCMAC256, siv.AESSIVCMAC384, siv.AESSIVCMAC512, siv.AES128GCMSIV} {
		aead, bits, length := fmt.Sprint(int(alg)), fmt.Sprint(8*alg.KeySize()), fmt.Sprint(nts.CookieLen(alg))
		t.Run("aead "+aead, func(t *testing.T) {
			w := newWorld(t)
			s := w.nts(nil)
			d := w.start(w.config(strings.TrimSuffix(source(s), "\n") + "\n\tlist aead '" + aead + "'\n"))
			d.until("three replies", func(r *report) bool { return find(t, r, host(s)).Counters.Valid >= 3 })
			got := d.authdata(host(s))
			want := []string{host(s), "NTS", "1", aead, bits, got[5], "0", "0", "8", length}
			if !slices.Equal(got, want) {
				t.Errorf("authdata:\n got %v\nwant %v", got, want)
			}
		})
	}
}

// TestCheck05SourcesSelected: sources marks the followed server with ^*, shows
// its stratum and poll, and reach fills up to 377.
func TestCheck05SourcesSelected(t *testing.T) {
	w := newWorld(t)
	s := w.nts(func(c *demo.ServerConfig) { c.Stratum = 3 })
	slow := w.nts(nil)
	d := w.start(w.config(source(s), section("server", "hostname", host(slow), "nts", "yes", "iburst", "yes")))
	d.until("full reach", func(r *report) bool { return find(t, r, host(s)).Reach == 0o377 })
	table := d.ask("sources")
	got := row(t, table, host(s))
	if got[2] != "3" || got[3] != "-2" || got[4] != "377" {
		t.Errorf("got %v, want stratum 3, poll -2, reach 377", got)
	}
	if got := row(t, table, host(slow)); got[3] != "6" {
		t.Errorf("without minpoll: got poll %s, want 6", got[3])
	}
	if !strings.Contains(table, "^* ") {
		t.Errorf("nothing selected in\n%s", table)
	}
}

// TestCheck06NamesAndAddresses: -n prints addresses, without it the names
// stand; an IPv6 address fits into its column.
func TestCheck06NamesAndAddresses(t *testing.T) {
	w := newWorld(t)
	six := w.nts(loopback6, "six.example")
	d := w.startWith(files{"/etc/hosts": "::1 six.example\n"}, w.config(section("server",
		quick("hostname", "six.example", "nts", "yes", "ntsport", fmt.Sprint(six.KEAddr().Port()))...)))
	d.synchronised()
	table := d.ask("sources")
	if got := row(t, table, "six.example"); got[0] != "^*" {
		t.Errorf("got %v", got)
	}
	numeric := d.ask("-n", "sources")
	if got := row(t, numeric, "::1"); got[0] != "^*" || got[2] != "1" {
		t.Errorf("-n: got %v", got)
	}
	lines := strings.Split(strings.TrimSpace(numeric), "\n")
	columns := regexp.MustCompile(`^\^\* .{27}   1  -2 `)
	if !columns.MatchString(lines[len(lines)-1]) {
		t.Errorf("-n: the columns are not where chrony's are:\n%s", numeric)
	}
}

// TestCheck07LogNamesSelectedSource: the log names the followed source as
// address and name.
func TestCheck07LogNamesSelectedSource(t *testing.T) {
	w := newWorld(t)
	s := w.nts(func(c *demo.ServerConfig) {
		c.KEAddr, c.NTPAddr = netip.MustParseAddrPort("127.0.0.1:0"), netip.MustParseAddrPort("127.0.0.1:0")
	})
	d := w.start(w.config(section("server", quick("hostname", "localhost", "family", "ipv4", "nts", "yes",
		"ntsport", fmt.Sprint(s.KEAddr().Port()))...)))
	d.untilLog(`selected source.* source="127\.0\.0\.1 \(localhost\)"`)
}

// TestCheck14NoKeyEstablishmentThere: a server that speaks NTP but no NTS-KE
// fails cleanly: no keys, no packets, the reason in log and status, said once.
func TestCheck14NoKeyEstablishmentThere(t *testing.T) {
	w := newWorld(t)
	s := w.plain(nil)
	d := w.start(w.config(section("server", quick("hostname", host(s), "nts", "yes", "port", portOf(s))...)))
	d.untilLog(`level=WARN msg="NTS key establishment failed" source=` + host(s) + ` reason=".*refused the connection: the server may not offer NTS`)
	r := d.until("a reason", func(r *report) bool { return find(t, r, host(s)).Auth.LastError != "" })
	if got := find(t, r, host(s)); !strings.Contains(got.Auth.LastError, "refused the connection") || got.Reach != 0 || got.Mark != "?" {
		t.Errorf("got %+v", got)
	}
	if out := d.ask("sources", "-v"); !strings.Contains(out, "refused the connection") {
		t.Errorf("sources -v does not say why:\n%s", out)
	}
	// RFC 8915: never plain NTP instead.
	if got := s.Stats().Requests; got != 0 {
		t.Errorf("got %d NTP requests without keys, want none", got)
	}
	if _, err := d.report(); err != nil {
		t.Errorf("the daemon is gone: %v", err)
	}
	if got := d.count("NTS key establishment failed"); got != 1 {
		t.Errorf("got %d warnings, want 1", got)
	}
}

// TestCheck18KeysOrReason: the columns of keys are filled where there are
// keys, and zero where there are none, with the reason in the log.
func TestCheck18KeysOrReason(t *testing.T) {
	w := newWorld(t)
	good := w.nts(nil)
	other := newCA(t)
	bad := w.nts(func(c *demo.ServerConfig) {
		cert, err := other.Issue(demo.CertSpec{Addrs: []netip.Addr{c.KEAddr.Addr()}, NotBefore: c.Cert.Leaf.NotBefore, NotAfter: c.Cert.Leaf.NotAfter})
		if err != nil {
			t.Fatal(err)
		}
		c.Cert = cert
	})
	d := w.start(w.config(source(good), source(bad)))
	d.synchronised()
	d.untilLog(`NTS key establishment failed.*` + host(bad) + `.*(unknown authority|not trusted)`)
	table := d.ask("authdata")
	if got := row(t, table, host(good)); got[2] != "1" || got[3] != "30" || got[4] != "128" {
		t.Errorf("with keys: got %v", got)
	}
	if got := row(t, table, host(bad)); got[2] != "0" || got[3] != "0" || got[4] != "0" {
		t.Errorf("without keys: got %v", got)
	}
}

// TestCheck19ReachIsOctal: four replies are 17, lost ones are zeros at the
// right end.
func TestCheck19ReachIsOctal(t *testing.T) {
	w := newWorld(t)
	s := w.nts(nil)
	d := w.start(w.config(source(s)))
	d.until("full reach", func(r *report) bool { return find(t, r, host(s)).Reach == 0o377 })
	s.NoReply(true)
	r := d.until("two losses", func(r *report) bool { return find(t, r, host(s)).Reach&3 == 0 })
	want := fmt.Sprintf("%o", find(t, r, host(s)).Reach)
	if got := row(t, d.ask("sources"), host(s))[4]; got != want && !strings.HasSuffix(got, "0") {
		t.Errorf("reach: got %s, want about %s", got, want)
	}
	if got := r.Sources[0].Reach; got&0o377 != got || got == 0 {
		t.Errorf("reach: got %o", got)
	}
}

// TestFalseticker: among three servers the one that disagrees is marked x and
// told once in the log.
func TestFalseticker(t *testing.T) {
	w := newWorld(t)
	a, b := w.nts(nil), w.nts(nil)
	liar := w.nts(func(c *demo.ServerConfig) { c.Offset = clock.Offset(5e8) })
	d := w.start(w.config(source(a), source(b), source(liar)))
	d.until("x", func(r *report) bool { return find(t, r, host(liar)).Mark == "x" && r.Tracking.Synchronised })
	table := d.ask("sources")
	if got := row(t, table, host(liar)); got[0] != "^x" {
		t.Errorf("got %v", got)
	}
	if !strings.Contains(table, "^* ") {
		t.Errorf("nothing selected:\n%s", table)
	}
	d.untilLog(`source disagrees with the majority.*` + host(liar))
	if got := d.count("source disagrees with the majority"); got != 1 {
		t.Errorf("told %d times, want once", got)
	}
	if out := d.ask("selectdata", "-v"); !strings.Contains(out, "disagrees with the majority") {
		t.Errorf("selectdata -v does not say it in words:\n%s", out)
	}
}

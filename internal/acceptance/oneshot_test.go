package acceptance

import (
	"fmt"
	"math"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/demo"
	"ntsd/internal/interop"
)

// wrongBy takes the number from what a query prints.
func wrongBy(t *testing.T, r result) float64 {
	t.Helper()
	m := regexp.MustCompile(`System clock wrong by (-?\d+\.\d+) seconds \(ignored\)`).FindStringSubmatch(r.stdout + r.stderr)
	if m == nil {
		t.Fatalf("exit status %d, no result in\n%s%s", r.exit, r.stdout, r.stderr)
	}
	x, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// query returns the directives for a server of this world.
func (w *world) query(s *demo.Server, more string) []string {
	if !s.KEAddr().IsValid() {
		return []string{fmt.Sprintf("server %s port %d %s", host(s), s.NTPAddr().Port(), more)}
	}
	return []string{
		fmt.Sprintf("server %s nts ntsport %d %s", host(s), s.KEAddr().Port(), more),
		"nosystemcert", "ntstrustedcerts " + w.caFile(),
	}
}

// TestCheck23OneShotQuery: -Q with -t 3 prints what it is, that it leaves the
// clock alone, and by how much that is wrong; it ends with 0 within the three
// seconds, with and without maxsamples 1, plain and with NTS, as any user.
func TestCheck23OneShotQuery(t *testing.T) {
	const ahead = 4.5
	wrong := func(c *demo.ServerConfig) { c.Offset = clock.OffsetSeconds(ahead) }
	w := newWorld(t)
	secure, plain := w.nts(wrong), w.plain(wrong)
	queries := map[string][]string{
		"nts":                w.query(secure, "iburst"),
		"nts, one sample":    w.query(secure, "iburst maxsamples 1"),
		"plain":              w.query(plain, "iburst"),
		"plain, one sample":  w.query(plain, "iburst maxsamples 1"),
		"without the burst":  w.query(secure, "maxsamples 1"),
		"a burst of nothing": w.query(secure, ""),
	}
	for name, directives := range queries {
		for _, user := range []string{"root", "nobody"} {
			t.Run(name+" as "+user, func(t *testing.T) {
				t.Parallel()
				args := append([]string{"-Q", "-t", "3"}, directives...)
				r := runProgram(t, exec.Command(tool("ntsd"), args...))
				if user == "nobody" {
					r = runProgram(t, asNobody(t, append([]string{tool("ntsd")}, args...)))
				}
				if got := wrongBy(t, r); math.Abs(got-ahead) > 1 { // a busy machine holds up some replies
					t.Errorf("got %v s, want %v", got, ahead)
				}
				if r.exit != 0 || !inOrder(r.stderr, "ntsd version ", " (+NTS") ||
					!strings.Contains(r.stderr, "Disabled control of system clock") {
					t.Errorf("exit status %d\n%s%s", r.exit, r.stdout, r.stderr)
				}
			})
		}
	}
}

// asNobody returns a command that runs without any privilege.
func asNobody(t *testing.T, line []string) *exec.Cmd {
	t.Helper()
	if os.Geteuid() != 0 {
		return exec.Command(line[0], line[1:]...)
	}
	if _, err := exec.LookPath("setpriv"); err != nil {
		interop.Unavailable(t, "acceptance: %v", err)
	}
	return exec.Command("setpriv", append([]string{"--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs", "--"}, line...)...)
}

// TestOneShotFailures: a query that cannot be answered ends with 1 and says
// why in words; a mistake on the command line ends with 2.
func TestOneShotFailures(t *testing.T) {
	w := newWorld(t)
	untrusted, deaf, expired := w.nts(nil), w.nts(nil), w.nts(func(c *demo.ServerConfig) {
		begin := time.Now().Add(-time.Hour / 2)
		c.Cert = w.cert(demo.CertSpec{Addrs: []netip.Addr{c.KEAddr.Addr()}, NotBefore: begin, NotAfter: begin.Add(time.Minute)}).Cert
	})
	deaf.NoReply(true)
	dead := newAddr().String()
	for name, c := range map[string]struct {
		directives []string
		exit       int
		want       string
	}{
		"wrong CA":   {[]string{fmt.Sprintf("server %s nts iburst", host(untrusted)), "nosystemcert", "ntstrustedcerts " + caOf(w, newCA(t))}, 1, "CA"},
		"no CA":      {[]string{fmt.Sprintf("server %s nts iburst", host(untrusted)), "nosystemcert"}, 1, "no CA certificate"},
		"wrong name": {[]string{"server wrong.invalid nts iburst"}, 1, "wrong.invalid"},
		"expired":    {w.query(expired, "iburst"), 1, "expired"},
		"no replies": {w.query(deaf, "iburst"), 1, "no reply"},
		"dead, NTS":  {[]string{"server " + dead + " nts iburst", "nosystemcert", "ntstrustedcerts " + w.caFile()}, 1, "refused the connection"},
		// Not port 123, which other tests serve on all addresses.
		"dead, plain":     {[]string{fmt.Sprintf("server %s port %d iburst", dead, freePort(t))}, 1, "no time server listens at "},
		"no such keyword": {[]string{"server " + dead + " ntss"}, 2, "did you mean 'nts'?"},
		"no directive":    {[]string{"frobnicate " + dead}, 2, "is not a directive"},
		"nothing":         {nil, 2, "for example"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := ntsd(t, append([]string{"-Q", "-t", "3"}, c.directives...)...)
			if r.exit != c.exit || !strings.Contains(r.stderr, c.want) || r.stdout != "" {
				t.Errorf("exit status %d, want %d with %q:\n%s%s", r.exit, c.exit, c.want, r.stdout, r.stderr)
			}
			if strings.Contains(r.stderr, "goroutine") || len(r.stderr) > 1500 {
				t.Errorf("not for people:\n%s", r.stderr)
			}
		})
	}
}

func caOf(w *world, ca *demo.CA) string {
	w.t.Helper()
	path := w.write("other.pem", "")
	if err := ca.WritePEM(path); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// TestCheck48CustomPortAndCA: key establishment on port 443 of a host, written
// host:port, with the authority in a file of its own.
func TestCheck48CustomPortAndCA(t *testing.T) {
	w := newWorld(t)
	s := w.nts(func(c *demo.ServerConfig) { c.KEAddr = netip.AddrPortFrom(c.KEAddr.Addr(), 8443) })
	directive := fmt.Sprintf("server %s:8443 iburst nts ca %s", host(s), w.caFile())
	r := ntsd(t, "-Q", "-t", "3", "nosystemcert", directive)
	if x := wrongBy(t, r); math.Abs(x) > 0.2 || r.exit != 0 {
		t.Errorf("got %v s, exit status %d", x, r.exit)
	}
	// The same in the file, and the port as an option.
	for _, section := range []string{
		section("server", quick("hostname", host(s)+":8443", "nts", "yes", "trustedcerts", w.caFile())...),
		section("server", quick("hostname", host(s), "ntsport", "8443", "nts", "yes", "trustedcerts", w.caFile())...),
	} {
		d := w.start(strings.Replace(w.config(section), "option trustedcerts", "# option trustedcerts", 1))
		d.synchronised()
		d.stop()
		if _, err := os.Stat(w.session(host(s), 8443)); err != nil {
			t.Error(err)
		}
		os.RemoveAll(w.run)
	}
}

// TestCheck49NoVal: without the check of the name a server with a certificate
// for another one is used, with a warning, and does not count as
// authenticated; with the check it is refused.
func TestCheck49NoVal(t *testing.T) {
	w := newWorld(t)
	misnamed := func(c *demo.ServerConfig) { c.Cert = w.cert(demo.CertSpec{Names: []string{"other.example"}}).Cert }
	loose, strict := w.nts(misnamed), w.nts(misnamed)
	d := w.start(w.config(source(loose, "noval", "yes"), source(strict)))
	d.untilLog(`level=WARN msg=".*noval.*never counts as authenticated`)
	d.untilLog(`NTS key establishment failed.*` + host(strict) + `.*other\.example`)
	d.until("a reply", replied(t, host(loose)))
	if got := d.ask("sources", "-v"); !strings.Contains(got, "CN=other.example") {
		t.Errorf("sources -v:\n%s", got)
	}
	// It cannot stand in for the one that must be authenticated.
	if r, err := d.report(); err != nil || r.Tracking.Synchronised {
		t.Errorf("synchronised to a source whose name was not checked, beside one that must be: %v", err)
	}
	d.change(w.config(source(loose, "noval", "yes")))
	d.ask("reload")
	if r := d.synchronised(); r.Tracking.Authenticated {
		t.Error("a source whose name was not checked counts as authenticated")
	}
}

// TestNamedByAddress: a server that is configured by its address is verified by
// the addresses in its certificate.
func TestNamedByAddress(t *testing.T) {
	w := newWorld(t)
	s := w.nts(nil)
	wrong := w.nts(func(c *demo.ServerConfig) { c.Cert = w.cert(demo.CertSpec{Addrs: []netip.Addr{newAddr()}}).Cert })
	d := w.start(w.config(source(s), source(wrong)))
	d.synchronised()
	d.untilLog(`NTS key establishment failed.*` + host(wrong) + `.*certificate`)
}

// TestCheck32WrongClockIsSaid: when the clock is wrong by more than may be
// stepped, the log says by how much and what to do; -Q says it too, and a
// makestep then does it.
func TestCheck32WrongClockIsSaid(t *testing.T) {
	w := newWorld(t)
	s := w.nts(func(c *demo.ServerConfig) { c.Offset = clock.OffsetSeconds(3600) })
	d := w.start(w.config(source(s), section("makestep", "threshold", "1", "limit", "0")))
	line := d.untilLog(`level=WARN msg="clock is wrong.*`)
	if !strings.Contains(line, "ntsctl makestep") || !strings.Contains(line, "3600") && !strings.Contains(line, "3599") {
		t.Errorf("the log says %q", line)
	}
	if got := d.count("clock is wrong"); got != 1 {
		t.Errorf("said %d times, want once", got)
	}
	d.ask("makestep")
	r := d.until("a step", func(r *report) bool { return r.Tracking.Steps == 1 && math.Abs(r.Tracking.CorrectionS) < 1 })
	if off := time.Until(clock.Wall(r.Time).Time()); off < 50*time.Minute {
		t.Errorf("after makestep the daemon's clock is %v ahead of the machine's, want an hour", off)
	}
	if x := wrongBy(t, ntsd(t, append([]string{"-Q", "-t", "3"}, w.query(s, "iburst")...)...)); math.Abs(x-3600) > 1 {
		t.Errorf("-Q: got %v", x)
	}
}

// TestMakestepAtStart: the guide's makestep 1.0 3 steps a clock that is wrong
// at the start.
func TestMakestepAtStart(t *testing.T) {
	w := newWorld(t)
	s := w.nts(func(c *demo.ServerConfig) { c.Offset = clock.OffsetSeconds(-90) })
	d := w.start(w.config(source(s), section("makestep", "threshold", "1.0", "limit", "3")))
	r := d.until("a step", func(r *report) bool { return r.Tracking.Steps > 0 && r.Tracking.Synchronised })
	d.untilLog(`clock was stepped.* offset_s=-(90|89)\.`)
	if r.Tracking.Steps != 1 || math.Abs(r.Tracking.CorrectionS) > 0.5 {
		t.Errorf("got %d steps, %v s left", r.Tracking.Steps, r.Tracking.CorrectionS)
	}
	d.until("quiet afterwards", func(r *report) bool {
		s := find(t, r, host(s))
		return s.Counters.Good >= 8 && math.Abs(s.AdjustedOffsetS) < 0.1 && r.Tracking.Steps == 1
	})
}

// TestCheck62Past2038: servers far beyond 2038, and beyond the end of the NTP
// era in 2036, are understood; a clock stepped there goes on working.
func TestCheck62Past2038(t *testing.T) {
	for _, date := range []string{"2036-02-07T06:28:10Z", "2038-01-19T03:14:02Z", "2045-06-01T00:00:00Z"} {
		t.Run(date, func(t *testing.T) {
			w := newWorld(t)
			then, err := time.Parse(time.RFC3339, date)
			if err != nil {
				t.Fatal(err)
			}
			ahead := time.Until(then)
			s := w.plain(func(c *demo.ServerConfig) { c.Offset = clock.Offset(ahead) })
			x := wrongBy(t, ntsd(t, append([]string{"-Q", "-t", "3"}, w.query(s, "iburst maxsamples 1")...)...))
			if math.Abs(x-ahead.Seconds()) > 10 {
				t.Errorf("got %v s, want %v", x, ahead.Seconds())
			}
			d := w.start(w.config(source(s)))
			r := d.until("a step", func(r *report) bool { return r.Tracking.Steps > 0 && r.Tracking.Synchronised })
			if off := clock.Wall(r.Time).Time().Sub(then); off < -time.Minute || off > time.Minute {
				t.Errorf("after the step it is %v", clock.Wall(r.Time).Time())
			}
			// Across the rollover, which comes within seconds.
			d.until("replies after it", func(r *report) bool {
				return find(t, r, host(s)).Counters.Good >= 8 && clock.Wall(r.Time).Time().Sub(then) > 8*time.Second
			})
			if r := d.synchronised(); r.Tracking.Steps != 1 || math.Abs(r.Tracking.CorrectionS) > 0.1 {
				t.Errorf("got %d steps, %v s left", r.Tracking.Steps, r.Tracking.CorrectionS)
			}
			if out := d.ask("tracking"); !strings.Contains(out, date[:4]) {
				t.Errorf("tracking says\n%s", out)
			}
			d.stop()
		})
	}
}

package acceptance

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"ntsd/internal/demo"
	"ntsd/internal/wire"
)

// silentKE listens on a new address, takes connections and says nothing.
func silentKE(t *testing.T) string {
	t.Helper()
	addr := newAddr()
	ln, err := net.Listen("tcp", netip.AddrPortFrom(addr, kePort).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
		}
	}()
	return addr.String()
}

// TestSilentKeyEstablishment: a server that takes the connection and says
// nothing holds up neither the other sources nor the end of the daemon, and
// -Q gives up in time.
func TestSilentKeyEstablishment(t *testing.T) {
	w := newWorld(t)
	silent, s := silentKE(t), w.nts(nil)
	d := w.start(w.config(section("server", quick("hostname", silent, "nts", "yes")...), source(s)))
	d.synchronised()
	begin := time.Now()
	d.stop()
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("ntsd took %v to end", took)
	}
	r := ntsd(t, "-Q", "-t", "1", "nosystemcert", "ntstrustedcerts "+w.caFile(), "server "+silent+" nts iburst")
	if r.exit != 1 || r.took > 4*time.Second || !strings.Contains(r.stderr, silent) {
		t.Errorf("-Q: exit status %d after %v\n%s", r.exit, r.took, r.stderr)
	}
}

// kissing starts a server that answers every request with that kiss, and returns
// its address.
func kissing(t *testing.T, code string) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(newAddr(), 0)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 1024)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			in, err := wire.ParseHeader(buf[:n])
			if err != nil {
				continue
			}
			out := wire.Header{
				Leap: 3, Version: 4, Mode: wire.ModeServer, Poll: 4, ReferenceID: wire.ReferenceID([]byte(code)),
				Origin: in.Transmit, Receive: in.Transmit, Transmit: in.Transmit,
			}
			_, _ = conn.WriteToUDPAddrPort(out.Append(nil), from)
		}
	}()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// sourceAt is the section for a server without NTS at that address.
func sourceAt(a netip.AddrPort) string {
	return section("server", quick("hostname", a.Addr().String(), "port", fmt.Sprint(a.Port()))...)
}

// TestKissesAreObeyed: a server that asks for fewer requests gets fewer, and
// the log says so once.
func TestKissesAreObeyed(t *testing.T) {
	w := newWorld(t)
	addr := kissing(t, "RATE")
	d := w.start(w.config(sourceAt(addr)))
	d.untilLog(`server sent a kiss of death.*` + addr.Addr().String() + `.*RATE`)
	d.until("a longer interval", func(r *report) bool { return r.Sources[0].PollLog2 > -2 })
	if got := d.count("kiss of death"); got != 1 {
		t.Errorf("said %d times, want once", got)
	}
}

// TestUnresolvedName: a name without an answer is told once, shown with -a,
// and used as soon as it resolves.
func TestUnresolvedName(t *testing.T) {
	w := newWorld(t)
	s := w.nts(nil, "late.example")
	resolver := newAddr().String() // where nobody answers
	d := w.startWith(files{"/etc/hosts": "127.0.0.1 localhost\n", "/etc/resolv.conf": "nameserver " + resolver + "\noptions timeout:1 attempts:1\n"},
		w.config(section("server", quick("hostname", "late.example", "nts", "yes")...)))
	d.untilLog(`level=WARN msg="name does not resolve" source=late\.example reason="`)
	r := d.ctl("sources")
	if r.exit != 0 || strings.Contains(r.stdout, "late.example") || !strings.Contains(r.stderr, "no address yet for late.example: no name server reachable") {
		t.Errorf("sources: exit status %d\n%s%s", r.exit, r.stdout, r.stderr)
	}
	if got := d.ctl("-a", "sources"); !strings.Contains(got.stdout, "late.example") {
		t.Errorf("-a sources:\n%s", got.stdout)
	}
	if out := d.ask("activity"); !strings.Contains(out, "1 sources with unknown address") {
		t.Errorf("activity:\n%s", out)
	}
	// In place: the daemon sees this very file.
	if err := os.WriteFile(w.dir+"/_etc_hosts", []byte(host(s)+" late.example\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	// Go's resolver looks at the hosts file again after five seconds.
	eventually(t, "an address", func() bool {
		d.ask("refresh")
		time.Sleep(200 * time.Millisecond)
		rep, err := d.report()
		return err == nil && rep.Activity.Unresolved == 0
	})
	d.synchronised()
	if got := d.count("name does not resolve"); got != 1 {
		t.Errorf("said %d times, want once", got)
	}
}

// TestNetworkDownIsToldOnce: while nobody can be reached, as when a router boots,
// one line says so, not one for each source.
func TestNetworkDownIsToldOnce(t *testing.T) {
	w := newWorld(t)
	d := w.startWith(files{"/etc/hosts": "127.0.0.1 localhost\n", "/etc/resolv.conf": "nameserver " + newAddr().String() + "\noptions timeout:1 attempts:1\n"},
		w.config(section("server", "hostname", "one.example", "nts", "yes"), section("server", "hostname", "two.example", "nts", "yes")))
	eventually(t, "both look-ups", func() bool {
		told := d.ctl("sources").stderr
		return strings.Contains(told, "one.example: no name server reachable") && strings.Contains(told, "two.example: no name server reachable")
	})
	d.untilLog("name does not resolve")
	if got := d.count("name does not resolve"); got != 1 {
		t.Errorf("said %d times, want once", got)
	}
}

// TestFamilyWithoutAddress: a name that has no address of the family that is
// wanted gives that as the reason.
func TestFamilyWithoutAddress(t *testing.T) {
	w := newWorld(t)
	s := w.nts(nil, "four.example")
	four := []string{"hostname", "four.example", "nts", "yes"}
	d := w.startWith(files{"/etc/hosts": host(s) + " four.example\n"}, w.config(section("server", quick(append(four, "family", "ipv6")...)...)))
	d.untilLog(`name does not resolve.*four\.example.*no such host`)
	d.change(w.config(section("server", quick(append(four, "family", "ipv4")...)...)))
	d.ask("reload")
	d.synchronised()
}

// TestCheck34DatesOffAsLastResort: certificates that have expired or are not
// yet valid are refused with the reason; an option accepts them while the clock
// was never set, and says what that means.
func TestCheck34DatesOffAsLastResort(t *testing.T) {
	w := newWorld(t)
	dated := func(begin time.Duration) func(*demo.ServerConfig) {
		return func(c *demo.ServerConfig) {
			from := time.Now().Add(begin)
			c.Cert = w.cert(demo.CertSpec{Addrs: []netip.Addr{c.KEAddr.Addr()}, NotBefore: from, NotAfter: from.Add(10 * time.Minute)}).Cert
		}
	}
	expired, early := w.nts(dated(-30*time.Minute)), w.nts(dated(30*time.Minute))
	strict := w.config(source(expired), source(early))
	d := w.start(strict)
	d.untilLog(`NTS key establishment failed.*` + host(expired) + `.*expired`)
	d.untilLog(`NTS key establishment failed.*` + host(early) + `.*not (yet )?valid`)
	d.noLog("whatever their dates")
	if r, err := d.report(); err != nil || r.Tracking.Synchronised {
		t.Errorf("synchronised: %v", err)
	}
	d.stop()
	os.RemoveAll(w.run) // with the backoff
	d = w.start(strict+section("bootstrap", "mode", "nocerttimecheck"), "-d")
	d.untilLog(`level=WARN msg=".*option 'mode' 'nocerttimecheck': certificates count whatever their dates`)
	d.synchronised()
	// The names in the certificate stand for a subject that is empty.
	if line := d.untilLog(`NTS keys established.*`); strings.Contains(line, `subject=""`) {
		t.Errorf("the log does not say whose certificate it is: %s", line)
	}
	if out := d.ask("sources", "-v"); !strings.Contains(out, "expired by this clock") || !strings.Contains(out, "not yet valid by this clock") {
		t.Errorf("sources -v:\n%s", out)
	}
}

// TestServerBecomesUnsynchronised: a server that loses its own reference is not
// followed.
func TestServerBecomesUnsynchronised(t *testing.T) {
	w := newWorld(t)
	bad := w.nts(func(c *demo.ServerConfig) { c.Leap, c.Stratum = 3, 16 })
	good := w.nts(nil)
	d := w.start(w.config(source(bad), source(good)))
	r := d.synchronised()
	d.until("replies", func(r *report) bool { return find(t, r, host(bad)).Counters.Received >= 3 })
	if r.Tracking.ReferenceAddress != host(good) {
		t.Errorf("reference: got %s, want %s", r.Tracking.ReferenceAddress, host(good))
	}
	eventually(t, "reason in sources -v", func() bool {
		return strings.Contains(d.ask("sources", "-v"), "server not synchronised")
	})
}

// TestOutage: all servers go away for a while and come back: the daemon says
// so, serves no lie meanwhile, and makes no new key establishment.
func TestOutage(t *testing.T) {
	w := newWorld(t)
	a, b := w.nts(nil), w.nts(nil)
	d := w.start(w.config(source(a), source(b)))
	d.synchronised()
	d.until("full jars", func(r *report) bool {
		return find(t, r, host(a)).Auth.Cookies == 8 && find(t, r, host(b)).Auth.Cookies == 8
	})
	for _, s := range []*demo.Server{a, b} {
		s.DropReplies(4)
	}
	d.until("losses", func(r *report) bool { return find(t, r, host(a)).Auth.Cookies <= 5 })
	d.until("recovery", func(r *report) bool {
		x, y := find(t, r, host(a)), find(t, r, host(b))
		return x.Reach&7 == 7 && y.Reach&7 == 7 && x.Auth.Cookies == 8 && y.Auth.Cookies == 8
	})
	for _, s := range []*demo.Server{a, b} {
		if got := s.Stats().KEConnections; got != 1 {
			t.Errorf("%s: got %d key establishments, want 1", host(s), got)
		}
	}
}

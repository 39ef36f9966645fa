package interop

import (
	"errors"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ntsd/internal/linux/udp"
	"ntsd/internal/mac"
	"ntsd/internal/status"
)

// peerSection returns the section of a peer that is polled every 2^poll seconds.
func peerSection(name string, poll int, more ...string) string {
	p := strconv.Itoa(poll)
	return Section("peer", append([]string{"hostname", name, "minpoll", p, "maxpoll", p}, more...)...)
}

// measured reports whether a peer has been measured a few times. Packets a second
// apart meet each other's answers too late on a busy machine, so there may be gaps.
func measured(s *status.Source) bool { return s.Reach != 0 && s.NTP != nil && s.Counters.Valid >= 5 }

// TestNtsdPeersChrony: ntsd and chronyd are each other's peers, with a key and
// without, and measure each other. ntsd serves clients all the while.
func TestNtsdPeersChrony(t *testing.T) {
	l := newLab(t)
	up, router, chrony, client := l.Host("upstream"), l.Host("router"), l.Host("chrony"), l.Host("client")
	up.StartChronyServer(l.peers, up.Certificate(l.ca))
	line, _ := chrony.commandSocket()
	chrony.StartChronyd(l.peers, line, "local stratum 5", "allow all", "keyfile "+chrony.keyFile(false),
		"peer "+router.IPv4.String()+" key 1 minpoll 0 maxpoll 0",
		"peer "+router.IPv6.String()+" minpoll 0 maxpoll 0")
	d := l.ntsd("router", router.keySection(1, mac.AES128, secretOf(1, mac.AES128)), allowTest(),
		source(up.IPv4.String(), quickly), peerSection(chrony.IPv4.String(), 0, "key", "1"), peerSection(chrony.IPv6.String(), 0))
	for _, host := range []string{chrony.IPv4.String(), chrony.IPv6.String()} {
		// The packets of a busy machine may be late.
		d.untilSource(host, "good samples in symmetric mode", func(s *status.Source) bool {
			return measured(s) && s.Kind == "peer" && s.NTP.Mode == 1 && s.NTP.DelayS < 0.01 && math.Abs(s.NTP.OffsetS) < 0.01
		})
	}
	if table := d.ask("-n", "sources"); len(regexp.MustCompile(`(?m)^=[^=]`).FindAllString(table, -1)) != 2 {
		t.Errorf("ntsctl sources:\n%s", table)
	}
	if got := row(t, d.ask("-n", "authdata"), chrony.IPv4.String()); !strings.Contains(got, " SK     1   13  128 ") {
		t.Errorf("ntsctl authdata: %q", got)
	}
	if got := row(t, chrony.chronyc(l.peers, "-n", "authdata"), router.IPv4.String()); !strings.Contains(got, " SK     1   13  128 ") {
		t.Errorf("chronyc authdata: %q", got)
	}
	// chronyd, which has no source of its own, follows ntsd: stratum 3 to 4.
	chrony.waitFor("a selected peer", func() bool { return strings.Contains(chrony.chronyc(l.peers, "-n", "sources"), "=* ") })
	wants := []string{
		"Mode            : Symmetric active", "Stratum         : 3", "Leap status     : Normal",
		"Reference ID    : " + refid(up.IPv4), "NTP tests       : 111 111 1111", "Authenticated   : Yes",
	}
	chrony.waitFor("good ntpdata", func() bool {
		data := chrony.chronyc(l.peers, "-n", "ntpdata", router.IPv4.String())
		return !slices.ContainsFunc(wants, func(want string) bool { return !strings.Contains(data, want) })
	})
	// Clients are answered, a peer that asks like one, too.
	for _, h := range []*Host{client, chrony} {
		h.waitFor("an answer to a client", func() bool {
			var got Sample
			err := h.Do(func() (err error) {
				got, err = ExchangePlain(netip.AddrPortFrom(router.IPv4, ntpPort), patience)
				return err
			})
			return err == nil && got.Header.Stratum == 3
		})
	}
}

// TestNtsdPeersNtsd: two ntsds are each other's peers; the one without sources of
// its own follows the other. A wrong key keeps them apart.
func TestNtsdPeersNtsd(t *testing.T) {
	l := newLab(t)
	up, a, b, c := l.Host("upstream"), l.Host("a"), l.Host("b"), l.Host("c")
	up.StartChronyServer(l.peers, up.Certificate(l.ca))
	secret := secretOf(1, mac.AES256)
	da := l.ntsd("a", a.keySection(1, mac.AES256, secret), source(up.IPv4.String(), quickly),
		peerSection(b.IPv4.String(), 0, "key", "1"), peerSection(c.IPv4.String(), 0, "key", "1"))
	db := l.ntsd("b", b.keySection(1, mac.AES256, secret), peerSection(a.IPv4.String(), 0, "key", "1"))
	dc := l.ntsd("c", c.keySection(1, mac.AES256, "00"+secret[2:]), peerSection(a.IPv4.String(), 0, "key", "1"))
	db.untilSource(a.IPv4.String(), "good samples", measured)
	r := db.until("synchronisation", func(r *status.Report) bool { return r.Tracking.Synchronised })
	if r.Tracking.Stratum != 4 || !r.Tracking.Authenticated {
		t.Errorf("b: got %+v, want stratum 4, authenticated", r.Tracking)
	}
	// b serves nobody: its port is there for a alone.
	if err := c.Do(func() error {
		_, err := ExchangePlain(netip.AddrPortFrom(b.IPv4, ntpPort), patience)
		return err
	}); !errors.Is(err, udp.ErrRefused) {
		t.Errorf("somebody else's request to b: got %v, want %v", err, udp.ErrRefused)
	}
	// What follows us is no source for us, but it is there.
	da.untilSource(b.IPv4.String(), "stratum 4, not selected", func(s *status.Source) bool {
		return s.Reach != 0 && s.NTP.Stratum == 4 && s.Selection.State != "selected"
	})
	s := dc.untilSource(a.IPv4.String(), "many packets", func(s *status.Source) bool { return s.Counters.Sent >= 8 })
	if s.Reach != 0 || s.NTP != nil {
		t.Errorf("c: got %+v, want nothing", s)
	}
	if !slices.ContainsFunc(s.Counters.Verdicts, func(v status.Verdict) bool { return v.Name == "MAC does not verify" && v.Count > 0 }) {
		t.Errorf("c: nothing was refused: %v", s.Counters.Verdicts)
	}
}

// TestNtsdPeersNTPsec: ntpsec has no symmetric mode any more: it answers as a
// server does, and asks as a client from the port that our packets go to.
func TestNtsdPeersNTPsec(t *testing.T) {
	l := newLab(t)
	up, router, ntpsec := l.Host("upstream"), l.Host("router"), l.Host("ntpsec")
	up.StartChronyServer(l.peers, up.Certificate(l.ca))
	ntpsec.StartNTPsec(l.peers, "keys "+ntpsec.keyFile(true), "trustedkey 1 2 3 4 5 6 7",
		"server "+router.IPv4.String()+" key 2 iburst minpoll 3 maxpoll 3")
	d := l.ntsd("router", router.keySection(2, mac.SHA1, secretOf(2, mac.SHA1)), allowTest(),
		source(up.IPv4.String(), quickly), peerSection(ntpsec.IPv4.String(), 0, "key", "2"))
	ntpsec.waitFor("ntpsec's sync", func() bool { return strings.Contains(ntpsec.ntpq(l.peers), "*"+router.IPv4.String()) })
	if f := ntpsec.associations(l.peers); !strings.Contains(strings.Join(strings.Fields(f), " "), "yes yes ok sys.peer") {
		t.Errorf("ntpq -c as: got %s, want auth ok", f)
	}
	s := d.untilSource(ntpsec.IPv4.String(), "packets", func(s *status.Source) bool { return s.Counters.Sent >= 4 })
	t.Logf("ntpsec as a peer: %+v, %v", s.Counters, s.NTP)
}

package interop

import (
	"strings"
	"testing"

	"ntsd/internal/status"
)

// TestInterleavedClient: ntsd asks chronyd and an ntsd in interleaved mode, with
// NTS and without, and ntpsec, which has no such mode.
func TestInterleavedClient(t *testing.T) {
	l := newLab(t)
	up, router, old := l.Host("upstream"), l.Host("router"), l.Host("old")
	l.Host("client")
	l.Host("basic")
	line, _ := up.commandSocket()
	up.StartChronyServer(l.peers, up.Certificate(l.ca), line)
	certFile, keyFile := router.writeKeyPair(router.Certificate(l.ca))
	r := l.ntsd("router", plainSource(up.IPv4.String(), quickly), Section("allow")+"\tlist subnet '0.0.0.0/0'\n\tlist subnet '::/0'\n",
		Section("nts_server", "enabled", "yes", "cert", certFile, "key", keyFile))
	r.until("synchronisation", func(r *status.Report) bool { return r.Tracking.Synchronised })
	old.StartNTPsecServer(l.peers, old.Certificate(l.ca))

	mode := []string{"xleave", "yes", "iburst", "yes"}
	d := l.ntsd("client",
		source(up.IPv4.String(), quickly, mode...), plainSource(up.IPv6.String(), quickly, mode...),
		source(router.IPv4.String(), quickly, mode...), plainSource(router.IPv6.String(), quickly, mode...),
		plainSource(old.IPv4.String(), quickly, mode...))
	// Beside it, another client in basic mode, for the figures.
	basic := l.ntsd("basic", plainSource(up.IPv6.String(), quickly, "iburst", "yes"), plainSource(router.IPv6.String(), quickly, "iburst", "yes"))
	for _, name := range []string{up.IPv4.String(), up.IPv6.String(), router.IPv4.String(), router.IPv6.String()} {
		s := d.untilSource(name, "interleaved replies", func(s *status.Source) bool {
			return s.NTP != nil && s.NTP.Interleaved && verdict(s, "accepted") >= 8 && s.Reach == 0o377
		})
		// One reply in basic mode begins it. Chronyd's newest remember only what
		// was asked before, so there it takes two.
		if n := verdict(s, "interleaved reply about a measured exchange"); n != 0 {
			t.Errorf("%s: %d exchanges were to be measured twice", name, n)
		}
		data := d.ask("ntpdata", name)
		for _, want := range []string{
			"Interleaved     : Yes", "TX timestamping : Kernel", "RX timestamping : Kernel", "NTP tests       : 111 111 1111",
		} {
			if !strings.Contains(data, want) {
				t.Errorf("ntsctl ntpdata %s lacks %q:\n%s", name, want, data)
			}
		}
	}
	if n := up.counter(l.peers, "Interleaved NTP packets"); n < 8 {
		t.Errorf("chronyd has answered %d packets in interleaved mode, want 8 or more", n)
	}
	if n := r.served("Interleaved NTP packets"); n < 8 {
		t.Errorf("ntsd has answered %d packets in interleaved mode, want 8 or more", n)
	}
	for _, name := range []string{up.IPv6.String(), router.IPv6.String()} {
		const enough = 32
		full := func(s *status.Source) bool { return s.Stats.Samples >= enough }
		a, b := d.untilSource(name, "samples", full), basic.untilSource(name, "samples", full)
		t.Logf("%s: spread of the offsets %.0f ns interleaved, %.0f ns in basic mode; delay %.1f and %.1f us",
			name, a.Stats.StdDevS*1e9, b.Stats.StdDevS*1e9, a.NTP.DelayS*1e6, b.NTP.DelayS*1e6)
	}
	s := d.untilSource(old.IPv4.String(), "replies", func(s *status.Source) bool { return s.Reach == 0o377 && verdict(s, "accepted") >= 8 })
	if late := s.Counters.Received - s.Counters.Valid; s.NTP.Interleaved || late > s.Counters.Received/8 {
		t.Errorf("ntpsec: interleaved %t, %d of %d replies valid", s.NTP.Interleaved, s.Counters.Valid, s.Counters.Received)
	}
}

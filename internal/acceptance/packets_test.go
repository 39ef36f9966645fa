package acceptance

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/demo"
	"ntsd/internal/nts"
	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

// relaySource returns the section for a relay, polled quickly.
func relaySource(r *relay, more ...string) string {
	return section("server", append(quick("hostname", r.host(), "nts", "yes"), more...)...)
}

// TestCheck27AttackerCanOnlyDropAndDelay: on the path somebody changes,
// replays, swaps and invents replies; none of it moves the clock by more than
// the path can delay.
func TestCheck27AttackerCanOnlyDropAndDelay(t *testing.T) {
	w := newWorld(t)
	r := w.relayed(relayConfig{})
	d := w.start(w.config(relaySource(r)))
	d.synchronised()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var before []byte
	r.set(nil, func(reply []byte) [][]byte {
		forged := bytes.Clone(reply)
		forged[random.IntN(len(forged))] ^= byte(1 + random.IntN(255))
		plain := bytes.Clone(reply[:wire.HeaderLen])
		plain[40]++ // transmit timestamp: 194 days off
		old := before
		before = bytes.Clone(reply)
		out := [][]byte{forged, plain}
		if old != nil {
			out = append(out, old)
		}
		return append(out, reply)
	})
	rep := d.until("twelve replies in the din", func(r *report) bool { return r.Sources[0].Counters.Good >= 12 })
	s := rep.Sources[0]
	for _, x := range []float64{s.MeasuredOffsetS, s.AdjustedOffsetS, rep.Tracking.LastOffsetS} {
		if x > 1 || x < -1 {
			t.Errorf("an offset of %v s got in", x)
		}
	}
	if rep.Tracking.Steps != 0 {
		t.Errorf("the clock was stepped %d times", rep.Tracking.Steps)
	}
	if verdict(&s, "reply without NTS") == 0 || verdict(&s, "NTS authentication failed")+verdict(&s, "malformed reply") == 0 {
		t.Errorf("verdicts: got %+v", s.Counters.Verdicts)
	}
	if r.established() != 1 {
		t.Errorf("key establishments: got %d, want 1", r.established())
	}
}

// TestCheck29CookiesAreNeverReused: every request carries another cookie, so
// that nobody can follow a client from network to network.
func TestCheck29CookiesAreNeverReused(t *testing.T) {
	w := newWorld(t)
	r := w.relayed(relayConfig{})
	d := w.start(w.config(relaySource(r)))
	// While a request is on its way there is one less.
	d.until("fourteen replies and eight cookies", func(r *report) bool {
		return r.Sources[0].Counters.Good >= 14 && r.Sources[0].Auth.Cookies == nts.MaxCookies
	})
	noRepeats(t, r.seen())
	// Nor does anything else tell one client from another.
	for _, pkt := range r.seen() {
		h, err := wire.ParseHeader(pkt)
		if want := (wire.Header{Version: 4, Mode: wire.ModeClient, Precision: 0x20, Transmit: h.Transmit}); err != nil || h != want {
			t.Fatalf("header: got %+v, %v; want %+v", h, err, want)
		}
	}
}

// TestCheck35ReachCountsAuthenticatedReplies: replies that do not verify are no
// replies.
func TestCheck35ReachCountsAuthenticatedReplies(t *testing.T) {
	w := newWorld(t)
	r := w.relayed(relayConfig{})
	r.set(nil, func(reply []byte) [][]byte {
		forged := bytes.Clone(reply)
		forged[len(forged)-1] ^= 1
		return [][]byte{forged, reply[:wire.HeaderLen]}
	})
	d := w.start(w.config(relaySource(r)))
	rep := d.until("six bad replies", func(r *report) bool { return r.Sources[0].Counters.Received >= 12 })
	if s := rep.Sources[0]; s.Reach != 0 || s.Counters.Valid != 0 || s.Mark != "?" || rep.Tracking.Synchronised {
		t.Errorf("got reach %o, %d valid, mark %s, synchronised %v", s.Reach, s.Counters.Valid, s.Mark, rep.Tracking.Synchronised)
	}
	r.set(nil, nil)
	d.synchronised()
}

// TestCheck36LargePacketsLost: a path that loses large packets shows in reach
// and in the log while key establishment works; another algorithm with shorter
// packets gets through.
func TestCheck36LargePacketsLost(t *testing.T) {
	w := newWorld(t)
	const most = 230
	narrow := func(pkt []byte) []byte {
		if len(pkt) > most {
			return nil
		}
		return pkt
	}
	r, small := w.relayed(relayConfig{aeads: []siv.Algorithm{siv.AESSIVCMAC512}}), w.relayed(relayConfig{})
	r.set(narrow, nil)
	small.set(narrow, nil)
	long := strings.TrimSuffix(relaySource(r), "\n") + "\n\tlist aead '17'\n"
	d := w.start(w.config(long, relaySource(small)))
	d.untilLog(`source gives no usable reply.*` + r.host() + `.*reason="(no reply|only a request without NTS got a reply)"`)
	rep := d.until("synchronisation by short packets", func(r *report) bool { return r.Tracking.Synchronised })
	if got := find(t, rep, r.host()); got.Reach != 0 || got.Auth.KEs == 0 {
		t.Errorf("got reach %o after %d key establishments", got.Reach, got.Auth.KEs)
	}
	if got := row(t, d.ask("sources"), r.host()); got[4] != "0" {
		t.Errorf("got %v", got)
	}
}

// TestCheck40KeyEstablishmentNegotiates: the server of keys chooses the AEAD
// among those offered and sends the client to an NTP server at another address
// and port; the client goes there with its eight cookies.
func TestCheck40KeyEstablishmentNegotiates(t *testing.T) {
	w := newWorld(t)
	ke, ntp := newAddr(), newAddr()
	r := w.relayedAt(ntp, relayConfig{aeads: []siv.Algorithm{siv.AESSIVCMAC256}, keAddr: ke, ntpHost: ntp.String()})
	d := w.start(w.config(section("server", quick("hostname", ke.String(), "nts", "yes")...)))
	rep := d.synchronised()
	s := rep.Sources[0]
	if s.Address != ntp.String() || s.Port != r.port() || s.Auth.KEAddress != ke.String() || s.Auth.AEAD != 15 {
		t.Errorf("got NTP %s:%d, KE %s, AEAD %d; want %s:%d, %s, 15", s.Address, s.Port, s.Auth.KEAddress, s.Auth.AEAD, ntp, r.port(), ke)
	}
	d.authdata("-n", ntp.String())
	// Its keys verify what the server sends, so both exported the same.
	if s.Counters.Good == 0 || r.established() != 1 {
		t.Errorf("got %d good replies after %d key establishments", s.Counters.Good, r.established())
	}
}

// TestCheck39OldTLSRefused: a server that speaks no TLS 1.3 gets no keys, and
// the log says why.
func TestCheck39OldTLSRefused(t *testing.T) {
	w := newWorld(t)
	addr := newAddr()
	cert := w.cert(demo.CertSpec{Addrs: []netip.Addr{addr}}).Cert
	ln, err := tls.Listen("tcp", netip.AddrPortFrom(addr, kePort).String(), &tls.Config{
		Certificates: []tls.Certificate{cert}, MaxVersion: tls.VersionTLS12, NextProtos: []string{nts.ALPN},
	})
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
			go func() {
				defer conn.Close()
				_ = conn.(*tls.Conn).Handshake()
			}()
		}
	}()
	d := w.start(w.config(section("server", quick("hostname", addr.String(), "nts", "yes")...)))
	line := d.untilLog(`NTS key establishment failed.*`)
	if !strings.Contains(line, "TLS") || !strings.Contains(line, "1.3") && !strings.Contains(line, "version") {
		t.Errorf("the log does not say that TLS 1.3 is needed: %s", line)
	}
}

// TestCheck41RequestFields: a request has a unique identifier, a cookie,
// placeholders where cookies are missing, and last the authenticator, which
// covers all before it.
func TestCheck41RequestFields(t *testing.T) {
	w := newWorld(t)
	r := w.relayed(relayConfig{})
	d := w.start(w.config(relaySource(r)))
	d.synchronised()
	r.set(lose, nil)
	n := len(r.seen())
	eventually(t, "three lost requests", func() bool { return len(r.seen()) >= n+3 })
	r.set(nil, nil)
	eventually(t, "a request", func() bool { return len(r.seen()) >= n+5 })
	normal := []uint16{extUniqueID, extCookie, extAuthenticator}
	for i, pkt := range r.seen()[:n+5] {
		got := fields(pkt)
		placeholders := len(got) - len(normal)
		want := slices.Concat(normal[:2], slices.Repeat([]uint16{extPlaceholder}, max(0, placeholders)), normal[2:])
		if !slices.Equal(got, want) {
			t.Errorf("request %d: got fields %#04x, want %#04x", i, got, want)
		}
		if i == 0 && placeholders != 0 || i > n && i < n+3 && placeholders == 0 {
			t.Errorf("request %d: got %d placeholders", i, placeholders)
		}
	}
	// One bit changed before the authenticator, and the server refuses it.
	naks := r.server.Stats().NAKs
	r.set(func(pkt []byte) []byte { pkt[1] ^= 1; return pkt }, nil)
	eventually(t, "NTS NAK for a changed header", func() bool { return r.server.Stats().NAKs > naks })
}

// TestCheck43ManyRoundsPerKeyEstablishment: keys are established once, however
// many rounds follow.
func TestCheck43ManyRoundsPerKeyEstablishment(t *testing.T) {
	w := newWorld(t)
	s := w.nts(nil)
	d := w.start(w.config(source(s)))
	d.until("thirty rounds", func(r *report) bool { return find(t, r, host(s)).Counters.Good >= 30 })
	if st := s.Stats(); st.KEConnections != 1 || st.KEDone != 1 || st.Requests < 30 {
		t.Errorf("got %d connections, %d key establishments, %d requests", st.KEConnections, st.KEDone, st.Requests)
	}
}

// TestCheck47GarbageDoesNoHarm: the daemon lives through replies of random
// bytes and of every length, and through their flood.
func TestCheck47GarbageDoesNoHarm(t *testing.T) {
	w := newWorld(t)
	r := w.relayed(relayConfig{})
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	length := 0
	r.set(nil, func(reply []byte) [][]byte {
		var out [][]byte
		for range 6 { // the daemon reads eight per request
			junk := make([]byte, random.IntN(1200))
			for i := range junk {
				junk[i] = byte(random.Uint32())
			}
			// A good beginning gets it further into the parsers.
			copy(junk, reply[:min(len(junk), length%len(reply))])
			length += 7
			out = append(out, junk)
		}
		return append(out, reply)
	})
	d := w.start(w.config(relaySource(r)))
	rep := d.until("good replies among garbage", func(r *report) bool { return r.Sources[0].Counters.Good >= 10 })
	if c := rep.Sources[0].Counters; c.Received < 4*c.Good {
		t.Errorf("got %+v", c)
	}
	d.stop()
}

// TestCheck52LostRepliesLengthenRequests: each lost reply makes the next
// request longer by one cookie's placeholder; when all cookies are gone there
// is one new key establishment. From the third loss on some requests are short,
// to find out whether it is the long ones that get lost.
func TestCheck52LostRepliesLengthenRequests(t *testing.T) {
	w := newWorld(t)
	r := w.relayed(relayConfig{})
	d := w.start(w.config(relaySource(r)))
	d.synchronised()
	n := len(r.seen())
	r.set(nil, func([]byte) [][]byte { return nil })
	eventually(t, "eight lost replies", func() bool { return len(r.seen()) >= n+nts.MaxCookies+1 })
	r.set(nil, nil)
	requests := r.seen()
	cookie := wire.ExtensionLen(len(cookieOf(t, requests[n])))
	// The first one may have been answered before the path was cut.
	first := n - 1
	for first+1 < len(requests) && (len(requests[first]) > len(requests[0]) || len(requests[first+1]) == len(requests[0])) {
		first++
	}
	first++
	if first > n+2 {
		t.Fatalf("the first longer request is number %d, the path was cut at %d", first, n)
	}
	const untried = 2 // requests that are long whatever the path may do to them
	for i := first; i < first+nts.MaxCookies-1; i++ {
		lost := i - first + 1
		got, want, short := len(requests[i]), len(requests[0])+lost*cookie, len(requests[0])
		if got != want && (got != short || lost <= untried) {
			t.Errorf("after %d lost replies: got %d bytes, want %d", lost, got, want)
		}
	}
	d.until("replies with new keys", func(r *report) bool { return r.Sources[0].Reach&3 == 3 })
	if got := r.established(); got != 2 {
		t.Errorf("key establishments: got %d, want 2", got)
	}
	noRepeats(t, r.seen())
}

// TestCheck53PacketLengths: with a 512-bit AEAD a request is about 296 bytes of
// NTP, with a 256-bit one less, and least with the one of 128 bits.
func TestCheck53PacketLengths(t *testing.T) {
	w := newWorld(t)
	var lengths []int
	for _, alg := range []siv.Algorithm{siv.AESSIVCMAC512, siv.AESSIVCMAC256, siv.AES128GCMSIV} {
		r := w.relayed(relayConfig{aeads: []siv.Algorithm{alg}})
		path := w.run
		w.run += "-" + alg.String()
		offer := "\tlist aead '" + map[siv.Algorithm]string{siv.AESSIVCMAC512: "17", siv.AESSIVCMAC256: "15", siv.AES128GCMSIV: "30"}[alg] + "'\n"
		d := w.start(w.config(strings.TrimSuffix(relaySource(r), "\n") + "\n" + offer))
		d.synchronised()
		d.stop()
		w.run = path
		lengths = append(lengths, len(r.seen()[0]))
		// Header, unique identifier, cookie, authenticator.
		want := 48 + 36 + wire.ExtensionLen(nts.CookieLen(alg)) + 40
		if got := len(r.seen()[0]); got != want && alg != siv.AES128GCMSIV {
			t.Errorf("%v: got %d bytes, want %d", alg, got, want)
		}
	}
	if lengths[0] > 296 || lengths[1] >= lengths[0] || lengths[2] >= lengths[1] {
		t.Errorf("lengths with AEAD 17, 15, 30: got %v, want at most 296 and falling", lengths)
	}
	t.Logf("requests with AEAD 17, 15, 30: %v bytes", lengths)
}

// TestCheck57ManipulatedPacketsAreCounted: what was changed on the way is
// discarded, and ntpdata says how often and why.
func TestCheck57ManipulatedPacketsAreCounted(t *testing.T) {
	w := newWorld(t)
	s := w.nts(nil)
	d := w.start(w.config(source(s)))
	d.synchronised()
	const forged = "NTS authentication failed"
	s.Tamper(1000)
	r := d.until("three discarded replies", func(r *report) bool { return verdict(find(t, r, host(s)), forged) >= 3 })
	s.Tamper(0)
	if x := find(t, r, host(s)); x.MeasuredOffsetS > 1 || x.MeasuredOffsetS < -1 {
		t.Errorf("a changed reply set the offset to %v s", x.MeasuredOffsetS)
	}
	r = d.until("good replies again", func(r *report) bool { return find(t, r, host(s)).Reach&3 == 3 })
	n := verdict(find(t, r, host(s)), forged)
	if out := d.ask("ntpdata", "-v", host(s)); !strings.Contains(out, fmt.Sprintf("%d %s", n, forged)) {
		t.Errorf("ntpdata -v does not count them:\n%s", out)
	}
	if out := d.ask("ntpdata", "--json"); !inOrder(out, `"verdicts"`, forged, fmt.Sprint(n)) {
		t.Errorf("ntpdata --json does not count them:\n%s", out)
	}
}

// TestLostKeysAtTheServer: a server that forgot its keys says so; the refusal
// is counted, one key establishment follows, and the source stays reachable.
func TestLostKeysAtTheServer(t *testing.T) {
	w := newWorld(t)
	s := w.nts(nil)
	d := w.start(w.config(source(s)))
	d.until("some replies", func(r *report) bool { return find(t, r, host(s)).Counters.Good >= 4 })
	if err := s.LoseKeys(); err != nil {
		t.Fatal(err)
	}
	r := d.until("new keys in use", func(r *report) bool {
		x := find(t, r, host(s))
		return x.Auth.KEs == 2 && x.Reach&7 == 7
	})
	if x := find(t, r, host(s)); x.Auth.NAKs < 1 || x.Reach == 7 {
		t.Errorf("got %d NAKs, reach %o", x.Auth.NAKs, x.Reach)
	}
	d.untilLog("server could not open our cookie")
	if st := s.Stats(); st.KEDone != 2 {
		t.Errorf("key establishments: got %d, want 2", st.KEDone)
	}
	if got := row(t, d.ask("authdata"), host(s)); got[2] != "2" || got[7] == "0" {
		t.Errorf("authdata: got %v", got)
	}
}

// TestCheck31MixedSourcesCannotBeForced: two plain servers that agree on a
// wrong time do not outvote the one that is authenticated.
func TestCheck31MixedSourcesCannotBeForced(t *testing.T) {
	w := newWorld(t)
	wrong := func(c *demo.ServerConfig) { c.Offset = clock.Offset(30 * time.Second) }
	s, a, b := w.nts(nil), w.plain(wrong), w.plain(wrong)
	d := w.start(w.config(source(s), source(a), source(b)))
	d.until("replies of all", replied(t, host(s), host(a), host(b)))
	n := s.Stats().Replies
	eventually(t, "more rounds", func() bool { return s.Stats().Replies >= n+6 })
	r, err := d.report()
	if err != nil {
		t.Fatal(err)
	}
	for _, liar := range []*demo.Server{a, b} {
		if got := find(t, r, host(liar)).Mark; got == "*" || got == "+" {
			t.Errorf("a plain liar is followed: mark %s", got)
		}
	}
	if r.Tracking.Steps != 0 || r.Tracking.ReferenceAddress != host(s) {
		t.Errorf("got %d steps, reference %q; want 0, %s", r.Tracking.Steps, r.Tracking.ReferenceAddress, host(s))
	}
}

// TestAuthSelectModes: how plain sources count beside authenticated ones is an
// option: not at all, only where there is no other, or like them.
func TestAuthSelectModes(t *testing.T) {
	wrong := func(c *demo.ServerConfig) { c.Offset = clock.Offset(30 * time.Second) }
	for mode, follows := range map[string]string{"require": "nts", "prefer": "nts", "mix": "nts", "ignore": "plain"} {
		t.Run(mode, func(t *testing.T) {
			w := newWorld(t)
			s, a, b := w.nts(nil), w.plain(wrong), w.plain(wrong)
			d := w.start(w.config(source(s), source(a), source(b), section("selection", "authselectmode", mode)))
			d.until("replies of all", replied(t, host(s), host(a), host(b)))
			r := d.until("the "+follows+" majority", func(r *report) bool {
				return r.Tracking.Synchronised && r.Tracking.Authenticated == (follows == "nts") && r.Sources[0].Counters.Good >= 6
			})
			if got := r.Tracking.ReferenceAddress == host(s); got != (follows == "nts") {
				t.Errorf("reference: got %s", r.Tracking.ReferenceAddress)
			}
		})
	}
}

// port returns where the relay listens.
func (r *relay) port() int { return r.conn.LocalAddr().(*net.UDPAddr).Port }

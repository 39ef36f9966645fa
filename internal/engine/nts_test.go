package engine

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"ntsd/internal/bootstrap"
	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/nts"
	"ntsd/internal/siv"
)

func TestServerLosesItsKeys(t *testing.T) {
	w := newWorld(t, 3, 0)
	s := w.serve("a.test", addr(1), server{nts: true, keyID: 1})
	w.start(with(ntsSource("a.test")))
	w.run(30 * time.Minute)
	s.keyID = 2
	w.run(6 * time.Hour)
	if s.kes != 2 {
		t.Errorf("%d key establishments, want 2", s.kes)
	}
	if got := w.source(0).Auth.NAKs; got != 1 {
		t.Errorf("%d NAKs, want 1", got)
	}
	if got := w.source(0).Reach; got != 0xff {
		t.Errorf("reach %o, want 377", got)
	}
	if w.count(event.NoticeUnreachable) != 0 {
		t.Error("became unreachable")
	}
}

// gap returns the longest time without an accepted sample over d.
func (w *world) gap(d, step time.Duration) (longest time.Duration) {
	last := w.now.Mono
	seen := w.source(0).LastRx
	for range d / step {
		w.run(step)
		if rx := w.source(0).LastRx; rx != seen {
			seen, last = rx, w.now.Mono
		}
		longest = max(longest, w.now.Mono.Sub(last))
	}
	return longest
}

func TestNAKGapIsTwoPollsAtMost(t *testing.T) {
	w := newWorld(t, 4, 0)
	s := w.serve("a.test", addr(1), server{nts: true, keyID: 1})
	cfg := ntsSource("a.test")
	cfg.MaxPoll = 6
	w.start(with(cfg))
	w.run(10 * time.Minute)
	s.keyID = 2
	if got, want := w.gap(20*time.Minute, time.Second), 2*65*time.Second+2*time.Second; got > want {
		t.Errorf("gap %v, want at most %v", got, want)
	}
}

func TestLostRepliesCostOneKE(t *testing.T) {
	w := newWorld(t, 5, 0)
	s := w.serve("a.test", addr(1), server{nts: true, keyID: 1})
	w.start(with(ntsSource("a.test")))
	w.run(10 * time.Minute)
	s.dead = true
	asked := s.asked
	for s.kes == 1 {
		w.run(time.Second)
	}
	if got := s.askedAt - asked; got != 8 {
		t.Errorf("%d requests before the key establishment, want 8", got)
	}
	s.dead = false
	w.run(2 * time.Hour)
	if s.kes != 2 || w.source(0).Reach != 0xff {
		t.Errorf("%d key establishments, reach %o; want 2, 377", s.kes, w.source(0).Reach)
	}
	if w.count(event.NoticeUnreachable) != 1 || w.count(event.NoticeReachable) != 1 {
		t.Errorf("notices %+v", w.notices)
	}
}

func TestKEWithoutRepliesBacksOff(t *testing.T) {
	w := newWorld(t, 6, 0)
	s := w.serve("a.test", addr(1), server{nts: true, keyID: 1, dead: true})
	cfg := ntsSource("a.test")
	cfg.MinPoll, cfg.MaxPoll = 3, 3
	w.start(with(cfg))
	w.run(14 * 24 * time.Hour)
	// 10 s * 1.5^n: the sum reaches 14 days after some 30 attempts.
	if s.kes < 20 || s.kes > 36 {
		t.Errorf("%d key establishments in 14 days, want 20 to 36", s.kes)
	}
}

func TestRestartWithoutKE(t *testing.T) {
	w := newWorld(t, 7, 0)
	s := w.serve("a.test", addr(1), server{nts: true, keyID: 1})
	w.serve("b.test", addr(2), server{nts: true, keyID: 1})
	cfg := with(ntsSource("a.test"), ntsSource("b.test"))
	w.start(cfg)
	w.run(10 * time.Minute)
	for range 5 {
		w.perform(w.eng.HandleStop(w.now, nil))
		w.start(cfg)
		w.run(5 * time.Minute)
	}
	if len(w.kes) != 2 || s.kes != 1 {
		t.Errorf("%d key establishments, want 2", len(w.kes))
	}
	if got := w.source(0); got.Reach != 0xff || got.Auth.KeyID == 0 || !got.Auth.KEKnown {
		t.Errorf("after restart: %+v", got)
	}
	if w.drift == nil {
		t.Error("no drift was saved")
	}
}

func TestRestoredSessionOfOthersIsNotUsed(t *testing.T) {
	for name, change := range map[string]func(*nts.Session){
		"name":    func(s *nts.Session) { s.KEName = "b.test" },
		"address": func(s *nts.Session) { s.KEAddr = netip.MustParseAddr(addr(9)) },
		"port":    func(s *nts.Session) { s.KEPort = 4461 },
		"aead":    func(s *nts.Session) { s.AEAD = siv.AESSIVCMAC384 },
		"no key":  func(s *nts.Session) { s.C2S = nil },
		"empty":   func(s *nts.Session) { s.Cookies = nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 8, 0)
			w.serve("a.test", addr(1), server{nts: true, keyID: 1})
			w.start(with(ntsSource("a.test")))
			w.run(time.Minute)
			for k, s := range w.saved {
				change(&s)
				w.saved[k] = s
			}
			w.start(with(ntsSource("a.test")))
			w.run(time.Minute)
			if len(w.kes) != 2 {
				t.Errorf("%d key establishments, want 2", len(w.kes))
			}
		})
	}
}

// TestCookiesAreNeverSentTwice lets servers lose packets and keys, and kills
// and restarts the daemon at any moment; world.spend is the judge.
func TestCookiesAreNeverSentTwice(t *testing.T) {
	for range 8 {
		seed := rand.Uint64()
		w := newWorld(t, seed, 0)
		a := w.serve("a.test", addr(1), server{nts: true, keyID: 1, loss: 0.3})
		w.serve("a.test", addr(2), server{nts: true, keyID: 1, loss: 0.1})
		b := w.serve("b.test", addr(3), server{nts: true, keyID: 1})
		cfg := with(ntsSource("a.test"), ntsSource("b.test"))
		w.start(cfg)
		for range 40 {
			w.run(time.Duration(w.rng.Int64N(int64(10 * time.Minute))))
			switch w.rng.IntN(7) {
			case 0:
				a.keyID++
			case 1:
				b.keyID++
			case 2:
				a.dead = !a.dead
			case 3:
				b.loss = w.rng.Float64()
			case 4: // a crash
				w.start(cfg)
			case 5:
				w.perform(w.eng.HandleStop(w.now, nil))
				w.start(cfg)
			case 6:
				out, _ := w.eng.HandleCommand(w.now, event.Command{Kind: event.CommandRekey}, nil)
				w.perform(out)
			}
		}
		if len(w.spent) < 50 {
			t.Errorf("only %d cookies were spent", len(w.spent))
		}
	}
}

func TestAlternateKeysWithoutSecondKE(t *testing.T) {
	w := newWorld(t, 9, 0)
	s := w.serve("a.test", addr(1), server{nts: true, keyID: 1, alt: true})
	w.start(with(ntsSource("a.test")))
	w.run(10 * time.Minute)
	st := w.source(0)
	if s.kes != 1 || st.Auth.NAKs != 1 || st.Mark != '*' {
		t.Errorf("%d key establishments, %d NAKs, mark %c; want 1, 1, *", s.kes, st.Auth.NAKs, st.Mark)
	}
}

func TestKEBackoffSchedule(t *testing.T) {
	for _, c := range []struct {
		class nts.FailureClass
		limit time.Duration
	}{
		{nts.FailureNetwork, 15 * time.Minute},
		{nts.FailureTLS, 5 * 24 * time.Hour},
		{nts.FailureCertificate, 5 * 24 * time.Hour},
		{nts.FailureProtocol, 5 * 24 * time.Hour},
		{nts.FailureServer, 5 * 24 * time.Hour},
	} {
		t.Run(c.class.String(), func(t *testing.T) {
			w := newWorld(t, 10, 0)
			w.serve("a.test", addr(1), server{nts: true, keFails: c.class, keWhy: "because"})
			w.start(with(ntsSource("a.test")))
			w.run(100 * 24 * time.Hour)
			want := 10 * time.Second
			for i := 1; i < min(40, len(w.kesAt)); i++ {
				got := w.kesAt[i].Sub(w.kesAt[i-1])
				if got < want || got > min(want+want/8, 5*24*time.Hour)+time.Second {
					t.Fatalf("wait %d = %v, want %v and up to 1/8 more", i, got, want)
				}
				want = min(want*3/2, c.limit)
			}
			if n := w.count(event.NoticeKEFailed); n != 1 {
				t.Errorf("%d notices of one reason, want 1", n)
			}
			if st := w.source(0); st.Auth.LastError != "because" || st.Why != "because" || st.Auth.Attempts != len(w.kes) {
				t.Errorf("state %+v", st)
			}
		})
	}
}

func TestKEBackoffSurvivesRestart(t *testing.T) {
	w := newWorld(t, 11, 0)
	s := w.serve("a.test", addr(1), server{nts: true, keFails: nts.FailureServer, keWhy: "no"})
	cfg := with(ntsSource("a.test"))
	for range 200 { // crashes every 2 s
		w.start(cfg)
		w.run(2 * time.Second)
	}
	if s.kes > 8 {
		t.Errorf("%d key establishments in 400 s, want at most 8", s.kes)
	}
	// A clock that was far off when the backoff was saved does not lock it.
	w.advance(w.now.Mono.Add(10 * 24 * time.Hour))
	w.now.Wall = w.now.Wall.Add(-20 * 365 * 24 * time.Hour)
	n := s.kes
	w.start(cfg)
	w.run(5 * 24 * time.Hour)
	if s.kes == n {
		t.Error("the backoff of a wrong clock locks the server out")
	}
}

func TestStepEndsOnlyCertificateBackoff(t *testing.T) {
	w := newWorld(t, 12, -time.Hour)
	cert := w.serve("cert.test", addr(1), server{nts: true, keyID: 1, keFails: nts.FailureCertificate, keWhy: "not yet valid"})
	tls := w.serve("tls.test", addr(2), server{nts: true, keyID: 1, keFails: nts.FailureTLS, keWhy: "no TLS 1.3"})
	plain := w.serve("plain.test", addr(3), server{dead: true})
	w.start(with(ntsSource("cert.test"), ntsSource("tls.test"), plainSource("plain.test")))
	w.eng.cfg.Selection.AuthMode = 3 // no difference: the plain one may step
	w.run(15 * time.Minute)
	plain.dead, cert.keFails, tls.keFails = false, nts.FailureNone, nts.FailureNone
	c, l := cert.kes, tls.kes
	for w.steps == 0 {
		w.run(time.Second)
	}
	w.run(10 * time.Second)
	if cert.kes != c+1 || tls.kes != l {
		t.Errorf("after the step: %d and %d key establishments, want 1 and 0", cert.kes-c, tls.kes-l)
	}
}

func TestKENegotiatesAnotherServer(t *testing.T) {
	w := newWorld(t, 13, 0)
	ke := w.serve("ke.test", addr(1), server{nts: true, keyID: 1, ntpAddr: netip.MustParseAddrPort("192.0.2.7:123")})
	ntp := w.serve("ntp.test", addr(7), server{nts: true, keyID: 1})
	w.start(with(ntsSource("ke.test")))
	w.run(5 * time.Minute)
	if st := w.source(0); ke.asked != 0 || ntp.asked == 0 || st.Addr != netip.MustParseAddr(addr(7)) || st.Auth.KEAddr != netip.MustParseAddr(addr(1)) {
		t.Errorf("asked %d and %d, state %+v", ke.asked, ntp.asked, st)
	}
}

func TestKENegotiatesAName(t *testing.T) {
	w := newWorld(t, 14, 0)
	w.serve("ke.test", "2001:db8::1", server{nts: true, keyID: 1, ntpHost: "ntp.test"})
	v4 := w.serve("ntp.test", addr(7), server{nts: true, keyID: 1})
	v6 := w.serve("ntp.test", "2001:db8::7", server{nts: true, keyID: 1})
	w.start(with(ntsSource("ke.test")))
	w.run(5 * time.Minute)
	if v4.asked != 0 || v6.asked == 0 || w.source(0).Mark != '*' {
		t.Errorf("asked %d and %d, want none and some", v4.asked, v6.asked)
	}
	// The resolved address is part of the saved session.
	n, l := len(w.kes), w.lookups
	w.start(with(ntsSource("ke.test")))
	w.run(5 * time.Minute)
	if len(w.kes) != n || w.lookups != l+1 {
		t.Errorf("%d more key establishments, %d lookups; want 0, 1", len(w.kes)-n, w.lookups-l)
	}
}

func TestTwoNamesForOneNTPServer(t *testing.T) {
	w := newWorld(t, 15, 0)
	to := netip.MustParseAddrPort("192.0.2.7:123")
	w.serve("a.test", addr(1), server{nts: true, keyID: 1, ntpAddr: to})
	w.serve("b.test", addr(2), server{nts: true, keyID: 1, ntpAddr: to})
	w.serve("ntp.test", addr(7), server{nts: true, keyID: 1})
	w.start(with(ntsSource("a.test"), ntsSource("b.test")))
	w.run(20 * time.Minute)
	if n := w.count(event.NoticeDuplicate); n != 1 {
		t.Errorf("%d notices of a duplicate, want 1", n)
	}
	if len(w.kes) != 2 {
		t.Errorf("%d key establishments, want 2", len(w.kes))
	}
}

func TestCertificateTimes(t *testing.T) {
	w := newWorld(t, 16, -time.Hour)
	w.serve("a.test", addr(1), server{nts: true, keyID: 1})
	cfg := with(ntsSource("a.test"))
	w.start(cfg)
	w.run(time.Second)
	if v := w.kes[0].Verify; v.Tentative || v.At.Sub(epoch.Add(-time.Hour)).Abs() > time.Second {
		t.Errorf("verify = %+v, want the clock's time", v)
	}
	w = newWorld(t, 16, -time.Hour)
	w.serve("a.test", addr(1), server{nts: true, keyID: 1})
	cfg.Bootstrap.Mode, cfg.Floor = bootstrap.ModeNoCertTimeCheck, epoch.Add(-365*24*time.Hour)
	w.start(cfg)
	w.run(10 * time.Minute)
	if v := w.kes[0].Verify; !v.Tentative || v.Floor != cfg.Floor {
		t.Errorf("verify = %+v, want no dates but the floor", v)
	}
	out, _ := w.eng.HandleCommand(w.now, event.Command{Kind: event.CommandRekey}, nil)
	w.perform(out)
	w.run(time.Second)
	if v := w.kes[1].Verify; v.Tentative || v.At.Sub(epoch.Add(10*time.Minute)) < -clock.Offset(time.Minute) {
		t.Errorf("verify after the update = %+v, want strict", v)
	}
}

// TestLongPacketsAreDropped: a middlebox that eats long packets costs one key
// establishment, not one for every lost reply.
func TestLongPacketsAreDropped(t *testing.T) {
	w := newWorld(t, 17, 0)
	s := w.serve("a.test", addr(1), server{nts: true, keyID: 1, longest: 200})
	cfg := ntsSource("a.test")
	cfg.MaxPoll = 6
	w.start(with(cfg))
	w.run(time.Hour)
	for range 16 {
		s.dead = true
		w.run(64 * time.Second)
		s.dead = false
		w.run(20 * time.Minute)
	}
	if s.kes > 7 {
		t.Errorf("%d key establishments, want at most 7 after 16 losses", s.kes)
	}
	if got := w.source(0).Auth.MaxPlaceholders; got >= 3 {
		t.Errorf("%d placeholders allowed, want fewer than 3", got)
	}
	s.longest = 0
	w.run(8 * time.Hour)
	if a := w.source(0).Auth; a.MaxPlaceholders != 7 || a.Cookies != 8 {
		t.Errorf("when the network is cured: %+v", a)
	}
}

func TestKeysAreRefreshed(t *testing.T) {
	w := newWorld(t, 18, 0)
	s := w.serve("a.test", addr(1), server{nts: true, keyID: 1})
	cfg := ntsSource("a.test")
	cfg.MinPoll, cfg.MaxPoll = 12, 12
	w.start(with(cfg))
	w.run(60 * 24 * time.Hour)
	if s.kes != 3 {
		t.Errorf("%d key establishments in 60 days, want 3", s.kes)
	}
	if w.count(event.NoticeUnreachable) != 0 || w.source(0).Reach != 0xff {
		t.Errorf("reach %o", w.source(0).Reach)
	}
}

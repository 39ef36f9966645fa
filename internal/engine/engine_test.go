package engine

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/nts"
	"ntsd/internal/selection"
	"ntsd/internal/upstream"
	"ntsd/internal/wire"
)

func TestPlainSynchronises(t *testing.T) {
	w := newWorld(t, 1, -5*time.Second)
	w.serve("a.test", addr(1), server{})
	w.start(with(plainSource("a.test")))
	if sys := w.eng.System(w.now); sys.Leap != event.LeapUnsynchronised || sys.Stratum != 0 {
		t.Errorf("before the first update the system says %+v", sys)
	}
	w.run(time.Second)
	if got := w.wrong().Abs(); got > time.Millisecond {
		t.Errorf("error after 1 s = %v, want below 1ms", got)
	}
	w.run(20 * time.Minute)
	st := w.source(0)
	if st.Reach != 0o377 || st.Mark != '*' || st.Why != "" {
		t.Errorf("reach %o mark %c why %q, want 377 *", st.Reach, st.Mark, st.Why)
	}
	if got := w.wrong().Abs(); got > 100*time.Microsecond {
		t.Errorf("error = %v, want below 100us", got)
	}
	if w.steps != 1 || w.count(event.NoticeSelected) != 1 || w.count(event.NoticeSynchronised) != 1 {
		t.Errorf("steps %d, notices %+v", w.steps, w.notices)
	}
	tr := w.eng.Snapshot(w.now).Tracking
	if !tr.Synchronised || tr.Stratum != 3 || tr.ReferenceName != "a.test" || tr.ReferenceID != (wire.ReferenceID{192, 0, 2, 1}) {
		t.Errorf("tracking = %+v", tr)
	}
}

// TestMaxUnreach: how many requests a source outlives that is the only one, when
// it does not answer any more: eight make it unreachable, at the next one that is
// known.
func TestMaxUnreach(t *testing.T) {
	for _, c := range []struct{ limit, requests int }{{-1, 9}, {1, 10}, {3, 12}, {0, 0}, {100000, 0}} {
		w := newWorld(t, 9, 0)
		s := w.serve("a.test", addr(1), server{})
		cfg := plainSource("a.test")
		cfg.MinPoll, cfg.MaxPoll, cfg.MaxUnreach = 3, 3, c.limit
		w.start(with(cfg))
		w.run(10 * time.Minute)
		s.dead = true
		asked, got := s.asked, 0
		for range 300 {
			w.run(time.Second)
			if w.source(0).State == selection.StateUnreachable {
				got = s.asked - asked
				break
			}
		}
		if got != c.requests {
			t.Errorf("limit %d: not selected after %d requests, want %d", c.limit, got, c.requests)
		}
		s.dead = false
		w.run(time.Minute)
		if w.source(0).Mark != '*' {
			t.Errorf("limit %d: not selected when it answers again: %+v", c.limit, w.source(0))
		}
	}
}

func TestNTSSynchronises(t *testing.T) {
	w := newWorld(t, 2, -5*time.Second)
	s := w.serve("a.test", addr(1), server{nts: true, keyID: 1})
	w.start(with(ntsSource("a.test")))
	w.run(20 * time.Minute)
	st := w.source(0)
	if st.Reach != 0o377 || st.Mark != '*' || s.kes != 1 {
		t.Errorf("reach %o mark %c, %d key establishments, want 377 * 1", st.Reach, st.Mark, s.kes)
	}
	if a := st.Auth; a.KeyID != 1 || a.Cookies != 8 || a.CookieLen != 64 || a.KeyBits != 128 || a.NAKs != 0 || a.Attempts != 0 {
		t.Errorf("auth = %+v", a)
	}
	if len(w.backoffs) != 0 {
		t.Errorf("backoff kept: %v", w.backoffs)
	}
}

func TestOneShot(t *testing.T) {
	for _, c := range []struct {
		name  string
		build func(w *world) Config
		limit time.Duration
	}{
		{"plain", func(w *world) Config {
			w.serve("a.test", addr(1), server{})
			return with(plainSource("a.test"))
		}, 500 * time.Millisecond},
		{"nts, maxsamples 1", func(w *world) Config {
			w.serve("a.test", addr(1), server{nts: true, keyID: 1, keDelay: time.Second})
			s := ntsSource("a.test")
			s.MaxSamples = 1
			return with(s)
		}, 2 * time.Second},
		{"nts without", func(w *world) Config {
			w.serve("a.test", addr(1), server{nts: true, keyID: 1, keDelay: time.Second})
			return with(ntsSource("a.test"))
		}, 2 * time.Second},
		{"one of three dead", func(w *world) Config {
			w.serve("a.test", addr(1), server{nts: true, keyID: 1})
			w.serve("b.test", addr(2), server{nts: true, keyID: 1})
			w.serve("c.test", addr(3), server{nts: true, keyID: 1, dead: true})
			return with(ntsSource("a.test"), ntsSource("b.test"), ntsSource("c.test"))
		}, 1500 * time.Millisecond},
		{"an unknown name", func(w *world) Config {
			w.serve("a.test", addr(1), server{})
			return with(plainSource("a.test"), plainSource("nowhere.test"))
		}, 1500 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, 20, -90*time.Second)
			cfg := c.build(w)
			cfg.OneShot = true
			w.start(cfg)
			w.run(3 * time.Second)
			if w.exit == nil {
				t.Fatal("no answer within 3 s")
			}
			if got := w.exitAt.Sub(1e9); got > c.limit {
				t.Errorf("answer after %v, want %v", got, c.limit)
			}
			if d := (w.exit.Offset - clock.Offset(90*time.Second)).Abs(); d > time.Millisecond {
				t.Errorf("offset %v, want 90s", w.exit.Offset.Duration())
			}
			if w.steps != 0 || w.rate != 0 {
				t.Error("a one-shot query touched the clock")
			}
		})
	}
}

func TestOneShotDoesNotTrustTheFastest(t *testing.T) {
	w := newWorld(t, 21, 0)
	w.serve("liar.test", addr(1), server{delay: time.Millisecond, offset: time.Hour})
	w.serve("a.test", addr(2), server{delay: 200 * time.Millisecond})
	w.serve("b.test", addr(3), server{delay: 300 * time.Millisecond})
	cfg := with(plainSource("liar.test"), plainSource("a.test"), plainSource("b.test"))
	cfg.OneShot = true
	w.start(cfg)
	w.run(3 * time.Second)
	if w.exit == nil || w.exit.Offset.Abs() > time.Second {
		t.Errorf("answer %+v, want one near zero", w.exit)
	}
}

func TestFalseticker(t *testing.T) {
	w := newWorld(t, 22, 0)
	for i := range 4 {
		s := server{}
		if i == 1 {
			s.offset = 300 * time.Millisecond
		}
		w.serve(fmt.Sprintf("s%d.test", i), addr(i+1), s)
	}
	cfg := with(plainSource("s0.test"), plainSource("s1.test"), plainSource("s2.test"), plainSource("s3.test"))
	w.start(cfg)
	w.run(time.Hour)
	if got := w.source(1); got.State != selection.StateFalseticker || got.Why == "" {
		t.Errorf("state %v (%s), want falseticker", got.State, got.Why)
	}
	if n := w.count(event.NoticeFalseticker); n != 1 {
		t.Errorf("%d notices, want 1", n)
	}
	if got := w.wrong().Abs(); got > time.Millisecond {
		t.Errorf("error %v, want below 1ms", got)
	}
}

// TestNearestIsNoWitness: of three servers the nearest alone does not vouch for
// its own distance, unless it is trusted; of two it does.
func TestNearestIsNoWitness(t *testing.T) {
	for _, c := range []struct {
		servers int
		trusted bool
		want    time.Duration // at least, and less than twice
	}{{3, false, 20 * time.Millisecond}, {2, false, time.Millisecond}, {3, true, time.Millisecond}} {
		w := newWorld(t, 25, 0)
		var cfg []upstream.Source
		for i := range c.servers {
			s := server{delay: 20 * time.Millisecond}
			if i == 0 {
				s.delay = 100 * time.Microsecond
			}
			name := fmt.Sprintf("s%d.test", i)
			w.serve(name, addr(i+1), s)
			cfg = append(cfg, plainSource(name))
		}
		cfg[0].Select.Trust = c.trusted
		w.start(with(cfg...))
		w.run(10 * time.Minute)
		sys := w.eng.System(w.now)
		if got := sys.RootDelay/2 + sys.RootDispersion; got < c.want || got >= 2*c.want+time.Millisecond {
			t.Errorf("%+v: the bound is %v", c, got)
		}
		// What the near one itself claims is told beside it.
		k := w.eng.Snapshot(w.now).Tracking
		if own := k.RootDelay/2 + k.RootDisp - k.Beyond; own > 2*time.Millisecond || (k.Beyond > 0) != (c.want > time.Millisecond) {
			t.Errorf("%+v: alone it claims %v, %v less", c, own, k.Beyond)
		}
	}
}

func TestLeapNeedsMajority(t *testing.T) {
	insert := func(h *wire.Header) { h.Leap = wire.LeapInsert }
	for n := range 4 {
		w := newWorld(t, 23, 0)
		var cfg []upstream.Source
		for i := range 3 {
			s := server{}
			if i < n {
				s.change = insert
			}
			name := fmt.Sprintf("s%d.test", i)
			w.serve(name, addr(i+1), s)
			cfg = append(cfg, plainSource(name))
		}
		w.start(with(cfg...))
		w.run(10 * time.Minute)
		want := event.LeapNone
		if n >= 2 {
			want = event.LeapInsert
		}
		if got := w.eng.System(w.now).Leap; got != want {
			t.Errorf("%d of 3 announce a leap second: %v, want %v", n, got, want)
		}
	}
}

func TestDeadAddressIsReplaced(t *testing.T) {
	w := newWorld(t, 24, 0)
	w.serve("a.test", "2001:db8::1", server{dead: true})
	w.serve("a.test", "2001:db8::2", server{dead: true})
	w.serve("a.test", addr(1), server{dead: true})
	w.serve("a.test", addr(2), server{})
	w.start(with(plainSource("a.test")))
	w.run(2 * time.Minute)
	if st := w.source(0); st.Addr != netip.MustParseAddr(addr(2)) || st.Mark != '*' {
		t.Errorf("after 2 min at %v mark %c, want the living one", st.Addr, st.Mark)
	}
	w.servers[netip.MustParseAddr(addr(2))].dead = true
	w.servers[netip.MustParseAddr("2001:db8::2")].dead = false
	n := w.count(event.NoticeReplaced)
	w.run(3 * time.Hour)
	if st := w.source(0); st.Addr != netip.MustParseAddr("2001:db8::2") || st.Mark != '*' {
		t.Errorf("later at %v mark %c", st.Addr, st.Mark)
	}
	if got := w.count(event.NoticeReplaced) - n; got > 6 {
		t.Errorf("%d replacements in 3 h, want at most 6", got)
	}
}

func TestKEFailureTriesTheNextAddress(t *testing.T) {
	w := newWorld(t, 25, 0)
	w.serve("a.test", "2001:db8::1", server{nts: true, keFails: nts.FailureNetwork, keWhy: "refused"})
	w.serve("a.test", "2001:db8::2", server{nts: true, keFails: nts.FailureNetwork, keWhy: "refused"})
	w.serve("a.test", addr(1), server{nts: true, keyID: 1})
	w.start(with(ntsSource("a.test")))
	w.run(5 * time.Second)
	if st := w.source(0); st.Mark != '*' || st.Addr != netip.MustParseAddr(addr(1)) {
		t.Errorf("at %v mark %c, want %s", st.Addr, st.Mark, addr(1))
	}
}

func TestAllKEAddressesFail(t *testing.T) {
	w := newWorld(t, 26, 0)
	a := w.serve("a.test", addr(1), server{nts: true, keyID: 1, keFails: nts.FailureNetwork, keWhy: "no route"})
	b := w.serve("a.test", addr(2), server{nts: true, keyID: 1, keFails: nts.FailureNetwork, keWhy: "no route"})
	w.start(with(ntsSource("a.test")))
	w.run(24 * time.Hour)
	if a.kes+b.kes > 2*(96+12) || a.kes < 90 || b.kes < 90 {
		t.Errorf("%d and %d key establishments in a day, want about 100 each", a.kes, b.kes)
	}
	if n := w.count(event.NoticeKEFailed); n > 2 {
		t.Errorf("%d notices of one reason at two addresses, want 2", n)
	}
	b.keFails = nts.FailureNone
	out, err := w.eng.HandleCommand(w.now, event.Command{Kind: event.CommandOnline}, nil)
	w.perform(out)
	w.run(20 * time.Second)
	if st := w.source(0); err != nil || st.Mark != '*' {
		t.Errorf("20 s after the link came up: %c (%s), %v", st.Mark, st.Why, err)
	}
}

func TestResolverFailure(t *testing.T) {
	w := newWorld(t, 27, 0)
	w.start(with(plainSource("a.test")))
	w.run(10 * time.Minute)
	if w.lookups < 9 || w.lookups > 16 {
		t.Errorf("%d lookups in 10 min, want 9 to 16", w.lookups)
	}
	if n := w.count(event.NoticeResolveFailed); n != 1 {
		t.Errorf("%d notices, want 1", n)
	}
	snap := w.eng.Snapshot(w.now)
	if snap.Unresolved != 1 || snap.Sources[0].Why != "no such host" || snap.Sources[0].Addr.IsValid() {
		t.Errorf("snapshot %+v", snap)
	}
	w.serve("a.test", addr(1), server{})
	w.run(70 * time.Second)
	if st := w.source(0); st.Mark != '*' || w.count(event.NoticeResolved) != 1 {
		t.Errorf("mark %c, notices %+v", st.Mark, w.notices)
	}
}

func TestSavedAddressWithoutResolver(t *testing.T) {
	w := newWorld(t, 28, 0)
	w.serve("a.test", addr(1), server{nts: true, keyID: 1})
	w.start(with(ntsSource("a.test")))
	w.run(time.Minute)
	w.names = map[string][]netip.Addr{}
	w.start(with(ntsSource("a.test")))
	w.run(time.Minute)
	if st := w.source(0); st.Mark != '*' || len(w.kes) != 1 {
		t.Errorf("mark %c, %d key establishments, want * 1", st.Mark, len(w.kes))
	}
}

func TestDuplicatesAreRejectedBeforeKE(t *testing.T) {
	w := newWorld(t, 29, 0)
	w.serve("a.test", addr(1), server{nts: true, keyID: 1})
	w.names["b.test"] = w.names["a.test"]
	w.start(with(ntsSource("a.test"), ntsSource("b.test")))
	w.run(3 * time.Hour)
	if len(w.kes) != 1 || w.count(event.NoticeDuplicate) != 1 {
		t.Errorf("%d key establishments, notices %+v", len(w.kes), w.notices)
	}
	if st := w.source(1); st.Addr.IsValid() || !strings.Contains(st.Why, "a.test") {
		t.Errorf("second source: %+v", st)
	}
	// When the first goes, the second takes the server over.
	w.perform(w.eng.HandleConfig(w.now, with(ntsSource("b.test")), nil))
	w.run(time.Minute)
	if st := w.source(0); st.Mark != '*' {
		t.Errorf("mark %c (%s), want *", st.Mark, st.Why)
	}
}

func TestNTSDisplacesPlain(t *testing.T) {
	w := newWorld(t, 37, 0)
	s := w.serve("a.test", addr(1), server{nts: true, keyID: 1})
	w.start(with(plainSource(addr(1)), ntsSource("a.test")))
	w.run(time.Minute)
	if st := w.source(1); st.Mark != '*' || !st.Auth.NTS || w.count(event.NoticeDuplicate) != 1 {
		t.Errorf("mark %c, notices %+v", st.Mark, w.notices)
	}
	if st := w.source(0); st.Reach != 0 || st.Why != "same server as a.test" {
		t.Errorf("the plain source: %+v", st)
	}
	// The same where only the key establishment tells.
	w = newWorld(t, 38, 0)
	w.serve("ke.test", addr(2), server{nts: true, keyID: 1, ntpAddr: netip.MustParseAddrPort("192.0.2.1:123")})
	w.servers[netip.MustParseAddr(addr(1))] = s
	s.nts = true
	w.start(with(plainSource(addr(1)), ntsSource("ke.test")))
	w.run(time.Minute)
	if st := w.source(1); st.Mark != '*' {
		t.Errorf("mark %c, notices %+v", st.Mark, w.notices)
	}
}

func TestPool(t *testing.T) {
	w := newWorld(t, 30, 0)
	for i := range 6 {
		w.serve("pool.test", addr(i+1), server{dead: i == 1})
	}
	p := plainSource("pool.test")
	p.Kind, p.MaxSources = upstream.Pool, 4
	w.start(with(p))
	w.run(5 * time.Minute)
	snap := w.eng.Snapshot(w.now)
	if len(snap.Sources) != 4 {
		t.Fatalf("%d associations, want 4", len(snap.Sources))
	}
	for _, s := range snap.Sources {
		if s.Reach == 0 {
			t.Errorf("%v is not reachable", s.Addr)
		}
	}
}

func TestReloadKeepsAssociations(t *testing.T) {
	w := newWorld(t, 31, 0)
	a := w.serve("a.test", addr(1), server{nts: true, keyID: 1})
	w.serve("b.test", addr(2), server{nts: true, keyID: 1})
	w.serve("c.test", addr(3), server{})
	w.start(with(ntsSource("a.test"), ntsSource("b.test")))
	w.run(10 * time.Minute)
	before := w.source(0)
	changed := ntsSource("a.test")
	changed.MaxPoll, changed.Select.Prefer = 7, true
	w.perform(w.eng.HandleConfig(w.now, with(plainSource("c.test"), changed), nil))
	w.run(2 * time.Hour)
	snap := w.eng.Snapshot(w.now)
	if len(snap.Sources) != 2 || snap.Sources[0].Name != "c.test" || snap.Sources[1].ID != before.ID {
		t.Fatalf("after the reload: %+v", snap.Sources)
	}
	if a.kes != 1 || snap.Sources[1].Poll > 7 || !snap.Sources[1].Options.Prefer {
		t.Errorf("%d key establishments, %+v", a.kes, snap.Sources[1])
	}
	if len(w.saved) != 1 || w.count(event.NoticeUnsynchronised) != 0 {
		t.Errorf("%d sessions on disk, want 1", len(w.saved))
	}
	// Other trust is another source: its keys are not used again.
	changed.TrustedCerts = []string{"/etc/ca.pem"}
	w.perform(w.eng.HandleConfig(w.now, with(changed), nil))
	w.run(time.Minute)
	if a.kes != 2 {
		t.Errorf("%d key establishments, want 2", a.kes)
	}
	// Another poll range, or a name given twice, is not.
	changed.MinSamples = 8
	w.perform(w.eng.HandleConfig(w.now, with(changed), nil))
	w.run(time.Minute)
	if a.kes != 2 {
		t.Errorf("%d key establishments, want 2", a.kes)
	}
}

func TestCommands(t *testing.T) {
	w := newWorld(t, 32, 0)
	a := w.serve("a.test", addr(1), server{nts: true, keyID: 1})
	b := w.serve("b.test", addr(2), server{})
	off := plainSource("b.test")
	off.Offline = true
	w.start(with(ntsSource("a.test"), off))
	do := func(cmd event.Command) {
		t.Helper()
		out, err := w.eng.HandleCommand(w.now, cmd, nil)
		if err != nil {
			t.Fatal(err)
		}
		w.perform(out)
	}
	w.run(10 * time.Minute)
	if b.asked != 0 {
		t.Error("an offline source was polled")
	}
	do(event.Command{Kind: event.CommandOnline, Target: addr(2)})
	w.run(10 * time.Second)
	if b.asked == 0 || !w.source(1).Online {
		t.Error("an online source was not polled")
	}
	do(event.Command{Kind: event.CommandOffline, Target: "a.test"})
	n := a.asked
	w.run(time.Hour)
	if a.asked != n {
		t.Error("an offline source was polled")
	}
	do(event.Command{Kind: event.CommandOnline})
	w.run(time.Minute)
	n = a.asked
	do(event.Command{Kind: event.CommandBurst, Target: "a.test", Good: 3, Max: 5})
	w.run(20 * time.Second)
	if got := a.asked - n; got != 3 {
		t.Errorf("burst of %d requests, want 3", got)
	}
	do(event.Command{Kind: event.CommandRekey, Target: "a.test"})
	w.run(5 * time.Second)
	if a.kes != 2 {
		t.Errorf("%d key establishments, want 2", a.kes)
	}
	if _, err := w.eng.HandleCommand(w.now, event.Command{Kind: event.CommandBurst, Target: "z.test"}, nil); err != ErrNoSource {
		t.Errorf("error %v, want ErrNoSource", err)
	}
	w.names["b.test"] = []netip.Addr{netip.MustParseAddr(addr(3))}
	w.servers[netip.MustParseAddr(addr(3))] = &server{delay: time.Millisecond}
	do(event.Command{Kind: event.CommandRefresh})
	w.run(10 * time.Second)
	if st := w.source(1); st.Addr != netip.MustParseAddr(addr(3)) {
		t.Errorf("after refresh at %v, want %s", st.Addr, addr(3))
	}
}

func TestSystemTellsTheTruth(t *testing.T) {
	w := newWorld(t, 33, 0)
	s := w.serve("a.test", addr(1), server{})
	w.start(with(plainSource("a.test")))
	w.run(time.Hour)
	first := w.eng.System(w.now)
	if first.Stratum != 3 || first.RootDelay < 20*time.Millisecond {
		t.Errorf("system = %+v", first)
	}
	s.dead = true
	w.run(24 * time.Hour)
	later := w.eng.System(w.now)
	if later.RootDispersion <= first.RootDispersion || later.ReferenceTime > w.now.Wall.Add(-23*time.Hour) {
		t.Errorf("after a day alone: %+v, before: %+v", later, first)
	}
	out, _ := w.eng.HandleCommand(w.now, event.Command{Kind: event.CommandOffline}, nil)
	w.perform(out)
	w.advance(w.now.Mono.Add(20 * 365 * 24 * time.Hour))
	if got := w.eng.System(w.now); got.Leap != event.LeapUnsynchronised || got.Stratum != 0 {
		t.Errorf("after 20 years alone: %+v", got)
	}
}

func TestUnsynchronisedServerIsNotFollowed(t *testing.T) {
	w := newWorld(t, 34, 0)
	w.serve("a.test", addr(1), server{offset: time.Hour, change: func(h *wire.Header) { h.Leap = wire.LeapUnknown }})
	w.start(with(plainSource("a.test")))
	w.run(time.Hour)
	if st := w.source(0); st.Reach != 0 || w.steps != 0 || st.Why != "server not synchronised" {
		t.Errorf("reach %o, %d steps, why %q", st.Reach, w.steps, st.Why)
	}
}

func TestSnapshotHoldsNoSecretAndNoMemory(t *testing.T) {
	w := newWorld(t, 35, 0)
	w.serve("a.test", addr(1), server{nts: true, keyID: 1})
	w.start(with(ntsSource("a.test")))
	w.run(10 * time.Minute)
	snap := w.eng.Snapshot(w.now)
	text := fmt.Sprintf("%+v", snap)
	for _, s := range w.saved {
		for _, secret := range append([][]byte{s.C2S, s.S2C}, s.Cookies...) {
			if strings.Contains(text, fmt.Sprint(secret[:8])[1:20]) || strings.Contains(text, string(secret)) {
				t.Error("the snapshot holds a secret")
			}
		}
	}
	again := fmt.Sprintf("%+v", w.eng.Snapshot(w.now))
	snap.Sources[0].Counters.Verdicts[0].Count = 77
	if got := fmt.Sprintf("%+v", w.eng.Snapshot(w.now)); got != again {
		t.Errorf("writing to a snapshot changed the engine")
	}
}

func TestEngineIsDeterministic(t *testing.T) {
	run := func() string {
		w := newWorld(t, 36, -time.Minute)
		for i := range 4 {
			w.serve(fmt.Sprintf("s%d.test", i), addr(i+1), server{nts: i%2 == 0, keyID: 1, loss: 0.1})
		}
		w.start(with(ntsSource("s0.test"), plainSource("s1.test"), ntsSource("s2.test"), plainSource("s3.test")))
		w.run(3 * time.Hour)
		return fmt.Sprintf("%+v %+v", w.now, w.eng.Snapshot(w.now))
	}
	if a, b := run(), run(); a != b {
		t.Error("two runs of one seed differ")
	}
}

// TestOfflineForLong: a clock that nobody has corrected for so long that it may be
// off by more than may be is not called synchronised, also where nobody is asked.
func TestOfflineForLong(t *testing.T) {
	w := newWorld(t, 77, 0)
	w.serve("a.test", addr(1), server{})
	w.start(with(plainSource("a.test")))
	w.run(time.Hour)
	if !w.eng.Snapshot(w.now).Tracking.Synchronised {
		t.Fatal("not synchronised at first")
	}
	out, err := w.eng.HandleCommand(w.now, event.Command{Kind: event.CommandOffline}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.perform(out)
	w.run(100 * 24 * time.Hour)
	tr := w.eng.Snapshot(w.now).Tracking
	if bound := tr.RootDelay/2 + tr.RootDisp; bound > 3*time.Second && tr.Synchronised {
		t.Errorf("synchronised, though it may be off by %v", bound)
	} else if bound < 3*time.Second {
		t.Errorf("it may be off by %v only: the test is too short", bound)
	}
	if n := w.count(event.NoticeUnsynchronised); n != 1 {
		t.Errorf("told %d times that it is not synchronised, want once", n)
	}
}

package engine

import (
	"strings"
	"testing"
	"time"

	"ntsd/internal/bootstrap"
	"ntsd/internal/event"
	"ntsd/internal/nts"
	"ntsd/internal/upstream"
)

// ladderSource is one that counts.
func ladderSource(name string) upstream.Source {
	s := ntsSource(name)
	s.Operator = name
	return s
}

// climbers is a world with three servers and a router in 1970.
func climbers(t *testing.T, seed uint64) (*world, []*server, Config) {
	w := newWorld(t, seed, -time.Duration(epoch))
	var servers []*server
	var all []upstream.Source
	for i, name := range []string{"a.test", "b.test", "c.test"} {
		servers = append(servers, w.serve(name, addr(i+1), server{nts: true, keyID: 1}))
		all = append(all, ladderSource(name))
	}
	cfg := with(all...)
	cfg.Floor = epoch.Add(-100 * 24 * time.Hour)
	cfg.Bootstrap.Mode = bootstrap.ModeLadder
	return w, servers, cfg
}

// Keys that were taken without a look at their dates are looked at as soon as
// the ladder is in force, and those that fail are given up, loudly.
func TestReloadToLadder(t *testing.T) {
	w, servers, cfg := climbers(t, 30)
	cfg.Bootstrap.Mode = bootstrap.ModeNoCertTimeCheck
	w.start(cfg)
	w.run(20 * time.Second)
	if !w.eng.Snapshot(w.now).Tracking.Synchronised {
		t.Fatal("not synchronised without a look at dates")
	}
	servers[0].keFails, servers[0].keWhy = nts.FailureCertificate, "expired"
	servers[1].keFails, servers[1].keWhy = nts.FailureCertificate, "expired"
	cfg.Bootstrap.Mode = bootstrap.ModeLadder
	w.perform(w.eng.HandleConfig(w.now, cfg, nil))
	w.run(20 * time.Second)
	for _, ke := range w.kes[3:6] {
		if ke.Verify.Tentative {
			t.Errorf("%s: certificates are judged %+v, want strictly", ke.Name, ke.Verify)
		}
	}
	if got := w.count(event.NoticeRevoked); got != 2 {
		t.Errorf("%d revoked, want 2", got)
	}
	s := w.eng.Snapshot(w.now)
	if s.Tracking.Synchronised || s.Bootstrap.Phase != bootstrap.PhaseSearching || w.count(event.NoticeUnsynchronised) != 1 {
		t.Errorf("one of three is left: synchronised %t, %v", s.Tracking.Synchronised, s.Bootstrap.Phase)
	}
	if got := w.eng.System(w.now); got.Leap != event.LeapUnsynchronised {
		t.Errorf("clients are told %+v", got)
	}
	servers[1].keFails = nts.FailureNone
	w.run(10 * time.Minute)
	if s := w.eng.Snapshot(w.now); !s.Tracking.Synchronised || s.Bootstrap.Phase != bootstrap.PhaseDone {
		t.Errorf("two of three again: synchronised %t, %v; waits for %q", s.Tracking.Synchronised, s.Bootstrap.Phase, s.Bootstrap.Waiting)
	}
}

// A one-shot query keeps no clock and climbs no ladder; nor does a router whose
// only NTS servers have no say.
func TestNoLadder(t *testing.T) {
	w, _, cfg := climbers(t, 31)
	cfg.OneShot = true
	w.start(cfg)
	if got := w.eng.Snapshot(w.now).Bootstrap.Phase; got != bootstrap.PhaseOff {
		t.Errorf("one-shot: got %v", got)
	}
	w, _, cfg = climbers(t, 32)
	cfg.Sources[0].NoVal, cfg.Sources[1].Kind, cfg.Sources[2].Operator = true, upstream.Pool, ""
	w.start(cfg)
	w.run(5 * time.Second)
	if got := w.eng.Snapshot(w.now).Bootstrap.Phase; got != bootstrap.PhaseOff || w.kes[0].Verify.Tentative {
		t.Errorf("nobody counts: got %v, certificates judged %+v", got, w.kes[0].Verify)
	}
}

// Nothing is written where there is no flash; where there is, what is saved is
// what the next boot needs.
func TestPersist(t *testing.T) {
	w, _, cfg := climbers(t, 33)
	var saved []event.Persist
	run := func(flash bool) {
		saved = nil
		w.eng, w.open, w.queue = New(cfg, w, w.now), map[event.SourceID]uint64{}, nil
		if flash {
			w.eng.Recall(event.Boot{}, nil)
		}
		w.persisted = func(p event.Persist) { saved = append(saved, p) }
		w.perform(w.eng.HandleStart(w.now, nil, nil, nil))
		w.run(2 * time.Minute)
		w.perform(w.eng.HandleDump(w.now, nil))
	}
	run(false)
	if len(saved) != 0 {
		t.Errorf("without flash: %d writes", len(saved))
	}
	run(true)
	if len(saved) != 2 || !saved[0].Fill || saved[1].Fill {
		t.Fatalf("got %d writes, want one with and one without the reserve", len(saved))
	}
	p := saved[0]
	if off := p.State.Time.Sub(w.truth()).Abs(); off > 2*time.Minute || p.State.TimeError <= 0 || p.State.TimeError > time.Second {
		t.Errorf("saved time is off by %v, with a bound of %v", off, p.State.TimeError)
	}
	if len(p.State.Hosts) != 3 || len(p.State.Hosts[0].Addrs) != 1 {
		t.Errorf("hosts: got %+v", p.State.Hosts)
	}
	if len(p.Reserve) != 3 {
		t.Fatalf("reserve: got %d sessions, want 3", len(p.Reserve))
	}
	for _, r := range p.Reserve {
		if len(r.Cookies) != bootstrap.Spare || !r.Strict {
			t.Errorf("%s: %d cookies, strict %t", r.KEName, len(r.Cookies), r.Strict)
		}
		for _, s := range w.saved {
			for _, c := range s.Cookies {
				if string(c) == string(r.Cookies[0]) || string(c) == string(r.Cookies[1]) {
					t.Errorf("%s: a cookie is in the reserve and in use", r.KEName)
				}
			}
		}
	}
}

// What was found on trial stands until it is confirmed: others on trial, who
// answer meanwhile, do not pull the clock away from those who answered well.
func TestTrialIsNotSteered(t *testing.T) {
	w, servers, cfg := climbers(t, 34)
	for i, s := range servers {
		late := time.Duration(i) * 120 * time.Millisecond
		s.delay, s.offset, s.keDelay = s.delay+late, late, 300*time.Millisecond
	}
	// The good one has new keys, and no sample yet, when the worst one answers.
	servers[0].keDelay = 235 * time.Millisecond
	w.start(cfg)
	phase := func() bootstrap.Phase { return w.eng.Snapshot(w.now).Bootstrap.Phase }
	for begin := w.now.Mono; phase() == bootstrap.PhaseSearching; w.run(time.Millisecond) {
		if w.now.Mono.Sub(begin) > time.Minute {
			t.Fatal("nobody agrees")
		}
	}
	rate, steps, answers := w.rate, w.steps, servers[1].answers+servers[2].answers
	for phase() == bootstrap.PhaseConfirming && w.rate == rate && w.steps == steps {
		w.run(time.Millisecond)
	}
	if phase() == bootstrap.PhaseConfirming {
		t.Errorf("not confirmed yet, and the rate goes from %v to %v ppm, the steps from %d to %d", rate.PPM(), w.rate.PPM(), steps, w.steps)
	}
	if n := servers[1].answers + servers[2].answers - answers; n == 0 {
		t.Error("nothing was tested: nobody answered meanwhile")
	}
	if n := w.count(event.NoticeUnselectable); n != 0 {
		t.Errorf("%d complaints that nobody can be selected", n)
	}
}

// While the first time is sought, a source says what it waits for: keys that do not
// come, or others that agree with it. Neither has too few samples.
func TestWhatIsWaitedFor(t *testing.T) {
	w, servers, cfg := climbers(t, 36)
	servers[0].offset, servers[1].offset, servers[2].keDelay = time.Hour, -time.Hour, time.Hour
	w.start(cfg)
	w.run(time.Minute)
	s := w.eng.Snapshot(w.now)
	if s.Bootstrap.Phase != bootstrap.PhaseSearching {
		t.Fatalf("got %v, want searching", s.Bootstrap.Phase)
	}
	for i, want := range []string{"waits until operators agree on the first time", "waits until operators agree on the first time", "waits for keys from "} {
		if got := s.Sources[i].Why; !strings.HasPrefix(got, want) {
			t.Errorf("source %d: got %q, want %q", i, got, want)
		}
	}
	if !strings.Contains(s.Bootstrap.Waiting, "; another time from ") || !strings.Contains(s.Bootstrap.Waiting, "; no usable time from ") {
		t.Errorf("got %q, want both who tells another time and who tells none", s.Bootstrap.Waiting)
	}
}

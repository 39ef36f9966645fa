package engine

import (
	"math"
	"strings"
	"testing"
	"time"

	"ntsd/internal/bootstrap"
	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/local"
	"ntsd/internal/refclock"
	"ntsd/internal/refdata"
	"ntsd/internal/selection"
	"ntsd/internal/upstream"
	"ntsd/internal/wire"
)

// readClock answers after a millisecond.
func (w *world) readClock(a event.ReadClock) {
	w.reads++
	eng := w.eng
	w.after(time.Millisecond, func() {
		if w.eng != eng {
			return
		}
		ev := event.ClockRead{Reason: a.Spec.String() + " is not there"}
		if read := w.clocks[a.Spec.Path]; read != nil {
			ev = read()
		}
		ev.Source = a.Source
		w.perform(w.eng.HandleClockRead(w.now, ev, nil))
	})
}

// gps is a receiver that tells the time of each second off wrong, and jitter of
// a normal law beside.
func (w *world) gps(path string, off, jitter time.Duration) {
	w.clock(path, func() event.Measurement {
		at := w.now.Mono.Add(-100 * time.Millisecond)
		noise := time.Duration(w.rng.NormFloat64() * float64(jitter))
		return event.Measurement{At: at, True: epoch.Add(at.Sub(1e9)).Add(off + noise)}
	})
}

// pulse is the beginning of each second.
func (w *world) pulse(path string, jitter time.Duration) {
	w.clock(path, func() event.Measurement {
		at := w.now.Mono.Add(-w.now.Mono.Sub(1e9) % time.Second)
		return event.Measurement{At: at.Add(time.Duration(w.rng.NormFloat64() * float64(jitter))), Pulse: true}
	})
}

func (w *world) clock(path string, read func() event.Measurement) {
	if w.clocks == nil {
		w.clocks = make(map[string]func() event.ClockRead)
	}
	w.clocks[path] = func() event.ClockRead { return event.ClockRead{Measurements: []event.Measurement{read()}} }
}

// refSource is a reference clock with the path for its name.
func refSource(driver refdata.Driver, name string) upstream.Source {
	return upstream.Source{
		Kind: upstream.RefClock, Name: name, MinPoll: 4, MaxPoll: 4,
		Ref: refclock.Config{
			Spec: refdata.Spec{Driver: driver, Path: name}, RefID: name, Poll: 4, Delay: time.Nanosecond, Precision: time.Microsecond,
		},
	}
}

// TestReferenceClock: a receiver alone sets a clock that is wrong; we are of
// stratum 1 and named after it.
func TestReferenceClock(t *testing.T) {
	w := newWorld(t, 41, -5*time.Second)
	w.gps("GPS", 0, 10*time.Microsecond)
	cfg := with(refSource(refdata.SHM, "GPS"))
	cfg.Precision = time.Nanosecond // else it is this world's grain of a millisecond
	w.start(cfg)
	w.run(20 * time.Minute)
	if w.wrong().Abs() > 20*time.Microsecond || w.steps != 1 {
		t.Errorf("the clock is wrong by %v after %d steps", w.wrong(), w.steps)
	}
	sys := w.eng.System(w.now)
	if sys.Stratum != 1 || sys.ReferenceID != (wire.ReferenceID{'G', 'P', 'S'}) || sys.RootDelay > time.Microsecond || sys.RootDispersion > 50*time.Microsecond {
		t.Errorf("we say %+v of ourselves", sys)
	}
	s := w.source(0)
	if s.Kind != upstream.RefClock || s.State != selection.StateSelected || s.Reach != 0xff || s.Stratum != 0 || s.Auth.NTS || s.Counters.Good < 60 {
		t.Errorf("%+v", s)
	}
	if tr := w.eng.Snapshot(w.now).Tracking; tr.ReferenceName != "GPS" || tr.ReferenceAddr.IsValid() || tr.Authenticated {
		t.Errorf("tracking: %+v", tr)
	}
	w.gps("GPS", 0, 10*time.Microsecond)
	w.clocks["GPS"] = func() event.ClockRead { return event.ClockRead{} } // no fix any more
	w.run(10 * time.Minute)
	if s := w.source(0); s.Reach != 0 || w.count(event.NoticeUnreachable) != 1 || w.eng.System(w.now).Stratum != 1 {
		t.Errorf("a receiver that falls silent: reach %o, %+v; want a clock that goes on", s.Reach, w.eng.System(w.now))
	}
	w.gps("GPS", 0, 10*time.Microsecond)
	w.run(10 * time.Minute)
	if w.source(0).Reach != 0xff || w.count(event.NoticeReachable) != 1 {
		t.Errorf("it tells again: reach %o", w.source(0).Reach)
	}
}

// TestReferenceComesLater: a device that is missing is told once, and used when
// it is there.
func TestReferenceComesLater(t *testing.T) {
	w := newWorld(t, 42, 0)
	w.start(with(refSource(refdata.SOCK, "GPS")))
	w.run(time.Hour)
	if n := w.count(event.NoticeClockFailed); n != 1 || w.eng.System(w.now).Stratum != 0 {
		t.Errorf("%d notices in an hour, want 1; %+v", n, w.eng.System(w.now))
	}
	if s := w.source(0); s.Why != "SOCK GPS is not there" {
		t.Errorf("why: %q", s.Why)
	}
	w.gps("GPS", 0, time.Microsecond)
	w.run(time.Minute)
	if w.count(event.NoticeClockWorks) != 1 || w.eng.System(w.now).Stratum != 1 {
		t.Errorf("when it is there: %+v", w.eng.System(w.now))
	}
}

// TestPulsesNeedTheTime: pulses alone set nothing; beside a server that is
// milliseconds off they decide, and make us stratum 1.
func TestPulsesNeedTheTime(t *testing.T) {
	w := newWorld(t, 43, 0)
	w.pulse("PPS", time.Microsecond)
	w.start(with(refSource(refdata.PPS, "PPS")))
	w.run(10 * time.Minute)
	if s := w.source(0); s.Reach != 0 || w.eng.System(w.now).Stratum != 0 || !strings.Contains(s.Why, "nothing says which second") {
		t.Errorf("pulses alone: reach %o, %q", s.Reach, s.Why)
	}
	w = newWorld(t, 44, -2*time.Second)
	w.pulse("PPS", time.Microsecond)
	w.serve("a.test", addr(1), server{offset: 3 * time.Millisecond})
	w.start(with(plainSource("a.test"), refSource(refdata.PPS, "PPS")))
	w.run(time.Hour)
	if sys := w.eng.System(w.now); w.wrong().Abs() > 5*time.Microsecond || sys.Stratum != 1 || sys.ReferenceID != (wire.ReferenceID{'P', 'P', 'S'}) {
		t.Errorf("wrong by %v, %+v", w.wrong(), sys)
	}
}

// TestLockedPulses: a receiver without a network: serial time, bad to 60 ms and
// late by 120, numbers the seconds, and the pulses tell when they begin.
func TestLockedPulses(t *testing.T) {
	w := newWorld(t, 45, 77*time.Second)
	w.gps("NMEA", 120*time.Millisecond, 20*time.Millisecond)
	w.pulse("PPS", time.Microsecond)
	nmea, pps := refSource(refdata.SHM, "NMEA"), refSource(refdata.PPS, "PPS")
	nmea.Select.NoSelect, pps.Ref.Lock = true, "NMEA"
	w.start(with(nmea, pps))
	w.run(time.Hour)
	if w.wrong().Abs() > 5*time.Microsecond || w.source(1).State != selection.StateSelected {
		t.Errorf("wrong by %v; %v, %v", w.wrong(), w.source(0).Why, w.source(1).Why)
	}
	w.clocks["NMEA"] = nil
	w.run(10 * time.Minute)
	if s := w.source(1); s.Reach != 0 || w.source(0).Reach != 0 {
		t.Errorf("without serial time: reach %o", s.Reach)
	}
}

// TestPulsesOfALocalClock: with a local reference pulses steady the clock, and
// we still tell that it is nobody's time.
func TestPulsesOfALocalClock(t *testing.T) {
	w := newWorld(t, 46, 300*time.Millisecond)
	w.pulse("PPS", time.Microsecond)
	cfg := with(refSource(refdata.PPS, "PPS"))
	cfg.Local = local.Config{Enabled: true, Stratum: 10, Distance: time.Second}
	w.start(cfg)
	w.run(30 * time.Minute)
	second := math.Mod(w.wrong().Seconds(), 1)
	if s := w.source(0); s.Stratum != 9 || s.Reach != 0xff || math.Abs(second) > 20e-6 {
		t.Errorf("stratum %d, reach %o, %v off the second", s.Stratum, s.Reach, second)
	}
	if sys := w.eng.System(w.now); sys.Stratum != 10 {
		t.Errorf("we say %+v", sys)
	}
}

// TestReferenceAmongServers: a receiver that is wrong is outvoted, unless it is
// trusted; where plain and authenticated servers are mixed it is, as chrony has it.
func TestReferenceAmongServers(t *testing.T) {
	run := func(trust bool) *world {
		w := newWorld(t, 47, 0)
		w.gps("GPS", 300*time.Millisecond, time.Microsecond)
		cfg := with()
		for i := range 3 {
			w.serve(addr(i+1), addr(i+1), server{})
			cfg.Sources = append(cfg.Sources, plainSource(addr(i+1)))
		}
		gps := refSource(refdata.SHM, "GPS")
		gps.Select.Trust = trust
		cfg.Sources = append(cfg.Sources, gps)
		w.start(cfg)
		w.run(time.Hour)
		return w
	}
	if w := run(false); w.wrong().Abs() > time.Millisecond || w.source(3).State != selection.StateFalseticker {
		t.Errorf("outvoted: wrong by %v, %v", w.wrong(), w.source(3).State)
	}
	if w := run(true); (w.wrong()-300*time.Millisecond).Abs() > time.Millisecond || w.source(3).State != selection.StateSelected {
		t.Errorf("trusted: wrong by %v, %v", w.wrong(), w.source(3).State)
	}
	w := newWorld(t, 48, 0)
	w.gps("GPS", 0, time.Microsecond)
	w.serve("a.test", addr(1), server{nts: true, keyID: 1})
	w.serve("b.test", addr(2), server{})
	w.start(with(ntsSource("a.test"), plainSource("b.test"), refSource(refdata.SHM, "GPS")))
	w.run(10 * time.Minute)
	if e := w.source(2).Effective; !e.Trust || !e.Require {
		t.Errorf("mixed: %+v, want trust and require", e)
	}
	for _, mode := range []selection.AuthMode{selection.AuthRequire, selection.AuthPrefer} {
		cfg := with(plainSource("b.test"), refSource(refdata.SHM, "GPS"))
		cfg.Selection = selection.DefaultConfig()
		cfg.Selection.AuthMode = mode
		w.start(cfg)
		w.run(10 * time.Minute)
		if s := w.source(1); s.State != selection.StateSelected {
			t.Errorf("authselectmode %v: %v (%s), want it selected", mode, s.State, s.Why)
		}
	}
}

// TestReferenceAtBoot: the agreement of the servers is waited for, unless a
// receiver is trusted; what lies before the floor is no time in any case.
func TestReferenceAtBoot(t *testing.T) {
	run := func(trust bool, off time.Duration) *world {
		w := newWorld(t, 49, -400*24*time.Hour)
		w.gps("GPS", off, time.Microsecond)
		gps := refSource(refdata.SHM, "GPS")
		gps.Select.Trust = trust
		cfg := with(gps)
		for i := range 2 {
			s := ntsSource(addr(i + 1)) // nobody is there
			s.Operator = s.Name
			cfg.Sources = append(cfg.Sources, s)
		}
		cfg.Bootstrap.Mode, cfg.Floor = bootstrap.ModeLadder, epoch.Add(-500*24*time.Hour)
		w.start(cfg)
		w.run(30 * time.Minute)
		return w
	}
	if w := run(false, 0); w.eng.System(w.now).Stratum != 0 || w.wrong().Abs() < time.Hour {
		t.Errorf("without trust: wrong by %v, %+v; want a clock that waits", w.wrong(), w.eng.System(w.now))
	}
	if w := run(true, 0); w.eng.System(w.now).Stratum != 1 || w.wrong().Abs() > 20*time.Microsecond || w.count(event.NoticeTrusted) != 1 {
		t.Errorf("trusted: wrong by %v, %+v", w.wrong(), w.eng.System(w.now))
	}
	// A receiver whose weeks have rolled over tells a time 1024 weeks ago.
	if w := run(true, -1024*7*24*time.Hour); w.eng.System(w.now).Stratum != 0 || !strings.Contains(w.source(0).Why, "before the earliest") {
		t.Errorf("rolled over: %+v, %q", w.eng.System(w.now), w.source(0).Why)
	}
}

// TestReferenceReload: what did not change keeps its samples, the rest is closed
// and opened anew.
func TestReferenceReload(t *testing.T) {
	w := newWorld(t, 50, 0)
	w.gps("GPS", 0, time.Microsecond)
	w.gps("OLD", 0, time.Microsecond)
	cfg := with(refSource(refdata.SHM, "GPS"), refSource(refdata.SHM, "OLD"))
	w.start(cfg)
	w.run(10 * time.Minute)
	id := w.source(0).ID
	next := with(refSource(refdata.SHM, "GPS"), refSource(refdata.SHM, "OLD"))
	next.Sources[1].Ref.Offset = clock.Offset(time.Millisecond)
	w.perform(w.eng.HandleConfig(w.now, next, nil))
	w.run(time.Minute)
	if s := w.source(0); s.ID != id || s.Reach != 0xff || w.closed != 1 || w.source(1).Reach == 0 {
		t.Errorf("kept %v, reach %o and %o, %d closed; want the changed one new", s.ID == id, s.Reach, w.source(1).Reach, w.closed)
	}
	reads := w.reads
	out, err := w.eng.HandleCommand(w.now, event.Command{Kind: event.CommandOffline}, nil)
	w.perform(out)
	w.run(time.Minute)
	if err != nil || w.reads > reads+2 || w.source(0).Online {
		t.Errorf("offline: %v, %d readings", err, w.reads-reads)
	}
	out, _ = w.eng.HandleCommand(w.now, event.Command{Kind: event.CommandOnline}, nil)
	w.perform(out)
	w.run(time.Minute)
	if s := w.source(0); !s.Online || s.Reach&7 != 7 {
		t.Errorf("online again: reach %o", s.Reach)
	}
	w.perform(w.eng.HandleConfig(w.now, with(plainSource("a.test")), nil))
	if w.closed != 3 {
		t.Errorf("%d closed in all, want 3", w.closed)
	}
}

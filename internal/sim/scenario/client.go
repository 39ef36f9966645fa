package scenario

import (
	"ntsd/internal/clock"
	"ntsd/internal/discipline"
	"ntsd/internal/engine"
	"ntsd/internal/selection"
	"ntsd/internal/sim"
)

// client reads a line about the machine under test.
func (b *builder) client(w *words) {
	c := &b.world.Client
	switch key := w.next("what of the client"); key {
	case "offset":
		b.world.WallError = clock.Offset(w.duration(key))
	case "frequency":
		b.world.Oscillator = w.frequency()
	case "resolution":
		c.Resolution = w.positive(key)
	case "stamps":
		if word := w.next("daemon"); word != "daemon" {
			w.fail("stamps: got %q, want daemon", word)
		}
		c.DaemonStamps = true
	case "latency":
		c.Latency = w.delay()
	case "sleeps":
		b.sleep(w)
	case "set":
		at := w.instant("time")
		if !w.skip("by") {
			w.fail("set: by is missing")
		}
		c.Sets = append(c.Sets, sim.Set{At: at, By: clock.Offset(w.duration("by"))})
	case "offline":
		c.Offline = append(c.Offline, w.span())
	case "roams":
		c.Roams = append(c.Roams, w.instant(key))
	default:
		b.policy(key, w)
	}
	if len(c.Sets)+len(c.Offline)+len(c.Roams)+len(c.Suspends) > maxEvents {
		w.fail("too many events")
	}
}

// sleep reads a suspend; the oscillator's seconds are whole, so it is, too.
func (b *builder) sleep(w *words) {
	at := w.span()
	s := sim.Suspend{At: at.From, Until: at.Until}
	if at.Period != 0 || s.At%second != 0 || s.Until%second != 0 || s.Until == 0 {
		w.fail("sleeps: want from and until, in whole seconds")
	}
	switch {
	case w.skip("frozen"):
		s.Frozen = true
	case w.skip("wrong"):
		s.Wrong = clock.Offset(w.duration("wrong"))
	}
	b.world.Client.Suspends = append(b.world.Client.Suspends, s)
}

// policy reads a line of the client's configuration.
func (b *builder) policy(key string, w *words) {
	cfg := &b.world.Engine
	switch key {
	case "makestep":
		if w.skip("never") {
			cfg.MakeStep = engine.MakeStep{}
			return
		}
		cfg.MakeStep.Threshold = w.positive("threshold")
		cfg.MakeStep.Limit = w.integer("limit", -1, 1000)
	case "leapmode":
		mode, known := map[string]discipline.LeapMode{
			"system": discipline.LeapSystem, "step": discipline.LeapStep, "slew": discipline.LeapSlew,
		}[w.next(key)]
		if !known {
			w.fail("leapmode: want system, step or slew")
		}
		cfg.LeapMode = mode
	case "maxslew":
		cfg.MaxSlew = w.rate(key)
	case "drift":
		cfg.DriftKnown, cfg.Drift = true, w.rate(key)
		if !w.skip("skew") {
			w.fail("drift: skew is missing")
		}
		cfg.DriftSkew = w.rate("skew")
	case "authselect":
		mode, known := map[string]selection.AuthMode{
			"mix": selection.AuthMix, "require": selection.AuthRequire,
			"prefer": selection.AuthPrefer, "ignore": selection.AuthIgnore,
		}[w.next(key)]
		if !known {
			w.fail("authselect: want mix, require, prefer or ignore")
		}
		cfg.Selection.AuthMode = mode
	case "minsources":
		cfg.Selection.MinSources = w.integer(key, 1, maxServers)
	case "maxdistance":
		cfg.Selection.MaxDistance = w.positive(key)
	default:
		w.fail("unknown directive %q of the client", key)
	}
}

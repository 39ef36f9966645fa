package assoc

import (
	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/filter"
	"ntsd/internal/wire"
)

// Reference is what a poll interval of a reference clock came to.
type Reference struct {
	Reached bool   // it said anything that counts
	OK      bool   // Sample and Leap are set
	Problem string // why not, in words
	Sample  filter.Sample
	Leap    wire.Leap
	Stratum uint8 // of the clock: 0 for one of its own
}

// NewReference returns an association with a reference clock. It asks nothing:
// HandleReference tells it.
func NewReference(cfg Config, env *Env, now clock.Reading) *Assoc {
	offline := cfg.Offline
	cfg.Offline, cfg.IBurst, cfg.NTS = true, false, false
	a := New(cfg, env, now)
	a.reference, a.online = true, !offline
	return a
}

// HandleReference takes the outcome of a poll interval.
func (a *Assoc) HandleReference(now clock.Reading, r Reference, out []event.Action) ([]event.Action, Verdict) {
	if !a.online {
		return out, VerdictStale
	}
	a.request.id++ // so that the reach register belongs to polls
	a.counters.sent++
	if !r.Reached {
		why := r.Problem
		if why == "" {
			why = "it says nothing"
		}
		return a.miss(why, out), VerdictStale
	}
	a.counters.received++
	if r.OK && a.env.Bounds.On && r.Sample.True.Before(a.env.Bounds.Floor) {
		return a.miss(VerdictFloor.String(), out), VerdictFloor
	}
	out = a.hit(out)
	if !r.OK {
		a.problem = r.Problem
		return out, VerdictStale
	}
	s := r.Sample
	s.Dispersion += a.env.Resolution
	wall := now.Wall.Add(s.At.Sub(now.Mono))
	a.last = Exchange{
		Valid: true, Offset: s.True.Sub(wall), Delay: s.Delay, Dispersion: s.Dispersion,
		Header: wire.Header{
			Version: wire.Version, Mode: wire.ModeServer, Leap: r.Leap, Stratum: r.Stratum, Poll: a.poll,
			ReferenceID: ReferenceID(a.cfg.Addr),
		},
		Tests: [3]uint16{7, 7, 15}, Sent: event.StampKernel, Received: event.StampKernel,
	}
	a.counters.valid++
	a.counters.good++
	accepted := a.filter.Update(s)
	a.sampled = a.sampled || accepted
	if !accepted {
		return out, VerdictOutlier
	}
	a.sample, a.measured, a.lastRx = s, a.last.Offset, now.Mono
	a.bound = s.Delay/2 + s.Dispersion
	return out, VerdictAccepted
}

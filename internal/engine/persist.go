package engine

import (
	"net/netip"
	"slices"

	"ntsd/internal/bootstrap"
	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/nts"
	"ntsd/internal/sources"
)

// driftWorth is a drift that is known too badly to be kept.
const driftWorth clock.Rate = 10e-6

// trusted reports whether the time may be believed after a reboot: a liar must
// not poison the next one.
func (e *Engine) trusted() bool {
	if !e.sync.on || e.cfg.OneShot {
		return false
	}
	return e.sync.strict || !slices.ContainsFunc(e.sources.All, func(s *sources.Source) bool { return s.Cfg.NTS })
}

// vouched reports whether a server with strict keys is among those that agree;
// a near plain one may be followed all the same.
func (e *Engine) vouched() bool {
	for i, m := range e.selector.members {
		if e.selector.result.States[i].Agrees() && m.Assoc.Authenticated() && m.Assoc.Strict() {
			return true
		}
	}
	return false
}

func (e *Engine) flashDeadline() clock.Mono {
	if !e.trusted() {
		return clock.Never
	}
	return e.flash.NextDeadline()
}

// keep writes the flash when that is due.
func (e *Engine) keep(now clock.Reading, out []event.Action) []event.Action {
	if !e.trusted() || !e.flash.Due(now, e.believed(now), e.reserving() && e.reserve.Low()) {
		return out
	}
	return e.persist(now, out)
}

// reserving reports whether cookies are set aside.
func (e *Engine) reserving() bool { return e.ladder.Phase() == bootstrap.PhaseDone }

// persist writes what a boot needs, if the time is trusted.
func (e *Engine) persist(now clock.Reading, out []event.Action) []event.Action {
	if !e.flash.On() || !e.trusted() {
		return out
	}
	p := event.Persist{State: e.bootState(now)}
	if e.reserving() && (e.flash.Old(p.State.Time) || e.reserve.Low()) {
		out, p.Reserve = e.setAside(now, out)
		p.Fill = true
	}
	e.flash.Written(now, &p)
	return append(out, p)
}

// bootState gathers what survives a reboot.
func (e *Engine) bootState(now clock.Reading) event.Boot {
	st, old := e.clock.Stats(), e.flash.Holds()
	b := event.Boot{
		Time: e.believed(now), TimeError: e.clock.RootDelay()/2 + e.clock.RootDispersion(now) - e.clock.Correction(now).Abs(),
		Rate: old.Rate, Skew: old.Skew, RateKnown: old.RateKnown,
		Hosts: e.sources.Found.List(), Backoffs: e.backoffs(now),
	}
	if st.Updates > 0 && st.Skew <= driftWorth {
		b.Rate, b.Skew, b.RateKnown = st.Frequency, st.Skew, true
	}
	return b
}

// backoffs lists the servers of keys that are to be left alone.
func (e *Engine) backoffs(now clock.Reading) (all []event.Backoff) {
	add := func(server netip.AddrPort, failures int, notBefore clock.Mono) {
		if failures > 0 && notBefore > now.Mono {
			all = append(all, event.Backoff{
				Addr: server.Addr(), Port: server.Port(), Failures: failures,
				NotBefore: e.believed(now).Add(notBefore.Sub(now.Mono)),
			})
		}
	}
	for _, m := range e.sources.Members() {
		if b, s := m.Assoc.Backoff(), &m.Source.Cfg; s.NTS {
			add(netip.AddrPortFrom(m.Assoc.SourceAddr(), s.NTSPort), b.Failures, b.NotBefore)
		}
	}
	for _, b := range e.sources.Memory.Backoffs() {
		add(b.Server, b.State.Failures, b.State.NotBefore)
	}
	return all
}

// setAside takes cookies out of use for the next boot, and returns all that
// the flash should hold.
func (e *Engine) setAside(now clock.Reading, out []event.Action) ([]event.Action, []nts.Session) {
	at := e.believed(now)
	valid := func(r *nts.Session) bool {
		return e.reserved(r) != nil && r.Strict && !at.Before(r.NotBefore) && !r.NotAfter.Before(at)
	}
	var fresh []nts.Session
	for _, s := range e.sources.All {
		if !voter(s) {
			continue
		}
		for _, m := range s.Members {
			session, known := m.Assoc.Session()
			if !known || !m.Assoc.Strict() || !valid(&session) || !session.NTPAddr.Addr().IsValid() {
				continue
			}
			var ok bool
			if out, session, ok = m.Assoc.SetAside(bootstrap.Spare, out); ok {
				fresh = append(fresh, session)
			}
		}
	}
	return out, e.reserve.Fill(fresh, valid)
}

package engine

import (
	"net/netip"
	"slices"
	"time"

	"ntsd/internal/bootstrap"
	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/nts"
	"ntsd/internal/selection"
)

// Implementation constants of what is written to flash.
const (
	// keepEvery is the time between two writes of a running daemon.
	keepEvery = 24 * time.Hour
	// keepSoon is how long the first write after the start waits for the keys
	// of all servers.
	keepSoon = 5 * time.Second
	// keepApart is the least age of a reserve that is filled again at the stop:
	// the flash is worth more than cookies that are an hour younger.
	keepApart = time.Hour
	// driftWorth is a drift that is known too badly to be kept.
	driftWorth clock.Rate = 10e-6
)

// keeper decides when the flash is written.
type keeper struct {
	on      bool // there is flash
	boot    event.Boot
	reserve []nts.Session // until the start
	next    clock.Mono    // Never until the time was trusted
	filled  clock.Wall    // when the reserve was written, at the latest
}

// trusted reports whether the time may be believed after a reboot: a liar must
// not poison the next one.
func (e *Engine) trusted() bool {
	if !e.sync.on || e.cfg.OneShot {
		return false
	}
	return e.sync.strict || !slices.ContainsFunc(e.sources, func(s *source) bool { return s.cfg.NTS })
}

// vouched reports whether a server with strict keys is among those that agree;
// a near plain one may be followed all the same.
func (e *Engine) vouched() bool {
	for i, m := range e.selector.members {
		switch e.selector.result.States[i] {
		case selection.StateSelected, selection.StateCombined, selection.StateUnused, selection.StateOutlier:
			if m.assoc.Authenticated() && m.assoc.Strict() {
				return true
			}
		}
	}
	return false
}

func (e *Engine) keeperDeadline() clock.Mono {
	if !e.keeper.on || !e.trusted() {
		return clock.Never
	}
	return e.keeper.next
}

// keep writes the flash when that is due: after the first synchronisation if
// it holds nothing of use, then once a day.
func (e *Engine) keep(now clock.Reading, out []event.Action) []event.Action {
	k := &e.keeper
	if !k.on || !e.trusted() {
		return out
	}
	if k.next == clock.Never {
		k.next = now.Mono.Add(keepEvery)
		age := e.believed(now).Sub(k.boot.Time).Duration()
		if k.boot.Time == 0 || age > keepEvery || e.reserving() && e.reserve.Low() {
			k.next = now.Mono.Add(keepSoon)
		}
	}
	if now.Mono < k.next {
		return out
	}
	return e.persist(now, out)
}

// reserving reports whether cookies are set aside.
func (e *Engine) reserving() bool { return e.ladder.Phase() == bootstrap.PhaseDone }

// persist writes what a boot needs, if the time is trusted.
func (e *Engine) persist(now clock.Reading, out []event.Action) []event.Action {
	k := &e.keeper
	if !k.on || !e.trusted() {
		return out
	}
	k.next = now.Mono.Add(keepEvery)
	p := event.Persist{State: e.bootState(now)}
	if old := p.State.Time.Sub(k.filled).Duration() >= keepApart; e.reserving() && (old || e.reserve.Low()) {
		out, p.Reserve = e.setAside(now, out)
		p.Fill, k.filled = true, p.State.Time
	}
	k.boot = p.State
	return append(out, p)
}

// bootState gathers what survives a reboot.
func (e *Engine) bootState(now clock.Reading) event.Boot {
	st := e.clock.Stats()
	b := event.Boot{
		Time: e.believed(now), TimeError: e.clock.RootDelay()/2 + e.clock.RootDispersion(now) - e.clock.Correction(now).Abs(),
		Rate: e.keeper.boot.Rate, Skew: e.keeper.boot.Skew, RateKnown: e.keeper.boot.RateKnown,
		Hosts: e.found.List(), Backoffs: e.backoffs(now),
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
	for _, s := range e.sources {
		for _, m := range s.members {
			if b := m.assoc.Backoff(); s.cfg.NTS {
				add(netip.AddrPortFrom(m.assoc.SourceAddr(), s.cfg.NTSPort), b.Failures, b.NotBefore)
			}
		}
	}
	for _, b := range e.memory.Backoffs() {
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
	for _, s := range e.sources {
		if !s.voter() {
			continue
		}
		for _, m := range s.members {
			session, known := m.assoc.Session()
			if !known || !m.assoc.Strict() || !valid(&session) || !session.NTPAddr.Addr().IsValid() {
				continue
			}
			var ok bool
			if out, session, ok = m.assoc.SetAside(bootstrap.Spare, out); ok {
				fresh = append(fresh, session)
			}
		}
	}
	return out, e.reserve.Fill(fresh, valid)
}

package assoc

import (
	"net/netip"
	"time"

	"ntsd/internal/backoff"
	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/nts"
)

// defaultNTPPort is the port of NTP where no other was negotiated.
const defaultNTPPort = 123

// Implementation constants.
const (
	// keGrace is how long the poll of old cookies waits for a key
	// establishment that has just begun.
	keGrace = 5 * time.Second
	// keLost is when an outcome that the world owes us is given up.
	keLost = 2 * time.Minute
)

// establishment is the state of NTS key establishment with one server.
type establishment struct {
	running bool
	attempt uint64
	started clock.Mono
	backoff backoff.State

	reason   string // of the last failure, "" after a success
	attempts int    // since the last success
	runs     uint64 // successful
	last     clock.Mono
	known    bool // last is meaningful
	info     event.KEInfo
}

// deadline is when to look again: the next attempt, or the end of patience.
func (k *establishment) deadline() clock.Mono {
	if k.running {
		return k.started.Add(keLost)
	}
	return k.backoff.NotBefore
}

// keepDistance keeps the least interval after a good key establishment as well,
// where nothing but loss has used up its cookies: at sub-second polls that
// takes no time.
func (k *establishment) keepDistance() {
	if k.attempt > 0 {
		k.backoff.NotBefore = max(k.backoff.NotBefore, k.started.Add(backoff.Least))
	}
}

// startKE begins a key establishment unless one is running or it is too soon.
func (a *Assoc) startKE(now clock.Reading, out []event.Action) (_ []event.Action, started bool) {
	k := &a.ke
	if k.running && now.Mono >= k.started.Add(keLost) {
		k.running = false
	}
	if k.running || now.Mono < k.backoff.NotBefore {
		return out, false
	}
	k.running, k.started = true, now.Mono
	k.attempt++
	k.attempts++
	k.backoff.Begin(now, a.randomBelow)
	out = a.saveBackoff(now, out)
	return append(out, event.StartKE{
		Source: a.cfg.ID, Attempt: k.attempt, Name: a.cfg.Name, Addr: a.cfg.Addr, Port: a.cfg.KEPort,
		AEADs: a.offered(), TrustedCerts: a.cfg.TrustedCerts, NoVal: a.cfg.NoVal, Verify: a.env.Verify,
	}), true
}

// HandleKEDone takes the outcome of a key establishment.
func (a *Assoc) HandleKEDone(now clock.Reading, ev event.KEDone, out []event.Action) []event.Action {
	k := &a.ke
	if !k.running || ev.Attempt != k.attempt {
		return out
	}
	k.running = false
	if ev.Failure == nts.FailureNone {
		if err := a.adopt(ev); err != nil {
			ev.Failure, ev.Reason = nts.FailureProtocol, err.Error()
		}
	}
	a.env.NTS.Count(ev.Failure)
	if ev.Failure != nts.FailureNone {
		return a.keFailed(now, ev, out)
	}
	k.reason, k.attempts = "", 0
	k.backoff.Established(now, a.randomBelow)
	out = a.saveBackoff(now, out)
	k.runs++
	k.last, k.known, k.info = now.Mono, true, ev.Info
	a.keys.since = now.Mono.Add(-a.randomBelow(keyLifetime / 16))
	n := a.notice(event.NoticeKEDone, "")
	n.KE, n.AEAD, n.Count, n.Length = &ev.Info, ev.Session.AEAD.String(), len(a.keys.session.Cookies), a.keys.cookieLen
	out = append(out, n)
	if a.ntpHost == "" {
		out = a.Save(out)
		if a.online {
			a.nextPoll = now.Mono
		}
	}
	return out
}

// adopt takes the new session into use. What it must agree on with the request
// is not taken from the world's word.
func (a *Assoc) adopt(ev event.KEDone) error {
	s := ev.Session
	s.KEName, s.KEAddr, s.KEPort = a.cfg.Name, a.cfg.Addr, a.cfg.KEPort
	if err := a.install(s); err != nil {
		return err
	}
	a.ntpHost = ev.NTPHost
	if a.ntpHost != "" {
		return nil
	}
	to := s.NTPAddr
	if !to.Addr().IsValid() {
		// RFC 8915 §4.1.7: without negotiation it is the address of the key
		// establishment, not what the name means now.
		to = netip.AddrPortFrom(a.cfg.Addr, to.Port())
	}
	if p := to.Port(); (p == 0 || p == defaultNTPPort) && a.cfg.Port != 0 {
		to = netip.AddrPortFrom(to.Addr(), a.cfg.Port)
	}
	a.keys.session.NTPAddr = to
	a.moveTo(to)
	return nil
}

// keFailed waits longer than the last time, and says so once per reason.
func (a *Assoc) keFailed(now clock.Reading, ev event.KEDone, out []event.Action) []event.Action {
	k := &a.ke
	k.backoff.Failed(now, ev.Failure, ev.NoRoute && a.env.Bounds.On, a.randomBelow)
	out = a.saveBackoff(now, out)
	k.reason = ev.Reason
	if k.backoff.Told != ev.Reason {
		k.backoff.Told = ev.Reason
		out = append(out, a.notice(event.NoticeKEFailed, ev.Reason))
	}
	if a.online && len(a.keys.session.Cookies) == 0 {
		a.nextPoll = k.backoff.NotBefore
	}
	return out
}

// settleKE ends the backoff after an authenticated reply under keys from a
// key establishment of ours.
func (a *Assoc) settleKE(out []event.Action) []event.Action {
	k := &a.ke
	if !k.running && k.reason == "" && k.backoff.Used() {
		out = append(out, event.SaveBackoff{Addr: a.cfg.Addr, Port: a.cfg.KEPort})
	}
	return out
}

func (a *Assoc) saveBackoff(now clock.Reading, out []event.Action) []event.Action {
	return append(out, a.ke.backoff.Save(now, netip.AddrPortFrom(a.cfg.Addr, a.cfg.KEPort)))
}

// Backoff is what a later association with the same server must know.
func (a *Assoc) Backoff() backoff.State { return a.ke.backoff }

// RestoreBackoff takes over an earlier association's backoff.
func (a *Assoc) RestoreBackoff(now clock.Reading, b backoff.State) {
	a.ke.backoff.Restore(now, b, a.randomBelow)
}

// HandleStep tells that the clock was stepped: certificates that were refused
// for their dates may be good now. Only their backoff ends.
func (a *Assoc) HandleStep(now clock.Reading) {
	if a.ke.backoff.HandleStep(now) {
		a.retryKE(now)
	}
}

// retryKE polls where the keys are what it waits for: they may be had now.
func (a *Assoc) retryKE(now clock.Reading) {
	if a.online && a.cfg.NTS && len(a.keys.session.Cookies) == 0 {
		a.nextPoll = now.Mono
	}
}

// KEFailed reports whether there are no keys because key establishment failed:
// another address may do better.
func (a *Assoc) KEFailed() bool {
	return a.cfg.NTS && !a.ke.running && a.ke.reason != "" && len(a.keys.session.Cookies) == 0
}

package assoc

import (
	"net/netip"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/nts"
)

// Specification constants (RFC 8915 section 4.2).
const (
	keBackoffMin = 10 * time.Second   // "initial and minimum retry interval of 10 seconds"
	keBackoffMax = 5 * 24 * time.Hour // "a maximum retry interval of 5 days"

	defaultNTPPort = 123
)

// Implementation constants.
const (
	// keNetworkMax bounds the wait after failures that cost the server
	// nothing: no route, refused, no answer.
	keNetworkMax = 15 * time.Minute
	// keNoRoute is the wait after one that did not leave a machine that knows no
	// time yet.
	keNoRoute = 2 * time.Second
	// keGrace is how long the poll of old cookies waits for a key
	// establishment that has just begun.
	keGrace = 5 * time.Second
	// keCrashMax bounds the wait after a key establishment that a crash or a
	// power cut interrupted.
	keCrashMax = time.Hour
	// keLost is when an outcome that the world owes us is given up.
	keLost = 2 * time.Minute
	// maxKEFailures is where the interval has long reached its bound.
	maxKEFailures = 64
)

// establishment is the state of NTS key establishment with one server.
type establishment struct {
	running   bool
	attempt   uint64
	started   clock.Mono
	notBefore clock.Mono // of the next one

	failures int // attempts since the last authenticated reply
	network  int // those in a row, not among failures, that reached no server
	saved    bool
	class    nts.FailureClass
	reason   string // of the last failure, "" after a success
	told     string // the reason that people know
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
	return k.notBefore
}

// keepDistance keeps the least interval after a good key establishment as well,
// where nothing but loss has used up its cookies: at sub-second polls that
// takes no time.
func (k *establishment) keepDistance() {
	if k.attempt > 0 {
		k.notBefore = max(k.notBefore, k.started.Add(keBackoffMin))
	}
}

// startKE begins a key establishment unless one is running or it is too soon.
func (a *Assoc) startKE(now clock.Reading, out []event.Action) (_ []event.Action, started bool) {
	k := &a.ke
	if k.running && now.Mono >= k.started.Add(keLost) {
		k.running = false
	}
	if k.running || now.Mono < k.notBefore {
		return out, false
	}
	k.running, k.started = true, now.Mono
	k.attempt++
	k.attempts++
	// RFC 8915 §4.2: "MUST NOT reset the retry interval until they have
	// performed a successful key establishment [...] followed by a successful
	// use": the attempt counts as failed until then. It is saved first: a daemon that crashes while
	// establishing keys must not hammer the server.
	k.failures = min(k.failures+1, maxKEFailures)
	k.notBefore = now.Mono.Add(min(a.backoff(nts.FailureNone), keCrashMax))
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
	k.reason, k.told, k.class, k.attempts, k.network = "", "", nts.FailureNone, 0, 0
	k.notBefore = now.Mono.Add(a.backoff(k.class))
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
	k.class = ev.Failure
	if k.class == nts.FailureNetwork {
		k.failures, k.network = max(0, k.failures-1), min(k.network+1, maxKEFailures)
	} else {
		k.network = 0
	}
	k.notBefore = now.Mono.Add(a.backoff(k.class))
	if ev.NoRoute && a.env.Bounds.On && k.network < maxKEFailures {
		// A router that boots has no time until its line is up, and asking its
		// own kernel costs nobody anything.
		k.notBefore = min(k.notBefore, now.Mono.Add(keNoRoute))
	}
	out = a.saveBackoff(now, out)
	k.reason = ev.Reason
	if k.told != ev.Reason {
		k.told = ev.Reason
		out = append(out, a.notice(event.NoticeKEFailed, ev.Reason))
	}
	if a.online && len(a.keys.session.Cookies) == 0 {
		a.nextPoll = k.notBefore
	}
	return out
}

// settleKE ends the backoff after an authenticated reply under keys from a
// key establishment of ours.
func (a *Assoc) settleKE(out []event.Action) []event.Action {
	k := &a.ke
	if k.running || k.reason != "" || k.failures == 0 && !k.saved {
		return out
	}
	k.failures, k.notBefore = 0, 0
	if k.saved {
		k.saved = false
		out = append(out, event.SaveBackoff{Addr: a.cfg.Addr, Port: a.cfg.KEPort})
	}
	return out
}

// backoff returns the wait after so many failures.
// RFC 8915 §4.2: "t = min(10 * 1.5^(n-1), 432000)" is the least for the nth
// retry, so the jitter only adds.
func (a *Assoc) backoff(class nts.FailureClass) time.Duration {
	n, limit := a.ke.failures, keBackoffMax
	if class == nts.FailureNetwork {
		n, limit = a.ke.network, keNetworkMax
	}
	d := keBackoffMin
	for range n - 1 {
		if d = d * 3 / 2; d >= limit {
			d = limit
			break
		}
	}
	return min(d+a.randomBelow(d/8), keBackoffMax)
}

func (a *Assoc) saveBackoff(now clock.Reading, out []event.Action) []event.Action {
	a.ke.saved = true
	return append(out, event.SaveBackoff{
		Addr: a.cfg.Addr, Port: a.cfg.KEPort, Failures: max(1, a.ke.failures),
		NotBefore: now.Wall.Add(a.ke.notBefore.Sub(now.Mono)),
	})
}

// Backoff is what a later association with the same server must know.
type Backoff struct {
	Failures  int
	Network   int // attempts in a row that reached no server
	NotBefore clock.Mono
	Class     nts.FailureClass
	Saved     bool
	Told      string // the reason that people know already
}

// Backoff returns the state of the backoff.
func (a *Assoc) Backoff() Backoff {
	k := &a.ke
	return Backoff{Failures: k.failures, Network: k.network, NotBefore: k.notBefore, Class: k.class, Saved: k.saved, Told: k.told}
}

// RestoreBackoff takes over an earlier association's backoff. However wrong
// the clock was that it was saved under, the wait is no longer than the
// failures call for.
func (a *Assoc) RestoreBackoff(now clock.Reading, b Backoff) {
	k := &a.ke
	k.failures, k.class = min(max(b.Failures, 0), maxKEFailures), b.Class
	k.saved, k.told, k.network = b.Saved, b.Told, b.Network
	if k.failures > 0 || k.network > 0 {
		k.notBefore = min(b.NotBefore, now.Mono.Add(a.backoff(k.class)))
	}
}

// HandleStep tells that the clock was stepped: certificates that were refused
// for their dates may be good now. Only their backoff ends.
func (a *Assoc) HandleStep(now clock.Reading) {
	if a.ke.class == nts.FailureCertificate {
		a.ke.failures = 0
		a.retryKE(now)
	}
}

// forgiveNetwork ends the backoff of failures that a new link may cure.
func (a *Assoc) forgiveNetwork(now clock.Reading) {
	if a.ke.class == nts.FailureNetwork {
		a.ke.network = 0
		a.retryKE(now)
	}
}

// retryKE allows a key establishment now.
func (a *Assoc) retryKE(now clock.Reading) {
	a.ke.notBefore, a.ke.class = now.Mono, nts.FailureNone
	if a.online && a.cfg.NTS && len(a.keys.session.Cookies) == 0 {
		a.nextPoll = now.Mono
	}
}

// KEFailed reports whether there are no keys because key establishment failed:
// another address may do better.
func (a *Assoc) KEFailed() bool {
	return a.cfg.NTS && !a.ke.running && a.ke.reason != "" && len(a.keys.session.Cookies) == 0
}

package assoc

import (
	"slices"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/nts"
)

// Bounds are what an authenticated reply may say while the time is not known
// (bootstrap). The zero value bounds nothing.
type Bounds struct {
	On      bool
	Floor   clock.Wall    // a time that has certainly passed
	MaxTrip time.Duration // of a reply that may place the clock
}

// trust is what stands behind a request: under which certificates its keys
// were established.
type trust struct {
	strict              bool
	notBefore, notAfter clock.Wall
}

func trustOf(s *nts.Session) trust { return trust{s.Strict, s.NotBefore, s.NotAfter} }

// outOfBounds judges the time of an authenticated reply while no time is
// trusted. RFC 8915 section 8.5 recommends to hold it against the validity of
// the certificates.
func (a *Assoc) outOfBounds(at clock.Wall, trip time.Duration) Verdict {
	b, t := &a.env.Bounds, &a.request.trust
	switch {
	case a.cfg.NTS && t.strict != a.keys.session.Strict:
		return VerdictStale // from before the certificates were judged
	case !b.On || !a.cfg.NTS || a.cfg.NoVal:
	case at.Before(b.Floor):
		return VerdictFloor
	case at.Before(t.notBefore) || t.notAfter.Before(at):
		return VerdictValidity
	case trip > b.MaxTrip:
		return VerdictTrip
	}
	return VerdictAccepted
}

// distrust draws the conclusion of a reply out of bounds: keys that an earlier
// run saved have outlived their certificates, others may have been renewed
// after as many polls as kill an address.
func (a *Assoc) distrust(v Verdict, now clock.Reading, out []event.Action) []event.Action {
	k := &a.keys
	switch {
	case v == VerdictTrip || v == VerdictStale || a.request.gen != k.gen:
	case k.restored:
		k.refused = true
		a.nextPoll = now.Mono
	case a.missed%lostPolls == lostPolls-1:
		k.rekey = true
	}
	return out
}

// Strict reports whether the last sample is authenticated by keys whose
// certificates were judged at a trusted time.
func (a *Assoc) Strict() bool { return a.sampled && a.trust.strict }

// Validity is what the chain behind the last sample shares.
func (a *Assoc) Validity() (notBefore, notAfter clock.Wall) {
	return a.trust.notBefore, a.trust.notAfter
}

// OnTrial reports whether the keys in use come from certificates that were not
// judged at a trusted time.
func (a *Assoc) OnTrial() bool { return a.Certified() && a.keys.valid && !a.keys.session.Strict }

// TakeOver is Restore for an association that runs already, and has no keys.
func (a *Assoc) TakeOver(now clock.Reading, s nts.Session) {
	if len(a.keys.session.Cookies) == 0 && a.Restore(now, s) && a.online {
		a.nextPoll = now.Mono
	}
}

// Revoke forgets keys that were used on trial, and what was measured with
// them.
func (a *Assoc) Revoke(out []event.Action) []event.Action {
	out = a.closeSocket(out)
	a.request.answered = true
	a.keys = keys{gen: a.keys.gen + 1, naks: a.keys.naks}
	a.forgetSamples()
	a.reach = 0
	if a.online {
		a.nextPoll = a.ke.deadline()
	}
	return append(out, event.DropSession{Addr: a.cfg.Addr, Port: a.cfg.KEPort})
}

// forgetSamples begins to measure anew.
func (a *Assoc) forgetSamples() {
	a.filter.Reset()
	a.ahead, a.batch = ahead{}, batch{}
	a.sampled, a.doubtful, a.trust = false, false, trust{}
}

// SetAside takes up to n cookies out of use, as long as others are left, and
// returns a session that has them alone. What stays is saved first: no cookie
// is ever in two files.
func (a *Assoc) SetAside(n int, out []event.Action) (_ []event.Action, s nts.Session, ok bool) {
	k := &a.keys
	if n = min(n, len(k.session.Cookies)-1); n <= 0 || !k.valid {
		return out, s, false
	}
	s = k.session
	rest := len(s.Cookies) - n
	s.Cookies = slices.Clone(s.Cookies[rest:])
	k.session.Cookies = k.session.Cookies[:rest:rest]
	return append(out, event.SaveSession{Session: k.session}), s, true
}

// unspend takes back the cookie of a request that did not leave.
func (a *Assoc) unspend() {
	rq, k := &a.request, &a.keys
	if rq.cookie == nil || rq.gen != k.gen {
		return
	}
	k.session.Cookies = slices.Insert(slices.Clone(k.session.Cookies), 0, rq.cookie)
	rq.cookie = nil
}

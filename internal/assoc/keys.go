package assoc

import (
	"fmt"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/nts"
	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

// keys are the session in use: the zero value is none.
type keys struct {
	session   nts.Session
	valid     bool
	gen       uint32 // grows with each session
	c2s, s2c  siv.AEAD
	proven    bool // a reply verified under it
	naked     bool // a NAK came to the last request and no valid reply since
	refused   bool // and was confirmed at the next poll
	restored  bool // saved by an earlier run
	rekey     bool // the operator wants new keys
	naks      int  // over the life of the association
	cookieLen int
	since     clock.Mono // when the keys were established
}

// keyLifetime is when keys are replaced though they work: chrony's default.
// RFC 8915 §4.2 asks for none; it bounds what a stolen key is good for.
const keyLifetime = 28 * 24 * time.Hour

// install takes a session into use.
func (a *Assoc) install(s nts.Session) error {
	k := &a.keys
	c2s, err := siv.New(s.AEAD, s.C2S)
	if err != nil {
		return fmt.Errorf("assoc: key to the server: %w", err)
	}
	s2c, err := siv.New(s.AEAD, s.S2C)
	if err != nil {
		return fmt.Errorf("assoc: key from the server: %w", err)
	}
	s.Cookies = s.Cookies[:min(len(s.Cookies), nts.MaxCookies)]
	if k.valid && k.session.Strict != s.Strict {
		// What was measured on trial says nothing about the trusted server.
		a.forgetSamples()
	}
	*k = keys{session: s, valid: true, gen: k.gen + 1, c2s: c2s, s2c: s2c, naks: k.naks}
	if len(s.Cookies) > 0 {
		k.cookieLen = len(s.Cookies[0])
	}
	return nil
}

// Restore takes a saved session into use in place of a key establishment. The
// caller has matched it by name, address and port; false: it is of no use.
func (a *Assoc) Restore(now clock.Reading, s nts.Session) bool {
	if !s.NTPAddr.IsValid() || len(s.Cookies) == 0 || a.install(s) != nil {
		return false
	}
	a.keys.restored = true
	a.moveTo(s.NTPAddr)
	// A random part of the lifetime is taken to be over: routers that got
	// their power back together do not ask for keys together.
	a.keys.since = now.Mono.Add(-a.randomBelow(keyLifetime / 4))
	// The age is worth telling only if the clock makes it one.
	if age := now.Wall.Sub(s.Established); age >= 0 && s.Established != 0 {
		a.ke.last, a.ke.known = now.Mono.Add(-age.Duration()), true
	}
	return true
}

// appendNTS spends a cookie on a request with n placeholders. The session is
// saved without it before the request leaves, so no crash can spend it twice.
func (a *Assoc) appendNTS(hdr wire.Header, n int, out []event.Action) ([]byte, []event.Action) {
	k, rq := &a.keys, &a.request
	cookie, ok := k.session.TakeCookie()
	if !ok {
		panic("assoc: request without a cookie")
	}
	a.random(rq.uid[:])
	rq.s2c, rq.gen, rq.cookie, rq.trust = k.s2c, k.gen, cookie, trustOf(&k.session)
	nonce := make([]byte, k.session.AEAD.NonceSize())
	a.random(nonce)
	out = append(out, event.SaveSession{Session: k.session})
	return nts.AppendClientRequest(nil, hdr, rq.uid, cookie, n, k.c2s, nonce), out
}

// authenticated notes a reply that verified.
func (a *Assoc) authenticated(fresh [][]byte, out []event.Action) []event.Action {
	k := &a.keys
	out = a.lengthPassed(out)
	// RFC 8915 §5.7: cookies go with the keys of their key establishment, and
	// those may have been replaced since the request left.
	if a.request.gen != k.gen {
		return out
	}
	k.session.AddCookies(fresh)
	if len(fresh) > 0 {
		k.cookieLen = len(fresh[0])
	}
	k.session.SettleKeys()
	k.proven, k.naked, k.refused = true, false, false
	return a.settleKE(out)
}

// nak notes that the server could not open our cookie, or that somebody says
// so. RFC 8915 §5.7: it is believed only if no valid reply comes before the
// next poll.
func (a *Assoc) nak(out []event.Action) []event.Action {
	if a.request.kissed || a.request.gen != a.keys.gen {
		return out
	}
	a.request.kissed = true
	a.keys.naks++
	out = a.lengthPassed(out)
	if !a.keys.naked {
		a.keys.naked = true
		out = append(out, a.notice(event.NoticeNAK, ""))
	}
	if len(a.keys.session.Cookies) == 0 && a.online {
		// There is nothing left to lose, and the true reply still counts.
		a.keys.refused = true
		a.nextPoll = min(a.nextPoll, a.request.asked)
	}
	return out
}

// prepareKeys sees to it that there is a cookie for the next request; if not
// ready, it has set the next poll.
//
// Cookies stay in use until a key establishment has succeeded: a forged NAK
// must not silence a good association.
func (a *Assoc) prepareKeys(now clock.Reading, out []event.Action) (_ []event.Action, ready bool) {
	if a.ntpHost != "" {
		a.nextPoll = clock.Never // SetNTPAddr sets it
		return out, false
	}
	k := &a.keys
	if k.naked && !a.tryAlternate() {
		k.refused = true
	}
	k.naked = false
	k.rekey = k.rekey || k.valid && now.Mono.Sub(k.since) >= keyLifetime
	cookies := len(k.session.Cookies)
	started := false
	if cookies == 0 && !k.refused && !k.rekey {
		a.ke.keepDistance()
	}
	if cookies == 0 || k.refused || k.rekey {
		out, started = a.startKE(now, out)
	}
	switch {
	case cookies == 0:
		a.nextPoll = a.ke.deadline()
		return out, false
	case started:
		// It is most likely done in a moment: do not waste a cookie that is
		// most likely worthless.
		a.nextPoll = now.Mono.Add(keGrace)
		return out, false
	}
	return out, true
}

// tryAlternate switches to the other pair of keys that the key establishment
// may have meant, once.
func (a *Assoc) tryAlternate() bool {
	k := &a.keys
	if k.proven || !k.session.UseAlternateKeys() {
		return false
	}
	rekey, since, restored := k.rekey, k.since, k.restored
	if a.install(k.session) != nil {
		return false
	}
	k.rekey, k.since, k.restored = rekey, since, restored
	return true
}

// Rekey asks for new keys; the old ones serve until they are there.
func (a *Assoc) Rekey(now clock.Reading) {
	if !a.cfg.NTS {
		return
	}
	a.keys.rekey = true
	a.ke.backoff.NotBefore = now.Mono
	if a.online {
		a.nextPoll = now.Mono
	}
}

// Save asks for the session to be kept for the next start.
func (a *Assoc) Save(out []event.Action) []event.Action {
	if !a.keys.valid {
		return out
	}
	return append(out, event.SaveSession{Session: a.keys.session})
}

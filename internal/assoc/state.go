package assoc

import (
	"fmt"
	"net/netip"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/filter"
	"ntsd/internal/nts"
	"ntsd/internal/standing"
	"ntsd/internal/wire"
)

// What people are told of an association.
type (
	Exchange     = standing.Exchange
	Counters     = standing.Counters
	NTSCounts    = standing.NTSCounts
	VerdictCount = standing.VerdictCount
	Auth         = standing.Auth
)

// counters are Counters without memory of their own.
type counters struct {
	sent, received, valid, good uint64
	kernelSent, kernelReceived  uint64
	cardSent, cardReceived      uint64
	verdicts                    [numVerdicts]uint64
}

// stamped counts the stamps of a request and its reply.
func (c *counters) stamped(sent, received event.StampKind) {
	switch sent {
	case event.StampKernel:
		c.kernelSent++
	case event.StampHardware:
		c.cardSent++
	}
	switch received {
	case event.StampKernel:
		c.kernelReceived++
	case event.StampHardware:
		c.cardReceived++
	}
}

// naks is how often a server said that it could not verify a request.
func (c *counters) naks() int { return int(c.verdicts[VerdictCryptoNAK]) }

// Counters returns a copy of the counters.
func (a *Assoc) Counters() Counters {
	c := &a.counters
	out := Counters{
		Sent: c.sent, Received: c.received, Valid: c.valid, Good: c.good,
		KernelSent: c.kernelSent, KernelReceived: c.kernelReceived,
		CardSent: c.cardSent, CardReceived: c.cardReceived,
	}
	for v, n := range c.verdicts {
		if n > 0 {
			out.Verdicts = append(out.Verdicts, VerdictCount{Name: Verdict(v).String(), Count: n})
		}
	}
	return out
}

// Auth returns the authentication state. It holds no secret.
func (a *Assoc) Auth() Auth {
	switch {
	case a.key != nil:
		return Auth{Symmetric: true, KeyType: a.key.Type(), KeyID: a.key.ID(), KeyBits: a.key.Bits(), NAKs: a.counters.naks()}
	case !a.cfg.NTS:
		return Auth{}
	}
	s := &a.keys.session
	auth := Auth{
		NTS: true, LastKE: a.ke.last, KEKnown: a.ke.known, Attempts: a.ke.attempts,
		NAKs: a.keys.naks, Cookies: len(s.Cookies), KE: a.ke.info,
		KEAddr: a.cfg.Addr, KEPort: a.cfg.KEPort, LastError: a.ke.reason,
		NextKE: a.ke.backoff.NotBefore, KERuns: a.ke.runs,
		MaxPlaceholders: nts.MaxCookies - 1, Path: a.way.Finding(),
	}
	if n, limited := a.way.Spare(); limited {
		auth.MaxPlaceholders = n
	}
	if a.keys.valid {
		auth.KeyID, auth.AEAD, auth.KeyBits = a.keys.gen, s.AEAD, 8*s.AEAD.KeySize()
		auth.CookieLen, auth.OnTrial = a.keys.cookieLen, a.OnTrial()
	}
	return auth
}

// ID is the association's identity.
func (a *Assoc) ID() event.SourceID { return a.cfg.ID }

// Addr is the address that people know the server by: where requests go, or
// while that is unknown the key establishment server's.
func (a *Assoc) Addr() netip.Addr {
	if a.to.Addr().IsValid() {
		return a.to.Addr()
	}
	return a.cfg.Addr
}

// NTPAddr is where requests go; it is not valid while unknown.
func (a *Assoc) NTPAddr() netip.AddrPort { return a.to }

// SourceAddr is the address that the association was made for: one of the
// configured name.
func (a *Assoc) SourceAddr() netip.Addr { return a.cfg.Addr }

// Online reports whether the association polls.
func (a *Assoc) Online() bool { return a.online }

// Bursting reports whether a burst is under way.
func (a *Assoc) Bursting() bool { return a.burst.left > 0 }

// Reach is the reach register of the last eight polls. With NTS only
// authenticated replies count.
func (a *Assoc) Reach() uint8 { return a.reach }

// Unreached counts the polls since the reach register is empty.
func (a *Assoc) Unreached() int { return max(0, a.missed-7) }

// Problem says why the last poll brought nothing, "" when it did. What the
// network says of the first request is known before it counts as lost; a server
// that is silent when asked for keys looks like one that is slow.
func (a *Assoc) Problem() string {
	if a.ke.running && a.problem == "" {
		return fmt.Sprintf("waits for keys from %v", netip.AddrPortFrom(a.cfg.Addr, a.cfg.KEPort))
	}
	if a.problem == "" && !a.request.reached {
		return a.request.problem
	}
	return a.problem
}

// Authenticated reports whether samples are authenticated.
func (a *Assoc) Authenticated() bool { return a.Certified() || a.key != nil }

// Certified reports whether a certificate stands behind the samples.
func (a *Assoc) Certified() bool { return a.cfg.NTS && !a.cfg.NoVal }

// Synchronised reports whether the server said in its last reply that it is.
func (a *Assoc) Synchronised() bool {
	if a.reference {
		return a.last.Valid && a.last.Header.Leap != wire.LeapUnknown
	}
	return a.last.Valid && a.header(&a.last) != VerdictUnsynchronised
}

// Sampled reports whether there ever was a sample of this server.
func (a *Assoc) Sampled() bool { return a.sampled }

// Pending reports whether a first sample may come soon: nothing went wrong
// yet.
func (a *Assoc) Pending() bool {
	return a.online && !a.sampled && a.missed == 0 && a.ke.reason == "" && !a.denied
}

// Last is the last valid reply.
func (a *Assoc) Last() Exchange { return a.last }

// LastRx is when the last sample was accepted, 0: never.
func (a *Assoc) LastRx() clock.Mono { return a.lastRx }

// Bound is by how much the last sample may be off. The estimate, made of many
// samples, may have a smaller bound.
func (a *Assoc) Bound() time.Duration { return a.bound }

// Measured returns the offset of the last sample as it was measured, and what
// it says about the clock now: the difference is what we did to the clock.
func (a *Assoc) Measured(now clock.Reading) (measured, adjusted clock.Offset) {
	if a.lastRx == 0 {
		return 0, 0
	}
	line := clock.Line{At: clock.Reading{Mono: a.sample.At, Wall: a.sample.True}}
	if e, ok := a.Estimate(now.Mono); ok {
		line.Rate = e.Line.Rate
	}
	return a.measured, line.WallAt(now.Mono).Sub(now.Wall)
}

// Dispersion is what the last sample's resolution adds to its error.
func (a *Assoc) Dispersion() time.Duration { return a.sample.Dispersion }

// Sample is the last accepted sample, less the mean error of this path's samples,
// and the deviation of what is left.
func (a *Assoc) Sample() (at clock.Reading, sd time.Duration) {
	mean, sd := a.filter.Error(a.sample)
	return clock.Reading{Mono: a.sample.At, Wall: a.sample.True.Add(-mean)}, sd
}

// Estimate is what is believed about the server's timescale.
func (a *Assoc) Estimate(at clock.Mono) (filter.Estimate, bool) {
	if a.ahead.valid {
		return a.ahead.filter.Estimate(at)
	}
	return a.filter.Estimate(at)
}

// FilterStats describes the samples behind the estimate.
func (a *Assoc) FilterStats() filter.Stats { return a.filter.Stats() }

// Session returns a copy of keys and cookies, if there are any.
func (a *Assoc) Session() (nts.Session, bool) { return a.keys.session, a.keys.valid }

package assoc

import (
	"crypto/md5"
	"net/netip"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/filter"
	"ntsd/internal/interleave"
	"ntsd/internal/wire"
)

// Specification constants (RFC 5905 section 7.2).
const (
	maxStratum  = 16               // MAXSTRAT: unsynchronised
	maxDistance = 16 * time.Second // MAXDISP
)

// Implementation constants.
const (
	// defaultMaxDelay is chrony's.
	defaultMaxDelay = 3 * time.Second
	// stampResolution is what either end of the round trip may be off by.
	stampResolution = time.Microsecond
	// maxDrift bounds both clocks' frequency errors together, over the round
	// trip: RFC 5905's PHI is 15 ppm for a disciplined one; ours is not.
	maxDrift = 1e-4
	// maxPrecision bounds what a server may claim about its clock.
	maxPrecision = time.Second
	// ratioSamples must have come before a delay is compared with them, and
	// ratioSlack is added to the rate's deviation: both chrony's.
	ratioSamples = 6
	ratioSlack   = clock.Rate(1e-6)
	// lastOfA is the last verdict that belongs to chrony's test A.
	lastOfA = VerdictDelay
)

// judge measures a valid reply and runs the tests on what it says. The bits of
// chrony's report are set for every test, the verdict names the first failure.
func (a *Assoc) judge(now clock.Reading, ev event.Received, hdr wire.Header, out []event.Action) (_ []event.Action, v Verdict) {
	if a.xleave.Is(&hdr) && !a.xleave.Known() {
		// It tells of an exchange that was forgotten while it was under way.
		a.xleave.Remember(now, &ev, &hdr, a.cfg.XLeave, false)
		a.schedule(a.request.asked)
		return a.hit(out), VerdictStamp
	}
	t := a.xleave.Subject(now, &ev, &hdr)
	x, s := a.measure(t, &ev, hdr)
	known := x.Interleaved && a.xleave.Sampled()
	a.ahead.valid = false
	defer func() { a.xleave.Remember(now, &ev, &hdr, a.cfg.XLeave, !x.Interleaved && v.measured()) }()
	synchronised := a.header(&x)
	group := func(tests ...bool) (bits uint16) {
		for _, ok := range tests {
			bits <<= 1
			if ok {
				bits |= 1
			}
		}
		return bits
	}
	path := a.path(&t, &x)
	x.Tests = [3]uint16{
		group(true, true, true),
		group(true, synchronised != VerdictUnsynchronised,
			synchronised != VerdictDistance && synchronised != VerdictReference),
		group(path == VerdictAccepted || path > lastOfA, path != VerdictDelayRatio,
			path != VerdictDelayDevRatio, path != VerdictLoop),
	}
	a.last = x
	a.counters.stamped(x.Sent, x.Received)
	if synchronised != VerdictAccepted {
		return out, synchronised
	}
	if v := a.outOfBounds(s.True, ev.Received.At.Sub(ev.Sent.At)); v != VerdictAccepted {
		return a.distrust(v, now, out), v
	}
	out = a.hit(out)
	if path != VerdictAccepted {
		a.schedule(a.request.asked)
		return out, path
	}
	a.counters.good++
	v = a.update(s, known)
	if x.Interleaved {
		a.lookAhead(now, &ev, hdr, x.Response)
	}
	if v != VerdictAccepted {
		return out, v
	}
	a.sample, a.measured, a.lastRx, a.trust = s, x.Offset, now.Mono, a.request.trust
	a.bound = (s.Delay+hdr.RootDelay.Duration())/2 + s.Dispersion + hdr.RootDispersion.Duration()
	return out, VerdictAccepted
}

// update gives a good sample to the filter; known says that its exchange has
// given one before, measured in basic mode.
func (a *Assoc) update(s filter.Sample, known bool) Verdict {
	if known {
		if !a.filter.Replace(s) {
			a.schedule(a.request.asked)
			return VerdictKnown
		}
		a.sampledOnce(true)
		return VerdictAccepted
	}
	s, complete := a.collect(s)
	if !complete {
		a.sampledOnce(true)
		return VerdictCollected
	}
	accepted := a.filter.Update(s)
	a.sampled = a.sampled || accepted
	a.sampledOnce(accepted)
	if !accepted {
		return VerdictOutlier
	}
	return VerdictAccepted
}

// measure computes offset and delay on the undisciplined scale (RFC 5905
// section 8, figure 15) from the times of one exchange.
func (a *Assoc) measure(t interleave.Timing, ev *event.Received, hdr wire.Header) (Exchange, filter.Sample) {
	trip := t.Received.At.Sub(t.Sent.At)
	pivot := a.env.Pivot
	if pivot == 0 {
		pivot = t.Now.Wall
	}
	drift, stretch := clock.Rate(maxDrift), time.Duration(0)
	if a.isPeer() {
		// Minutes may lie between its packet and ours: the rate of the oscillator
		// matters, and how well it is known.
		stretch = a.env.Rate.Over(trip)
		drift = min(drift, a.env.RateSD+ratioSlack)
	}
	s := filter.Sample{
		At:    t.Sent.At.Add(trip / 2),
		True:  t.There.Wall(pivot).Add(t.Response/2 + a.cfg.Correction.Duration()),
		Delay: trip + stretch - t.Response,
		Dispersion: stampResolution + 2*a.env.Resolution + min(hdr.Precision.Duration(), maxPrecision) +
			drift.Over(max(trip, 0)),
	}
	wall := a.wallAt(&t, s.At)
	x := Exchange{
		Valid: true, Header: hdr, Local: ev.Local,
		Offset: s.True.Sub(wall), Delay: s.Delay, Dispersion: s.Dispersion, Response: t.Response,
		Interleaved: a.xleave.Is(&hdr), Authenticated: a.cfg.NTS || a.key != nil,
		Sent: t.Sent.Kind, Received: t.Received.Kind,
	}
	if !hdr.ReferenceTime.IsZero() {
		x.ReferenceTime = hdr.ReferenceTime.Wall(s.True)
	}
	// A tiny negative delay is the clocks' resolution.
	s.Delay = max(s.Delay, 0)
	return x, s
}

// wallAt is what our clock showed at a moment before the reply was looked at.
func (a *Assoc) wallAt(t *interleave.Timing, at clock.Mono) clock.Wall {
	line := clock.Line{At: t.Now}
	if a.isPeer() {
		line.Rate = a.env.Rate
	}
	return line.WallAt(at)
}

// header judges what the server says about its own clock.
func (a *Assoc) header(x *Exchange) Verdict {
	hdr := &x.Header
	// An interleaved reply's transmit timestamp is the one before's.
	latest := hdr.Transmit
	if x.Interleaved {
		latest = hdr.Receive
	}
	switch {
	case hdr.Leap == wire.LeapUnknown || hdr.Stratum == 0 || hdr.Stratum >= maxStratum: // test 6
		return VerdictUnsynchronised
	case hdr.RootDelay.Duration()/2+hdr.RootDispersion.Duration() >= maxDistance: // test 7
		return VerdictDistance
	case !hdr.ReferenceTime.IsZero() && latest.Sub(hdr.ReferenceTime) < 0:
		return VerdictReference
	}
	return VerdictAccepted
}

// path judges the measurement: chrony's tests A to D.
func (a *Assoc) path(t *interleave.Timing, x *Exchange) Verdict {
	limit := a.cfg.MaxDelay
	if limit == 0 {
		limit = defaultMaxDelay
	}
	switch {
	case t.Sent.Kind == event.StampNone || t.Received.Kind == event.StampNone,
		t.Received.At.Before(t.Sent.At):
		return VerdictStamp
	case x.Response < 0:
		return VerdictOrder
	case x.Delay < -x.Dispersion:
		return VerdictNegative
	case x.Delay-x.Dispersion > limit:
		return VerdictDelay
	case loops(&x.Header, x.Local):
		return VerdictLoop
	}
	return a.ratios(t, x)
}

// ratios are chrony's tests B and C: the round trip against the shortest one,
// and its excess against the spread of the offsets.
func (a *Assoc) ratios(t *interleave.Timing, x *Exchange) Verdict {
	ratio, deviations := a.cfg.MaxDelayRatio, a.cfg.MaxDelayDevRatio
	at := t.Sent.At.Add(t.Received.At.Sub(t.Sent.At) / 2)
	e, ok := a.filter.Estimate(at)
	if ratio <= 0 && deviations <= 0 || !ok || e.Samples < ratioSamples {
		return VerdictAccepted
	}
	// What the clock may have gained since the last sample is no delay.
	slack := (e.RateSD + ratioSlack).Over(max(0, at.Sub(a.sample.At)))
	if ratio >= 1 && x.Delay > multiple(e.MinDelay, ratio)+slack {
		return VerdictDelayRatio
	}
	if deviations <= 0 {
		return VerdictAccepted
	}
	most := multiple(a.filter.Stats().StdDev, deviations) + slack
	excess := (x.Delay - e.MinDelay) / 2
	wall := a.wallAt(t, at).Add(x.Offset.Duration())
	miss := wall.Sub(e.Line.At.Wall).Abs()
	// A clock that has jumped is no matter of the delay.
	if excess <= most || miss-excess > most {
		return VerdictAccepted
	}
	return VerdictDelayDevRatio
}

// multiple returns d times a factor of the configuration.
func multiple(d time.Duration, factor float64) time.Duration {
	return clock.Rate(factor).Over(d)
}

// loops reports whether a server has its time from us at local.
func loops(hdr *wire.Header, local netip.Addr) bool {
	return hdr.Stratum > 1 && local.IsValid() && !local.IsUnspecified() &&
		hdr.ReferenceID == ReferenceID(local)
}

// ReferenceID returns how a server names its source at addr: the IPv4 address,
// or the first four bytes of the MD5 hash of the IPv6 address (RFC 5905
// section 7.3).
func ReferenceID(addr netip.Addr) wire.ReferenceID {
	addr = addr.Unmap()
	if addr.Is4() {
		return wire.ReferenceID(addr.As4())
	}
	b := addr.As16()
	sum := md5.Sum(b[:])
	return wire.ReferenceID(sum[:4])
}

package assoc

import (
	"crypto/md5"
	"net/netip"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/filter"
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
)

// judge measures a valid reply and runs the tests on what it says. The bits of
// chrony's report are set for every test, the verdict names the first failure.
func (a *Assoc) judge(now clock.Reading, ev event.Received, hdr wire.Header, out []event.Action) ([]event.Action, Verdict) {
	x, s := a.measure(now, ev, hdr)
	synchronised := a.header(hdr)
	group := func(tests ...bool) (bits uint16) {
		for _, ok := range tests {
			bits <<= 1
			if ok {
				bits |= 1
			}
		}
		return bits
	}
	path := a.path(ev, hdr, x)
	x.Tests = [3]uint16{
		group(true, true, true),
		group(true, synchronised != VerdictUnsynchronised,
			synchronised != VerdictDistance && synchronised != VerdictReference),
		// B and C, delay ratios, are not configured and pass.
		group(path == VerdictAccepted || path == VerdictLoop, true, true, path != VerdictLoop),
	}
	a.last = x
	if synchronised != VerdictAccepted {
		return out, synchronised
	}
	out = a.hit(out)
	if path != VerdictAccepted {
		a.schedule(a.request.asked)
		return out, path
	}
	a.counters.good++
	accepted := a.filter.Update(s)
	a.sampled = a.sampled || accepted
	a.sampledOnce(accepted)
	if !accepted {
		return out, VerdictOutlier
	}
	a.sample, a.measured, a.lastRx = s, x.Offset, now.Mono
	a.bound = (s.Delay+hdr.RootDelay.Duration())/2 + s.Dispersion + hdr.RootDispersion.Duration()
	return out, VerdictAccepted
}

// measure computes offset and delay on the undisciplined scale (RFC 5905
// section 8, figure 15).
func (a *Assoc) measure(now clock.Reading, ev event.Received, hdr wire.Header) (Exchange, filter.Sample) {
	trip := ev.Received.At.Sub(ev.Sent.At)
	response := hdr.Transmit.Sub(hdr.Receive)
	pivot := a.env.Pivot
	if pivot == 0 {
		pivot = now.Wall
	}
	s := filter.Sample{
		At:    ev.Sent.At.Add(trip / 2),
		True:  hdr.Receive.Wall(pivot).Add(response / 2),
		Delay: trip - response,
		Dispersion: stampResolution + 2*a.env.Resolution + min(hdr.Precision.Duration(), maxPrecision) +
			clock.Rate(maxDrift).Over(max(trip, 0)),
	}
	wall := now.Wall.Add(s.At.Sub(now.Mono)) // ours at s.At
	x := Exchange{
		Valid: true, Header: hdr, Local: ev.Local,
		Offset: s.True.Sub(wall), Delay: s.Delay, Dispersion: s.Dispersion, Response: response,
		Authenticated: a.cfg.NTS, Sent: ev.Sent.Kind, Received: ev.Received.Kind,
	}
	if !hdr.ReferenceTime.IsZero() {
		x.ReferenceTime = hdr.ReferenceTime.Wall(s.True)
	}
	if ev.Sent.Kind >= event.StampKernel {
		a.counters.kernelSent++
	}
	if ev.Received.Kind >= event.StampKernel {
		a.counters.kernelReceived++
	}
	// A tiny negative delay is the clocks' resolution.
	s.Delay = max(s.Delay, 0)
	return x, s
}

// header judges what the server says about its own clock.
func (a *Assoc) header(hdr wire.Header) Verdict {
	switch {
	case hdr.Leap == wire.LeapUnknown || hdr.Stratum == 0 || hdr.Stratum >= maxStratum: // test 6
		return VerdictUnsynchronised
	case hdr.RootDelay.Duration()/2+hdr.RootDispersion.Duration() >= maxDistance: // test 7
		return VerdictDistance
	case !hdr.ReferenceTime.IsZero() && hdr.Transmit.Sub(hdr.ReferenceTime) < 0:
		return VerdictReference
	}
	return VerdictAccepted
}

// path judges the measurement: chrony's tests A and D.
func (a *Assoc) path(ev event.Received, hdr wire.Header, x Exchange) Verdict {
	limit := a.cfg.MaxDelay
	if limit == 0 {
		limit = defaultMaxDelay
	}
	switch {
	case loops(hdr, ev.Local):
		return VerdictLoop
	case ev.Sent.Kind == event.StampNone || ev.Received.Kind == event.StampNone,
		ev.Received.At.Before(ev.Sent.At):
		return VerdictStamp
	case x.Response < 0:
		return VerdictOrder
	case x.Delay < -x.Dispersion:
		return VerdictNegative
	case x.Delay-x.Dispersion > limit:
		return VerdictDelay
	}
	return VerdictAccepted
}

// loops reports whether a server has its time from us at local.
func loops(hdr wire.Header, local netip.Addr) bool {
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

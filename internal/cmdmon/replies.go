package cmdmon

import (
	"math"
	"slices"
	"strings"

	"ntsd/internal/status"
)

// Values of fields.
const (
	modeClient    = 0
	modePeer      = 1
	modeReference = 2

	authNone      = 0
	authSymmetric = 1
	authNTS       = 2

	smoothingActive   = 1
	smoothingLeapOnly = 2

	ntpInterleaved   = 0x4000
	ntpAuthenticated = 0x8000

	noInterval = 127
)

// The signs of the report are chronyc's, so every number goes as it is.

func (r *reply) tracking(t *status.Tracking) {
	r.referenceID(t.ReferenceID)
	r.address(ip(t.ReferenceAddress))
	r.small(t.Stratum)
	r.u16(uint16(t.Leap))
	r.time(t.ReferenceTime)
	for _, x := range []float64{
		t.CorrectionS, t.LastOffsetS, t.RMSOffsetS, t.FreqPPM, t.ResidualFreqPPM, t.SkewPPM,
		t.RootDelayS, t.RootDispersionS, t.UpdateIntervalS,
	} {
		r.float(x)
	}
}

func (r *reply) activity(a *status.Activity) {
	for _, n := range []int{a.Online, a.Offline, a.BurstOnline, a.BurstOffline, a.Unresolved} {
		r.u32(uint32(n))
	}
}

func (r *reply) smoothing(s *status.Smoothing) {
	flags := uint32(0)
	if s.Active {
		flags |= smoothingActive
	}
	if s.LeapOnly {
		flags |= smoothingLeapOnly
	}
	r.u32(flags)
	for _, x := range []float64{s.OffsetS, s.FreqPPM, s.WanderPPM, s.LastUpdateS, s.RemainingS} {
		r.float(x)
	}
}

func (r *reply) sourceData(s *status.Source, at address) {
	mode := uint16(modeClient)
	switch s.Kind {
	case "peer":
		mode = modePeer
	case status.KindRefClock:
		mode = modeReference
	}
	r.address(at)
	r.u16(uint16(int16(s.PollLog2)))
	r.small(s.Stratum)
	// In the order of their numbers.
	r.u16(uint16(max(0, strings.Index("*?x~+-", s.Mark))))
	r.u16(mode)
	r.u16(0) // flags: there are none
	r.small(s.Reach)
	r.ago(s.LastRx)
	r.float(s.MeasuredOffsetS)
	r.float(s.AdjustedOffsetS)
	r.float(s.ErrorBoundS)
}

func (r *reply) sourcestats(s *status.Source, at address) {
	t := &s.Stats
	r.referenceID(status.AddressID(s.Address))
	r.address(at)
	r.small32(t.Samples)
	r.small32(t.Runs)
	r.count(uint64(max(0, t.SpanS) + 0.5))
	skew, spread := t.Bounds()
	r.float(spread)
	r.float(t.ResidualFreqPPM)
	r.float(skew)
	r.float(t.EstimatedOffsetS)
	// The standard error of a mean; chronyc does not show it.
	r.float(spread / math.Sqrt(float64(max(1, t.Samples))))
}

// small32 adds a number that is never negative.
func (r *reply) small32(n int) { r.count(uint64(max(0, n))) }

func (r *reply) selectData(s *status.Source, at address) {
	t := &s.Selection
	r.referenceID(status.AddressID(s.Address))
	r.address(at)
	r.u8((t.Letter + "?")[0])
	r.u8(boolean(s.Auth.Mode != "none" && s.Auth.Mode != ""))
	r.u8(uint8(t.Leap))
	r.u8(0)
	r.u16(options(t.Configured))
	r.u16(options(t.Effective))
	r.ago(t.Last)
	r.float(t.Score)
	r.float(t.LoS)
	r.float(t.HiS)
}

func boolean(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

func options(o status.SelectOptions) uint16 {
	bits := uint16(0)
	for i, on := range []bool{o.NoSelect, o.Prefer, o.Trust, o.Require} {
		bits |= uint16(boolean(on)) << i
	}
	return bits
}

// sourceName gives the name as configured; one that has no room is none.
func (r *reply) sourceName(s *status.Source) (format, result) {
	if len(s.Name) >= nameLength {
		return fmtNull, noSuchSource
	}
	*r = append(*r, s.Name...)
	r.zeros(nameLength - len(s.Name))
	return fmtSourceName, success
}

func (r *reply) authData(a *status.Auth) {
	mode := authNone
	switch a.Mode {
	case "nts":
		mode = authNTS
	case "symmetric":
		mode = authSymmetric
	}
	r.small(mode)
	r.small(a.AEAD)
	r.count(uint64(max(0, a.KeyID)))
	r.small(a.KeyBits)
	r.small(a.Attempts)
	r.ago(a.LastKE)
	r.small(a.Cookies)
	r.small(a.CookieBytes)
	r.small(a.NAKs)
	r.u16(0)
}

// ntpData chooses the newest format for which there is room.
func (r *reply) ntpData(s *status.Source, room int) format {
	n := s.NTP
	if n == nil { // as chronyd before the first reply
		n = new(status.NTPData)
	}
	r.address(ip(s.Address))
	r.address(ip(n.LocalAddress))
	r.small(s.Port)
	r.u8(uint8(n.Leap))
	r.u8(uint8(n.Version))
	r.u8(uint8(n.Mode))
	r.u8(uint8(n.Stratum))
	r.u8(uint8(int8(n.PollLog2)))
	r.u8(uint8(int8(n.PrecisionLog2)))
	r.float(n.RootDelayS)
	r.float(n.RootDispersionS)
	r.referenceID(n.ReferenceID)
	r.time(n.ReferenceTime)
	for _, x := range []float64{n.OffsetS, n.DelayS, n.DispersionS, n.ResponseS, n.Asymmetry} {
		r.float(x)
	}
	r.u16(ntpFlags(n))
	r.u8(stampLetter(n.Sent))
	r.u8(stampLetter(n.Received))
	c := &s.Counters
	counts, f, reserved := []uint64{c.Sent, c.Received, c.Valid, c.Good}, fmtNTPData1, 3
	if room >= ntpData2Length {
		counts = append(counts, c.KernelSent, c.KernelRecv, c.CardSent, c.CardRecv)
		f, reserved = fmtNTPData2, 4
	}
	for _, v := range counts {
		r.count(v)
	}
	*r = append(*r, slices.Repeat([]byte{0xff}, 4*reserved)...)
	return f
}

// ntpFlags are the ten tests, the first in the highest bit, and how the packet
// was exchanged.
func ntpFlags(n *status.NTPData) uint16 {
	flags := uint16(0)
	for _, test := range n.Tests {
		if test != ' ' {
			flags = flags<<1 | uint16(boolean(test == '1'))
		}
	}
	if n.Interleaved {
		flags |= ntpInterleaved
	}
	if n.Authenticated {
		flags |= ntpAuthenticated
	}
	return flags
}

// stampLetter is the first letter of who took a timestamp, or zero.
func stampLetter(kind string) uint8 {
	switch kind {
	case "Daemon", "Kernel", "Hardware":
		return kind[0]
	}
	return 0
}

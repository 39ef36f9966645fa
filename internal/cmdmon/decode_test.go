package cmdmon

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"ntsd/internal/clock"
	"ntsd/internal/status"
)

// reader takes a reply to pieces, as chronyc does.
type reader struct {
	t *testing.T
	b []byte
}

func (r *reader) bytes(n int) []byte {
	r.t.Helper()
	if len(r.b) < n {
		r.t.Fatalf("the reply is %d bytes too short", n-len(r.b))
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) u8() int        { return int(r.bytes(1)[0]) }
func (r *reader) u16() int       { return int(binary.BigEndian.Uint16(r.bytes(2))) }
func (r *reader) u32() uint32    { return binary.BigEndian.Uint32(r.bytes(4)) }
func (r *reader) u64() uint64    { return binary.BigEndian.Uint64(r.bytes(8)) }
func (r *reader) float() float64 { return fromFloat(r.u32()) }
func (r *reader) hex() string    { return fmt.Sprintf("%08X", r.u32()) }

func (r *reader) time() status.Time {
	sec := int64(r.u64())
	return status.Time(clock.WallUnix(sec, int64(r.u32())))
}

func (r *reader) ago() status.Ago {
	n := r.u32()
	if n == math.MaxUint32 {
		return status.Never
	}
	return status.Ago(n)
}

// address returns an address as text; of a source without one the number.
func (r *reader) address() (text string, id uint32) {
	a := parseAddress(r.bytes(addressLength))
	if a.ip.IsValid() {
		return a.ip.String(), 0
	}
	return "", a.id
}

// ident sets who a source is. Without an address it has the name that chronyc
// shows.
func (r *reader) ident(s *status.Source) {
	text, id := r.address()
	s.Address = text
	if text == "" {
		s.Name = fmt.Sprintf("ID#%010d", id)
	}
}

func (r *reader) tracking() (t status.Tracking) {
	t.ReferenceID = r.hex()
	t.ReferenceAddress, _ = r.address()
	t.Stratum, t.Leap = r.u16(), status.Leap(r.u16())
	t.ReferenceTime = r.time()
	for _, x := range []*float64{
		&t.CorrectionS, &t.LastOffsetS, &t.RMSOffsetS, &t.FreqPPM, &t.ResidualFreqPPM, &t.SkewPPM,
		&t.RootDelayS, &t.RootDispersionS, &t.UpdateIntervalS,
	} {
		*x = r.float()
	}
	return t
}

func (r *reader) activity() (a status.Activity) {
	for _, n := range []*int{&a.Online, &a.Offline, &a.BurstOnline, &a.BurstOffline, &a.Unresolved} {
		*n = int(r.u32())
	}
	return a
}

func (r *reader) smoothing() status.Smoothing {
	flags := r.u32()
	s := status.Smoothing{Enabled: true, Active: flags&1 != 0, LeapOnly: flags&2 != 0}
	for _, x := range []*float64{&s.OffsetS, &s.FreqPPM, &s.WanderPPM, &s.LastUpdateS, &s.RemainingS} {
		*x = r.float()
	}
	return s
}

func (r *reader) sourceData(s *status.Source) {
	r.ident(s)
	s.PollLog2, s.Stratum = int(int16(r.u16())), r.u16()
	s.Mark = string("*?x~+-"[r.u16()])
	s.Kind = []string{"server", "peer", "refclock"}[r.u16()]
	r.u16()
	s.Reach, s.LastRx = r.u16(), r.ago()
	s.MeasuredOffsetS, s.AdjustedOffsetS, s.ErrorBoundS = r.float(), r.float(), r.float()
}

func (r *reader) sourcestats(s *status.Source) {
	r.u32()
	r.ident(s)
	t := &s.Stats
	t.Samples, t.Runs, t.SpanS = int(r.u32()), int(r.u32()), float64(r.u32())
	t.StdDevS, t.ResidualFreqPPM, t.SkewPPM, t.EstimatedOffsetS = r.float(), r.float(), r.float(), r.float()
	r.u32()
}

func (r *reader) selectData(s *status.Source) {
	r.u32()
	r.ident(s)
	t := &s.Selection
	t.Letter = string(rune(r.u8()))
	s.Auth.Mode = []string{"none", "nts"}[r.u8()]
	t.Leap = status.Leap(r.u8())
	r.u8()
	for _, o := range []*status.SelectOptions{&t.Configured, &t.Effective} {
		bits := r.u16()
		*o = status.SelectOptions{NoSelect: bits&1 != 0, Prefer: bits&2 != 0, Trust: bits&4 != 0, Require: bits&8 != 0}
	}
	t.Last, t.Score, t.LoS, t.HiS = r.ago(), r.float(), r.float(), r.float()
}

func (r *reader) authData(s *status.Source) {
	a := &s.Auth
	a.Mode = []string{"none", "symmetric", "nts"}[r.u16()]
	a.AEAD, a.KeyID, a.KeyBits, a.Attempts = r.u16(), int64(r.u32()), r.u16(), r.u16()
	a.LastKE, a.Cookies, a.CookieBytes, a.NAKs = r.ago(), r.u16(), r.u16(), r.u16()
	r.u16()
}

func (r *reader) ntpData(s *status.Source) {
	n := new(status.NTPData)
	s.NTP = n
	r.ident(s)
	n.LocalAddress, _ = r.address()
	s.Port = r.u16()
	n.Leap, n.Version, n.Mode, n.Stratum = status.Leap(r.u8()), r.u8(), r.u8(), r.u8()
	n.PollLog2, n.PrecisionLog2 = int(int8(r.u8())), int(int8(r.u8()))
	n.RootDelayS, n.RootDispersionS = r.float(), r.float()
	n.ReferenceID, n.ReferenceTime = r.hex(), r.time()
	n.OffsetS, n.DelayS, n.DispersionS, n.ResponseS, n.Asymmetry = r.float(), r.float(), r.float(), r.float(), r.float()
	flags := r.u16()
	n.Tests = fmt.Sprintf("%03b %03b %04b", flags>>7&7, flags>>4&7, flags&15)
	n.Interleaved, n.Authenticated = flags&0x4000 != 0, flags&0x8000 != 0
	names := map[int]string{'D': "Daemon", 'K': "Kernel", 'H': "Hardware", 0: "Invalid"}
	n.Sent, n.Received = names[r.u8()], names[r.u8()]
	c := &s.Counters
	counts := []*uint64{&c.Sent, &c.Received, &c.Valid, &c.Good}
	if len(r.b) == 4*(8+4) {
		counts = append(counts, &c.KernelSent, &c.KernelRecv, &c.CardSent, &c.CardRecv)
	}
	for _, x := range counts {
		*x = uint64(r.u32())
	}
}

// serverStats returns the counters in the order of the newest format.
func (r *reader) serverStats(f format) []uint64 {
	var all []uint64
	for len(r.b) > 0 {
		if f == fmtServerStats4 {
			all = append(all, r.u64())
		} else {
			all = append(all, uint64(r.u32()))
		}
	}
	return all
}

// clients returns the clients of one page, and what comes before them.
func (r *reader) clients() (total, next uint32, page []status.Client) {
	total, next = r.u32(), r.u32()
	for range r.u32() {
		var c status.Client
		c.Address, _ = r.address()
		c.Requests, c.KE = r.u32(), r.u32()
		r.u32()
		c.Dropped, c.KEDropped = r.u32(), r.u32()
		r.u32()
		seconds := func() float64 {
			if n := int8(r.u8()); n != noInterval {
				return math.Exp2(float64(n))
			}
			return 0
		}
		c.IntervalS, c.KEIntervalS = seconds(), seconds()
		seconds()
		c.AnsweredIntervalS = seconds()
		c.LastS, c.KELastS = float64(r.ago()), float64(r.ago())
		r.u32()
		page = append(page, c)
	}
	return total, next, page
}

// fromFloat reads a number in the protocol's form.
func fromFloat(f uint32) float64 {
	exponent := int32(f) >> coefficientBits
	coefficient := int32(f<<(32-coefficientBits)) >> (32 - coefficientBits)
	return math.Ldexp(float64(coefficient), int(exponent)-coefficientBits)
}

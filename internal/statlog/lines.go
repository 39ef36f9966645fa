package statlog

import (
	"fmt"
	"math/bits"
	"strings"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/ntpq"
	"ntsd/internal/ntptime"
	"ntsd/internal/snapshot"
	"ntsd/internal/standing"
	"ntsd/internal/upstream"
)

// measurement is a valid reply and what it says of its source.
type measurement struct {
	sent, arrived clock.Wall // by the disciplined clock, before it was set by this
	source        snapshot.Source
	accepted      bool    // it has changed the estimate
	lost, bogus   int     // requests without a reply and false replies since the last valid one
	stress        float64 // how far off the estimate before was, in its own error bounds
}

// update is one of the clock.
type update struct {
	at       clock.Wall
	tracking snapshot.Tracking
	who      string        // is followed
	combined int           // sources
	sd       time.Duration // of the offset
	poll     int8          // of the source that is followed
	maxError time.Duration // since the last one
}

// label is how a line names a source: a clock of this machine has no address.
func label(s *snapshot.Source) string {
	if s.Kind == upstream.RefClock {
		return s.Name
	}
	return s.Addr.String()
}

// line is a line of a file, and the time that says which day's.
type line struct {
	kind kind
	at   clock.Wall
	text []byte
}

// Epochs.
const (
	daySeconds = 86400
	unixMJD    = 40587 // the modified Julian day of 1970-01-01
)

// appendMJD appends the day and the second of the day, UTC, as ntpd has them.
func appendMJD(dst []byte, at clock.Wall) []byte {
	sec, nsec := at.Unix()
	day, second := sec/daySeconds, sec%daySeconds
	if second < 0 {
		day, second = day-1, second+daySeconds
	}
	return fmt.Appendf(dst, "%d %d.%03d", unixMJD+day, second, nsec/1e6)
}

// appendDate appends the date and time, UTC, as chrony has them.
func appendDate(dst []byte, at clock.Wall) []byte {
	return at.Time().AppendFormat(dst, time.DateTime)
}

// appendStamp appends seconds of the NTP era with nine decimals.
func appendStamp(dst []byte, t ntptime.Timestamp) []byte {
	nsec := (uint64(uint32(t))*1e9 + 1<<31) >> 32 // the nearest
	return fmt.Appendf(dst, "%d.%09d", uint32(t>>32)+uint32(nsec/1e9), nsec%1e9)
}

// appendLoopstats: day, second, offset, frequency (ppm), jitter, wander (ppm),
// log2 of the poll interval. Positive: the clock is slow.
func appendLoopstats(dst []byte, u *update) []byte {
	t := &u.tracking
	return fmt.Appendf(appendMJD(dst, u.at), " %.9f %.6f %.9f %.6f %d\n", t.Correction.Seconds(), t.Frequency.PPM(),
		t.RMSOffset.Seconds(), t.Skew.PPM(), u.poll)
}

// appendPeerstats: day, second, address, status word, offset, delay, dispersion,
// jitter. Positive: our clock is slow.
func appendPeerstats(dst []byte, m *measurement) []byte {
	s := &m.source
	word := ntpq.StatusWord(ntpq.PeerState{
		Selection: ntpq.SelectionOf(string(s.Mark)), Auth: s.Auth.NTS || s.Last.Authenticated, Authentic: s.Last.Authenticated,
		Reach: int(s.Reach), Answered: true,
	})
	return fmt.Appendf(appendMJD(dst, m.arrived), " %s %x %.9f %.9f %.9f %.9f\n", label(s), word,
		s.Offset.Seconds(), s.Last.Delay.Seconds(), s.Last.Dispersion.Seconds(), s.Stats.StdDev.Seconds())
}

// appendClockstats: day, second, name, and what a clock of this machine said:
// its offset and its dispersion.
func appendClockstats(dst []byte, m *measurement) []byte {
	s := &m.source
	return fmt.Appendf(appendMJD(dst, m.arrived), " %s %.9f %.9f\n", s.Name, s.Last.Offset.Seconds(), s.Last.Dispersion.Seconds())
}

// appendRawstats: day, second, addresses of the server and of ours; when the
// request left and arrived, the reply left and arrived; leap, version, mode,
// stratum, poll, precision, root delay, root dispersion, reference ID; requests
// lost and false replies before; which tests failed.
func appendRawstats(dst []byte, m *measurement) []byte {
	s, h := &m.source, &m.source.Last.Header
	local := "-"
	if s.Last.Local.IsValid() {
		local = s.Last.Local.String()
	}
	dst = fmt.Appendf(appendMJD(dst, m.arrived), " %s %s ", s.Addr, local)
	for _, t := range []ntptime.Timestamp{ntptime.FromWall(m.sent), h.Receive, h.Transmit, ntptime.FromWall(m.arrived)} {
		dst = append(appendStamp(dst, t), ' ')
	}
	stratum := h.Stratum
	if stratum == 0 {
		stratum = 16
	}
	refID := ntpq.RefIDText(h.ReferenceID.Hex(), int(h.Stratum))
	if !strings.Contains(refID, ".") { // letters
		refID = "." + refID + "."
	}
	return fmt.Appendf(dst, "%d %d %d %d %d %d %.6f %.6f %s %d %d %x\n", h.Leap, h.Version, h.Mode, stratum, h.Poll, h.Precision,
		h.RootDelay.Duration().Seconds(), h.RootDispersion.Duration().Seconds(), refID, m.lost, m.bogus, ntpq.Flash(tests(&s.Last)))
}

// tests is three groups of digits, 1 for each that was passed, as chrony has
// them.
func tests(x *standing.Exchange) string {
	return fmt.Sprintf("%03b %03b %04b", x.Tests[0]&7, x.Tests[1]&7, x.Tests[2]&15)
}

// synchronised reports whether the tests 1 to 7 were passed, without which chrony
// has no line in measurements.
func synchronised(x *standing.Exchange) bool { return x.Tests[0]&7 == 7 && x.Tests[1]&7 == 7 }

// appendMeasurements is chrony's line for a reply. Positive: our clock is slow.
func appendMeasurements(dst []byte, m *measurement) []byte {
	s, x, h := &m.source, &m.source.Last, &m.source.Last.Header
	mode := byte('B')
	if x.Interleaved {
		mode = 'I'
	}
	return fmt.Appendf(appendDate(dst, m.arrived), " %-15s %c %2d %s  %2d %2d %4.2f %10.3e %10.3e %10.3e %10.3e %10.3e %s %d%c %c %c\n",
		s.Addr, leapLetter(uint8(h.Leap)), h.Stratum, tests(x), s.Poll, h.Poll, 0.0, x.Offset.Seconds(), x.Delay.Seconds(),
		x.Dispersion.Seconds(), h.RootDelay.Duration().Seconds(), h.RootDispersion.Duration().Seconds(), h.ReferenceID.Hex(),
		h.Mode, mode, stampLetter(x.Sent), stampLetter(x.Received))
}

// appendStatistics is chrony's line for an estimate. Positive: our clock is fast.
// No samples are thrown away at once: column Bs is 0.
func appendStatistics(dst []byte, m *measurement) []byte {
	s := &m.source
	return fmt.Appendf(appendDate(dst, m.arrived), " %-15s %10.3e %10.3e %10.3e %10.3e %10.3e %7.1e %3d %3d %3d %5.2f\n",
		label(s), s.Stats.StdDev.Seconds(), (0 - s.Offset).Seconds(), s.SD.Seconds(), float64(0-s.Residual), float64(s.Stats.Skew),
		m.stress, s.Stats.Samples, 0, s.Stats.Runs, s.Last.Asymmetry)
}

// appendTracking is chrony's line for an update of the clock. Positive: it is
// fast, or runs fast; but in column Rem. corr. slow.
func appendTracking(dst []byte, u *update) []byte {
	t := &u.tracking
	return fmt.Appendf(appendDate(dst, u.at), " %-15s %2d %10.3f %10.3f %10.3e %c %2d %10.3e %10.3e %10.3e %10.3e %10.3e\n",
		u.who, t.Stratum, (0 - t.Frequency).PPM(), t.Skew.PPM(), (0 - t.LastOffset).Seconds(), leapLetter(uint8(t.Leap)), u.combined,
		u.sd.Seconds(), (t.Correction - t.LastOffset).Seconds(), t.RootDelay.Seconds(), t.RootDisp.Seconds(), u.maxError.Seconds())
}

func leapLetter(leap uint8) byte { return "N+-?"[leap&3] }

// stampLetter says who took a timestamp: the daemon, the kernel, the hardware.
func stampLetter(k event.StampKind) byte { return "DDKH"[k&3] }

// lost is how many requests before the last one had no reply, as far as the
// register remembers.
func lost(reach uint8) int {
	if reach>>1 == 0 {
		return 0 // or the first of all
	}
	return bits.TrailingZeros8(reach >> 1)
}

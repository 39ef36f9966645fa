package symmetric

import (
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/ntptime"
	"ntsd/internal/wire"
)

// Implementation constants.
const (
	// spacing puts our packet off where the other side is better off with one
	// that follows its own at once (chrony's value).
	spacing = clock.Rate(0.1)
	// finestPrecision is that of a clock which can be read more finely than it
	// matters: a quarter of a microsecond. The bits below are noise.
	finestPrecision ntptime.Exponent = -22
	// maxLatency bounds what it is thought to take until a packet leaves.
	maxLatency = 2 * time.Millisecond
	// unsynchronised is the stratum of a clock that nobody follows (RFC 5905
	// figure 11).
	unsynchronised = 16
)

// Next returns the header of our next packet, which Sent has noted then. self is
// what we say of our clock, rate the correction of the oscillator; random
// returns what nobody can guess. Unlike a client's request it tells the time:
// the other side measures us by it.
func (s *State) Next(now clock.Reading, self wire.Header, rate clock.Rate, random func() ntptime.Timestamp) wire.Header {
	blurred := func(w clock.Wall) ntptime.Timestamp { return Blur(ntptime.FromWall(w), self.Precision, random()) }
	hdr := self
	hdr.Version, hdr.Mode = wire.Version, wire.ModeSymmetricActive
	s.stratum, s.left = hdr.Stratum, now.Mono
	if origin, at, ok := s.Answer(); ok {
		// As if the clock had always run as we now know that it should.
		line := clock.Line{At: now, Rate: rate}
		hdr.Origin, hdr.Receive = origin, blurred(line.WallAt(at))
	}
	for {
		hdr.Transmit = blurred(now.Wall.Add(s.latency))
		// It is our name for this packet, so it must be new; and nobody may take
		// the packet for an answer to itself.
		if t := hdr.Transmit; t != 0 && t != hdr.Receive && t != hdr.Origin && t != s.sent {
			break
		}
	}
	s.Sent(hdr.Transmit)
	return hdr
}

// Left says when our latest packet really left, once that is known: the next one
// tells a time that is by so much nearer to the truth.
func (s *State) Left(at clock.Mono) {
	s.latency += (min(max(0, at.Sub(s.left)), maxLatency) - s.latency) / 4
}

// Interval returns the time from our latest packet to the next, where both sides
// send every d and the other's stratum is theirs.
func (s *State) Interval(d time.Duration, theirs uint8) time.Duration {
	if s.measured == 0 {
		return d
	}
	return interval(d, max(0, s.measured.Sub(s.left)), s.stratum, theirs)
}

// Precision is the exponent of a clock's resolution, as headers tell it.
func Precision(resolution time.Duration) ntptime.Exponent {
	e := finestPrecision
	for e < 0 && e.Duration() < resolution {
		e++
	}
	return e
}

// Blur replaces the bits of t below a clock's precision by random ones: whoever
// is off the path has to guess them.
func Blur(t ntptime.Timestamp, precision ntptime.Exponent, random ntptime.Timestamp) ntptime.Timestamp {
	low := ntptime.Timestamp(1)<<(32+max(-31, min(precision, 0))) - 1
	return t&^low | random&low
}

// interval is Interval where the other's latest came elapsed after ours. Whoever is nearer
// to the source of time sends soon after the other, who then measures a short
// trip; between equals each sends halfway between the other's packets. The rules
// are chrony's.
func interval(d, elapsed time.Duration, ours, theirs uint8) time.Duration {
	nearer := distance(theirs) > distance(ours) && elapsed+spacing.Over(elapsed) < d
	equal := distance(theirs) == distance(ours) && elapsed > d/5*3
	if nearer || equal {
		return d + spacing.Over(d)
	}
	return d
}

// distance is how far a clock of a stratum is from the source of time: one that
// is not synchronised (0) is farthest.
func distance(stratum uint8) uint8 {
	if stratum == 0 || stratum > unsynchronised {
		return unsynchronised
	}
	return stratum
}

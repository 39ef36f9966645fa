//go:build linux

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"ntsd/internal/clock"
)

// magicState begins the state file.
const magicState = "NTSDSTATE1"

// Bounds of the state file.
const (
	maxHosts     = 64
	maxHostAddrs = 16
	maxStateFile = 128 << 10
)

// State is what survives a reboot, in one file so that it costs one write of
// the flash. The zero value is "nothing known".
type State struct {
	// Drift counts only when DriftKnown.
	Drift      Drift
	DriftKnown bool
	// Time is the last time known to be right, less than TimeError off; 0 is
	// none. It goes to the file only under the trust that a boot may build
	// on.
	Time      clock.Wall
	TimeError time.Duration
	Hosts     []Host
	Backoffs  []Backoff
}

// Host is where a name was last found, for a boot without name service.
type Host struct {
	Name  string
	Addrs []netip.Addr // at most 16
}

// AppendState appends s as text; what exceeds a bound is dropped.
//
//	NTSDSTATE1
//	drift -248.761000 1.271000                     ppm, as in the drift file
//	time 1795304179.500000000 1000000              seconds, error in ns
//	host time.example 192.0.2.1 2001:db8::1
//	ke 192.0.2.1:4460 3 1795304179.000000000       as in the backoff file
//	sum HEX
func AppendState(b []byte, s State) []byte {
	start := len(b)
	b = append(b, magicState+"\n"...)
	if s.DriftKnown {
		b = fmt.Appendf(b, "drift %.6f %.6f\n", s.Drift.Frequency.PPM(), s.Drift.Skew.PPM())
	}
	if s.Time != 0 {
		b = appendWall(append(b, "time "...), s.Time)
		b = fmt.Appendf(b, " %d\n", int64(s.TimeError))
	}
	hosts := 0
	for _, h := range s.Hosts {
		if !validName(h.Name) || len(h.Addrs) == 0 || hosts == maxHosts {
			continue
		}
		hosts++
		b = append(append(b, "host "...), h.Name...)
		for _, a := range h.Addrs[:min(len(h.Addrs), maxHostAddrs)] {
			b = append(append(b, ' '), a.String()...)
		}
		b = append(b, '\n')
	}
	for _, o := range s.Backoffs[:min(len(s.Backoffs), MaxBackoffs)] {
		b = appendBackoff(b, o)
	}
	return append(b[:start:start], appendSum(b[start:])...)
}

// ParseState reads what AppendState writes.
func ParseState(b []byte) (State, error) {
	lines, err := openFrame(b, magicState)
	if err != nil {
		return State{}, err
	}
	var s State
	for i, line := range lines {
		if err := parseStateLine(&s, line); err != nil {
			return State{}, fmt.Errorf("line %d: %w", i+2, err)
		}
	}
	return s, nil
}

// parseStateLine reads one line into s.
func parseStateLine(s *State, line string) (err error) {
	f := strings.Split(line, " ")
	switch key := f[0]; {
	case key == "drift" && !s.DriftKnown:
		s.Drift, err = ParseDrift([]byte(strings.TrimPrefix(line, "drift ") + "\n"))
		s.DriftKnown = true
	case key == "time" && s.Time == 0 && len(f) == 3:
		if s.Time, err = parseWall(f[1]); err == nil {
			s.TimeError, err = parseNanoseconds(f[2])
		}
	case key == "host" && len(s.Hosts) < maxHosts:
		var h Host
		h, err = parseHost(f[1:])
		s.Hosts = append(s.Hosts, h)
	case key == "ke" && len(s.Backoffs) < MaxBackoffs:
		var o Backoff
		o, err = parseBackoff(f)
		s.Backoffs = append(s.Backoffs, o)
	default:
		err = fmt.Errorf("unknown, repeated or malformed: %.40q", line)
	}
	return err
}

// parseNanoseconds reads an error bound.
func parseNanoseconds(text string) (time.Duration, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("no error bound: %q", text)
	}
	return time.Duration(n), nil
}

// parseHost reads a name and its addresses.
func parseHost(f []string) (Host, error) {
	if len(f) < 2 || len(f) > 1+maxHostAddrs || !validName(f[0]) {
		return Host{}, errors.New("no name with addresses")
	}
	h := Host{Name: f[0]}
	for _, text := range f[1:] {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return Host{}, err
		}
		h.Addrs = append(h.Addrs, a)
	}
	return h, nil
}

// SaveState writes path, 0600: the addresses of our servers are nobody's
// business.
func SaveState(path string, s State) error {
	return WriteAtomic(path, PrivatePerm, AppendState(nil, s))
}

// LoadState reads path; a missing file is the zero State.
func LoadState(path string) (State, error) {
	b, err := ReadPrivate(path, maxStateFile)
	if errors.Is(err, fs.ErrNotExist) {
		return State{}, nil
	}
	if err != nil {
		return State{}, err
	}
	s, err := ParseState(b)
	if err != nil {
		return State{}, damaged(path, err)
	}
	return s, nil
}

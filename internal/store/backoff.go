//go:build linux

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strconv"
	"strings"

	"ntsd/internal/clock"
)

// magicBackoff begins the backoff file.
const magicBackoff = "NTSDBACKOFF1"

// Bounds of the backoff file.
const (
	MaxBackoffs    = 64 // entries
	maxBackoffFile = 16 << 10
)

// Backoff is how long a KE server is to be left alone, kept over restarts so
// that a daemon that crashes in a circle does not knock at every turn.
type Backoff struct {
	KE        netip.AddrPort
	Retries   uint16     // failures in a row
	NotBefore clock.Wall // as the clock was then: the caller bounds the wait
}

// AppendBackoffs appends the file:
//
//	NTSDBACKOFF1
//	ke 192.0.2.1:4460 3 1795304179.000000000     address, retries, not before
//	sum HEX
//
// Beyond 64 entries the rest is dropped.
func AppendBackoffs(b []byte, all []Backoff) []byte {
	start := len(b)
	b = append(b, magicBackoff+"\n"...)
	for _, o := range all[:min(len(all), MaxBackoffs)] {
		b = appendBackoff(b, o)
	}
	return append(b[:start:start], appendSum(b[start:])...)
}

// ParseBackoffs reads what AppendBackoffs writes.
func ParseBackoffs(b []byte) ([]Backoff, error) {
	lines, err := openFrame(b, magicBackoff)
	if err != nil {
		return nil, err
	}
	if len(lines) > MaxBackoffs {
		return nil, fmt.Errorf("more than %d entries", MaxBackoffs)
	}
	var all []Backoff
	for i, line := range lines {
		o, err := parseBackoff(strings.Split(line, " "))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+2, err)
		}
		all = append(all, o)
	}
	return all, nil
}

// appendBackoff appends one line.
func appendBackoff(b []byte, o Backoff) []byte {
	b = fmt.Appendf(b, "ke %s %d ", o.KE, o.Retries)
	return append(appendWall(b, o.NotBefore), '\n')
}

// parseBackoff reads the fields of one line.
func parseBackoff(f []string) (o Backoff, err error) {
	if len(f) != 4 || f[0] != "ke" {
		return Backoff{}, errors.New("not an entry")
	}
	if o.KE, err = netip.ParseAddrPort(f[1]); err != nil {
		return Backoff{}, err
	}
	n, err := strconv.ParseUint(f[2], 10, 16)
	if err != nil {
		return Backoff{}, fmt.Errorf("no number: %q", f[2])
	}
	o.Retries = uint16(n)
	o.NotBefore, err = parseWall(f[3])
	return o, err
}

// SaveBackoffs writes path, or removes it when there is nothing to remember.
func SaveBackoffs(path string, all []Backoff) error {
	if len(all) == 0 {
		return Remove(path)
	}
	return WriteAtomic(path, PrivatePerm, AppendBackoffs(nil, all))
}

// LoadBackoffs reads path; a missing file is an empty list.
func LoadBackoffs(path string) ([]Backoff, error) {
	b, err := ReadPrivate(path, maxBackoffFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all, err := ParseBackoffs(b)
	if err != nil {
		return nil, damaged(path, err)
	}
	return all, nil
}

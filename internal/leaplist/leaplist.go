// Package leaplist reads the list of leap seconds that the IERS and NIST
// publish (leap-seconds.list) and says what it tells of a day. It is layer 1: it
// reads no file and no clock.
//
// Non-goals: what is done at a leap second (discipline), and the tables of the
// time zone database (right/UTC).
package leaplist

import (
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ntsd/internal/clock"
)

// Implementation limits.
const (
	// MaxSize is how long a list may be: today's have 5 KB, most of it comment.
	MaxSize = 64 << 10
	// maxEntries is far more leap seconds than there will be.
	maxEntries = 256
	// maxOffset is more than TAI-UTC will be in the lifetime of clock.Wall.
	maxOffset = 1000
)

// Why a list is refused. Test with errors.Is.
var (
	ErrFormat = errors.New("leaplist: not a list of leap seconds")
	ErrHash   = errors.New("leaplist: the hash does not match")
)

// List is a table of leap seconds. It is not changed once read, so it may be
// shared. A nil List knows nothing.
type List struct {
	expires clock.Wall
	entries []entry // in order of time, at least one
}

// entry is a change of TAI-UTC, in seconds.
type entry struct {
	at  clock.Wall
	tai int32
}

// ntpEpoch is 1900-01-01 in seconds before 1970.
const ntpEpoch = 2208988800

// Parse reads a list: lines of "seconds since 1900" and "TAI-UTC", with
// comments from # on, of which three are special:
//
//	#$ when it was last changed
//	#@ when it expires
//	#h five words of a SHA-1 in hexadecimal: of the digits of both, and of those
//	   of all lines, in their order
//
// A list without them, or with a wrong hash, is refused: a time that is a second
// off comes of it.
func Parse(text []byte) (*List, error) {
	if len(text) > MaxSize {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrFormat, MaxSize)
	}
	p := parser{}
	for i, line := range strings.Split(string(text), "\n") {
		if err := p.line(strings.TrimSuffix(line, "\r")); err != nil {
			return nil, fmt.Errorf("%w: line %d: %s", ErrFormat, i+1, err)
		}
	}
	switch {
	case p.updated == "" || p.expires == "" || p.hash == nil:
		return nil, fmt.Errorf("%w: #$, #@ or #h is missing", ErrFormat)
	case len(p.list.entries) == 0:
		return nil, fmt.Errorf("%w: it is empty", ErrFormat)
	case sha1.Sum([]byte(p.updated+p.expires+p.digits.String())) != [sha1.Size]byte(p.hash):
		return nil, ErrHash
	}
	return &p.list, nil
}

// parser is a list while it is read.
type parser struct {
	list             List
	updated, expires string
	hash             []byte
	digits           strings.Builder
}

func (p *parser) line(line string) (err error) {
	line = strings.TrimSpace(line)
	switch {
	case strings.HasPrefix(line, "#$"):
		p.updated, _, err = seconds(line[2:])
		return err
	case strings.HasPrefix(line, "#@"):
		p.expires, p.list.expires, err = seconds(line[2:])
		return err
	case strings.HasPrefix(line, "#h"):
		p.hash, err = words(line[2:])
		return err
	}
	line, _, _ = strings.Cut(line, "#")
	fields := strings.Fields(line)
	switch len(fields) {
	case 0:
		return nil
	case 2:
		return p.entry(fields[0], fields[1])
	}
	return fmt.Errorf("got %q, want a time and an offset", line)
}

func (p *parser) entry(when, offset string) error {
	_, at, err := seconds(when)
	if err != nil {
		return err
	}
	tai, err := strconv.ParseInt(offset, 10, 32)
	entries := p.list.entries
	switch {
	case err != nil || tai < 1 || tai > maxOffset:
		return fmt.Errorf("offset %q is not from 1 to %d", offset, maxOffset)
	case len(entries) == maxEntries:
		return fmt.Errorf("more than %d leap seconds", maxEntries)
	case len(entries) > 0 && at <= entries[len(entries)-1].at:
		return errors.New("not in the order of time")
	}
	p.list.entries = append(entries, entry{at, int32(tai)})
	p.digits.WriteString(when)
	p.digits.WriteString(offset)
	return nil
}

// seconds reads a time, and returns its digits as well.
func seconds(text string) (digits string, at clock.Wall, err error) {
	digits = strings.TrimSpace(text)
	n, err := strconv.ParseInt(digits, 10, 64)
	const most = int64(1<<63-1)/1e9 - 2*86400 // clock.Wall holds the days round it
	if err != nil || n < ntpEpoch || n-ntpEpoch > most || digits[0] == '+' {
		return "", 0, fmt.Errorf("%q is no time since 1970", digits)
	}
	return digits, clock.WallUnix(n-ntpEpoch, 0), nil
}

// words reads a hash. Leading zeros of a word may be missing.
func words(text string) ([]byte, error) {
	fields := strings.Fields(text)
	if len(fields) != sha1.Size/4 {
		return nil, fmt.Errorf("%d words of hash, want %d", len(fields), sha1.Size/4)
	}
	var hash []byte
	for _, f := range fields {
		w, err := strconv.ParseUint(f, 16, 32)
		if err != nil {
			return nil, fmt.Errorf("%q is no word of a hash", f)
		}
		hash = binary.BigEndian.AppendUint32(hash, uint32(w))
	}
	return hash, nil
}

// Expires is the time up to which the list tells all leap seconds.
func (l *List) Expires() clock.Wall {
	if l == nil {
		return 0
	}
	return l.expires
}

// TAI returns TAI-UTC in seconds at a time; ok is false where the list does not
// know it: before its first entry, or after its end.
func (l *List) TAI(at clock.Wall) (offset int32, ok bool) {
	if l == nil || at >= l.expires {
		return 0, false
	}
	i, found := slices.BinarySearchFunc(l.entries, at, func(e entry, at clock.Wall) int {
		switch {
		case e.at < at:
			return -1
		case e.at > at:
			return 1
		}
		return 0
	})
	if !found {
		i--
	}
	if i < 0 {
		return 0, false
	}
	return l.entries[i].tai, true
}

// Leap returns by how much TAI-UTC grows at the end of the UTC day that holds
// at: 1 where a second is inserted, -1 where one is deleted, else 0. known is
// false where the list does not tell.
func (l *List) Leap(at clock.Wall) (by int, known bool) {
	before, known := l.TAI(at)
	after, still := l.TAI(at.Midnight())
	switch {
	case !known || !still:
		return 0, false
	case before == after:
		return 0, true
	case after > before:
		return 1, true
	}
	return -1, true
}

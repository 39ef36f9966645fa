//go:build linux

package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"

	"ntsd/internal/nts"
)

// ReserveCookies is how many cookies per server are set aside for the boot:
// one to spend, and one for the boot after it, should the power go before the
// reserve is filled again.
const ReserveCookies = 2

// Why a session cannot lie in the reserve.
var errNotStrict = errors.New("not from a strict key establishment")

// SaveReserve writes the cookies set aside for a boot without a right clock,
// or removes the file when there are none. Only strict sessions with a window
// of validity are taken, others are left out: the window is what the boot will
// check the time against. Each keeps its first ReserveCookies cookies.
//
// To spend one, save the reserve without it first. When that succeeds, file
// and folder are on the disk, and the cookie may leave: RFC 8915 §5.7 wants
// no cookie sent twice, also over a power cut.
func SaveReserve(path string, sessions []nts.Session) error {
	var b []byte
	n := 0
	for _, s := range sessions {
		s.Cookies = s.Cookies[:min(len(s.Cookies), ReserveCookies)]
		if len(s.Cookies) == 0 || checkReserve(s) != nil || n == maxTogether {
			continue
		}
		more := AppendSession(b, s)
		if len(more) > maxSessionFile {
			continue
		}
		b = more
		n++
	}
	if n == 0 {
		return Remove(path)
	}
	return WriteAtomic(path, PrivatePerm, b)
}

// LoadReserve reads the reserve; a missing file is an empty one. It is
// accepted whole or not at all.
func LoadReserve(path string) ([]nts.Session, error) {
	b, err := ReadPrivate(path, maxSessionFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	sessions, err := ParseReserve(b)
	if err != nil {
		return nil, damaged(path, err)
	}
	return sessions, nil
}

// ParseReserve reads sessions that stand one after the other.
func ParseReserve(b []byte) ([]nts.Session, error) {
	var all []nts.Session
	for len(b) > 0 {
		if len(all) == maxTogether {
			return nil, fmt.Errorf("more than %d sessions", maxTogether)
		}
		i := bytes.Index(b, []byte("\nsum "))
		if i < 0 {
			return nil, errNotWhole
		}
		end := i + len("\nsum ") + 2*sumLen + 1
		s, err := ParseSession(b[:min(end, len(b))])
		if err == nil {
			err = checkReserve(s)
		}
		if err != nil {
			return nil, fmt.Errorf("session %d: %w", len(all)+1, err)
		}
		all = append(all, s)
		b = b[end:]
	}
	return all, nil
}

// checkReserve refuses what must not decide about the time at boot.
func checkReserve(s nts.Session) error {
	switch {
	case !s.Strict || !s.NotBefore.Before(s.NotAfter):
		return errNotStrict
	case len(s.Cookies) > ReserveCookies:
		return fmt.Errorf("more than %d cookies", ReserveCookies)
	}
	return checkSession(s)
}

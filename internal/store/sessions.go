//go:build linux

package store

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"ntsd/internal/nts"
)

// sessionSuffix ends the names of session files.
const sessionSuffix = ".nts"

// SessionName returns the file name for the session with a KE server:
// ADDR.nts, or ADDR_PORT.nts where the port is not 4460. Addresses are written
// as literals, a zone with them.
func SessionName(ke netip.AddrPort) string {
	name := ke.Addr().String()
	if ke.Port() != nts.DefaultPort {
		name += "_" + strconv.Itoa(int(ke.Port()))
	}
	return name + sessionSuffix
}

// parseSessionName is the inverse. Names that would be written differently are
// refused, so that one server has one file.
func parseSessionName(name string) (netip.AddrPort, error) {
	base, ok := strings.CutSuffix(name, sessionSuffix)
	if !ok {
		return netip.AddrPort{}, errors.New("no session file")
	}
	port := uint16(nts.DefaultPort)
	addr, err := netip.ParseAddr(base)
	if i := strings.LastIndexByte(base, '_'); err != nil && i >= 0 {
		if port, err = parsePort(base[i+1:]); err == nil {
			addr, err = netip.ParseAddr(base[:i])
		}
	}
	if err != nil {
		return netip.AddrPort{}, errors.New("the name is no address")
	}
	ke := netip.AddrPortFrom(addr, port)
	if SessionName(ke) != name {
		return netip.AddrPort{}, fmt.Errorf("the name should be %s", SessionName(ke))
	}
	return ke, nil
}

// SaveSession writes s to its file in dir, 0600. A session without cookies is
// no use to the next start: its file is removed. So is one that cannot be
// replaced: cookies in it are about to be spent, and a restart would spend them
// again.
func SaveSession(dir string, s nts.Session) error {
	name := SessionName(netip.AddrPortFrom(s.KEAddr, s.KEPort))
	if strings.ContainsRune(name, '/') { // a zone is any text
		return fmt.Errorf("store: session of %v: no file name", s.KEAddr)
	}
	path := filepath.Join(dir, name)
	if len(s.Cookies) == 0 {
		return Remove(path)
	}
	if err := checkSession(s); err != nil {
		return fmt.Errorf("store: session of %v: %w", s.KEAddr, err)
	}
	err := WriteAtomic(path, PrivatePerm, AppendSession(nil, s))
	if err != nil {
		err = errors.Join(err, Remove(path))
	}
	return err
}

// RemoveSession unlinks the file of a session whose keys are dead.
func RemoveSession(dir string, ke netip.AddrPort) error {
	return Remove(filepath.Join(dir, SessionName(ke)))
}

// LoadSession reads one session file, ours or chrony's. Whether it is too old,
// or from the future, is for the caller to say: he knows how far the clock can
// be trusted.
func LoadSession(path string) (nts.Session, error) {
	b, err := ReadPrivate(path, maxSessionFile)
	if err != nil {
		return nts.Session{}, err
	}
	ke, err := parseSessionName(filepath.Base(path))
	if err != nil {
		return nts.Session{}, damaged(path, err)
	}
	var s nts.Session
	if bytes.HasPrefix(b, []byte(magicChrony)) {
		if s, err = ParseChronySession(b); err == nil {
			s.KEAddr, s.KEPort = ke.Addr(), ke.Port()
			err = checkSession(s)
		}
	} else {
		s, err = ParseSession(b)
	}
	switch {
	case err != nil:
	case netip.AddrPortFrom(s.KEAddr, s.KEPort) != ke:
		// RFC 8915 §5.7: cookies go to the server that gave them, no other.
		err = errors.New("the name is another server's")
	case len(s.Cookies) == 0:
		err = errors.New("no cookies")
	}
	if err != nil {
		return nts.Session{}, damaged(path, err)
	}
	return s, nil
}

// LoadSessions reads all session files in dir. What is refused is listed in
// errs by name and reason, the others load; a missing folder has none.
func LoadSessions(dir string) (sessions []nts.Session, errs []error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		if !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, fmt.Errorf("store: read folder: %w", err))
		}
		return nil, errs
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), sessionSuffix) || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if len(sessions)+len(errs) == maxTogether {
			return sessions, append(errs, fmt.Errorf("store: %s: more than %d sessions", dir, maxTogether))
		}
		s, err := LoadSession(filepath.Join(dir, e.Name()))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		sessions = append(sessions, s)
	}
	return sessions, errs
}

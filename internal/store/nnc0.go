//go:build linux

package store

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"ntsd/internal/nts"
	"ntsd/internal/siv"
)

// magicChrony begins the cookie files of chrony 4.
const magicChrony = "NNC0"

// ParseChronySession reads a cookie file of chrony's:
//
//	NNC0
//	time.example
//	1795304179.5                  when the keys were established
//	192.0.2.1 123                 where NTP goes
//	1 30 C2SHEX S2CHEX            context, AEAD, keys
//	COOKIEHEX                     up to eight
//
// The file's name, not its content, has the KE server's address, so the caller
// fills in KEAddr and KEPort. chrony keeps no dates of the certificates: the
// session is not strict and its validity is empty.
func ParseChronySession(b []byte) (nts.Session, error) {
	text, whole := strings.CutSuffix(string(b), "\n")
	lines := strings.Split(text, "\n")
	if !whole || len(lines) < 5 || lines[0] != magicChrony {
		return nts.Session{}, errors.New("not a whole file of kind " + magicChrony)
	}
	s := nts.Session{KEName: lines[1]}
	var err error
	if s.Established, err = parseWall(lines[2]); err != nil {
		return nts.Session{}, fmt.Errorf("line 3: %w", err)
	}
	if s.NTPAddr, err = parseChronyAddr(lines[3]); err != nil {
		return nts.Session{}, fmt.Errorf("line 4: %w", err)
	}
	if err = parseChronyKeys(&s, lines[4]); err != nil {
		return nts.Session{}, fmt.Errorf("line 5: %w", err)
	}
	for i, line := range lines[5:] {
		if err := parseCookie(&s, line); err != nil {
			return nts.Session{}, fmt.Errorf("line %d: %w", i+6, err)
		}
	}
	return s, nil
}

// parseChronyAddr reads "ADDRESS PORT".
func parseChronyAddr(line string) (netip.AddrPort, error) {
	text, port, _ := strings.Cut(line, " ")
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.AddrPort{}, err
	}
	n, err := parsePort(port)
	return netip.AddrPortFrom(addr, n), err
}

// parseChronyKeys reads "CONTEXT AEAD C2S S2C".
func parseChronyKeys(s *nts.Session, line string) error {
	f := strings.Fields(line)
	if len(f) != 4 {
		return fmt.Errorf("%d fields, not 4", len(f))
	}
	id, err := parsePort(f[1])
	if err != nil {
		return errors.New("no AEAD")
	}
	s.AEAD = siv.Algorithm(id)
	if s.C2S, err = parseBytes(f[2], maxKeyLen); err != nil {
		return err
	}
	s.S2C, err = parseBytes(f[3], maxKeyLen)
	return err
}

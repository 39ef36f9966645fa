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

// Bounds of what is read: one session, and all that one file may hold.
const (
	maxKeyLen      = 64 // the longest key of any AEAD
	maxName        = 254
	maxSessionFile = 64 << 10
	maxTogether    = 64 // sessions in one folder, or in one file
)

// magicSession begins every saved session.
const magicSession = "NTSD1"

// AppendSession appends s as text:
//
//	NTSD1
//	name time.example
//	ke 192.0.2.1 4460
//	ntp 192.0.2.1:123
//	aead 30
//	c2s HEX
//	s2c HEX
//	altc2s HEX        only with a second pair of keys
//	alts2c HEX
//	established 1795304179.500000000
//	valid 1790000000.000000000 1799999999.000000000
//	strict yes
//	cookie HEX        one line each, next one first
//	sum HEX
func AppendSession(b []byte, s nts.Session) []byte {
	start := len(b)
	b = fmt.Appendf(b, "%s\nname %s\nke %s %d\nntp %s\naead %d\nc2s %x\ns2c %x\n",
		magicSession, s.KEName, s.KEAddr, s.KEPort, s.NTPAddr, uint16(s.AEAD), s.C2S, s.S2C)
	if s.AltC2S != nil && s.AltS2C != nil {
		b = fmt.Appendf(b, "altc2s %x\nalts2c %x\n", s.AltC2S, s.AltS2C)
	}
	b = append(appendWall(append(b, "established "...), s.Established), "\nvalid "...)
	b = append(appendWall(b, s.NotBefore), ' ')
	b = append(appendWall(b, s.NotAfter), '\n')
	strict := "no"
	if s.Strict {
		strict = "yes"
	}
	b = fmt.Appendf(b, "strict %s\n", strict)
	for _, c := range s.Cookies {
		b = fmt.Appendf(b, "cookie %x\n", c)
	}
	return append(b[:start:start], appendSum(b[start:])...)
}

// ParseSession reads what AppendSession writes. Every line but cookie occurs
// once; nothing unknown is passed over, for a version that adds lines changes
// the magic.
func ParseSession(b []byte) (nts.Session, error) {
	lines, err := openFrame(b, magicSession)
	if err != nil {
		return nts.Session{}, err
	}
	var s nts.Session
	seen := make(map[string]bool, len(sessionKeys))
	for i, line := range lines {
		key, value, _ := strings.Cut(line, " ")
		if seen[key] && key != "cookie" {
			return nts.Session{}, fmt.Errorf("line %d: %s again", i+2, key)
		}
		seen[key] = true
		if err := parseSessionLine(&s, key, value); err != nil {
			return nts.Session{}, fmt.Errorf("line %d: %w", i+2, err)
		}
	}
	for _, key := range sessionKeys {
		if !seen[key] {
			return nts.Session{}, fmt.Errorf("%s is missing", key)
		}
	}
	return s, checkSession(s)
}

// sessionKeys are the lines without which a session is useless. Never written.
var sessionKeys = [...]string{"name", "ke", "ntp", "aead", "c2s", "s2c", "established", "valid", "strict"}

// parseSessionLine reads one line into s.
func parseSessionLine(s *nts.Session, key, value string) (err error) {
	switch key {
	case "name":
		s.KEName = value
	case "ke":
		addr, port, _ := strings.Cut(value, " ")
		if s.KEAddr, err = netip.ParseAddr(addr); err == nil {
			s.KEPort, err = parsePort(port)
		}
	case "ntp":
		s.NTPAddr, err = netip.ParseAddrPort(value)
	case "aead":
		var n uint16
		n, err = parsePort(value) // as a port: 16 bits, and 0 is none
		s.AEAD = siv.Algorithm(n)
	case "c2s":
		s.C2S, err = parseBytes(value, maxKeyLen)
	case "s2c":
		s.S2C, err = parseBytes(value, maxKeyLen)
	case "altc2s":
		s.AltC2S, err = parseBytes(value, maxKeyLen)
	case "alts2c":
		s.AltS2C, err = parseBytes(value, maxKeyLen)
	case "established":
		s.Established, err = parseWall(value)
	case "valid":
		from, to, _ := strings.Cut(value, " ")
		if s.NotBefore, err = parseWall(from); err == nil {
			s.NotAfter, err = parseWall(to)
		}
	case "strict":
		s.Strict = value == "yes"
		if !s.Strict && value != "no" {
			err = errors.New("strict is neither yes nor no")
		}
	case "cookie":
		err = parseCookie(s, value)
	default:
		err = fmt.Errorf("unknown key %.20q", key)
	}
	return err
}

// parseCookie reads one cookie into s.
func parseCookie(s *nts.Session, text string) error {
	if len(s.Cookies) == nts.MaxCookies {
		return errors.New("too many cookies")
	}
	c, err := parseBytes(text, nts.MaxCookieLen)
	if err != nil {
		return err
	}
	s.Cookies = append(s.Cookies, c)
	return nil
}

// checkSession refuses what nts could not use or what no key establishment
// yields.
func checkSession(s nts.Session) error {
	size := s.AEAD.KeySize()
	switch {
	case size == 0:
		return fmt.Errorf("unknown AEAD %d", uint16(s.AEAD))
	case len(s.C2S) != size || len(s.S2C) != size:
		return fmt.Errorf("keys of %d and %d bytes, AEAD %d has %d", len(s.C2S), len(s.S2C), uint16(s.AEAD), size)
	case (s.AltC2S == nil) != (s.AltS2C == nil):
		return errors.New("half of the second pair of keys")
	case s.AltC2S != nil && (len(s.AltC2S) != size || len(s.AltS2C) != size):
		return errors.New("second pair of keys has the wrong length")
	case !validName(s.KEName):
		return fmt.Errorf("no host name: %.40q", s.KEName)
	case !s.NTPAddr.IsValid() || s.NTPAddr.Port() == 0 || s.NTPAddr.Addr().IsUnspecified():
		return fmt.Errorf("no NTP address: %v", s.NTPAddr)
	case !s.KEAddr.IsValid() || s.KEPort == 0:
		return errors.New("no KE address")
	case s.NotAfter.Before(s.NotBefore):
		return errors.New("validity ends before it begins")
	}
	return nil
}

// validName reports whether name may be a host name or an address: printable
// ASCII without a space. The certificate decides the rest.
func validName(name string) bool {
	if name == "" || len(name) > maxName {
		return false
	}
	for _, c := range []byte(name) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

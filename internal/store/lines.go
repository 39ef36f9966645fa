//go:build linux

package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"ntsd/internal/clock"
)

// Our text files share one frame:
//
//	MAGIC           the kind of file and its version
//	key value ...   one line each
//	sum HEX         the first 8 bytes of SHA-256 over all lines before
//
// The sum tells damage, not forgery: who may write the file may write the sum.

// sumLen is how many bytes of the hash are kept.
const sumLen = 8

// errNotWhole is said of a file without an intact sum.
var errNotWhole = errors.New("checksum missing or wrong")

// appendSum closes the frame of b, which begins with its magic.
func appendSum(b []byte) []byte {
	h := sha256.Sum256(b)
	return fmt.Appendf(b, "sum %x\n", h[:sumLen])
}

// openFrame checks the sum and the magic of b and returns the lines between
// them.
func openFrame(b []byte, magic string) ([]string, error) {
	i := bytes.LastIndex(b, []byte("\nsum "))
	if i < 0 {
		return nil, errNotWhole
	}
	body := b[:i+1]
	if !bytes.Equal(appendSum(bytes.Clone(body)), b) {
		return nil, errNotWhole
	}
	lines := strings.Split(strings.TrimSuffix(string(body), "\n"), "\n")
	if lines[0] != magic {
		return nil, fmt.Errorf("not a file of kind %s", magic)
	}
	return lines[1:], nil
}

// appendWall appends seconds since 1970 with nine decimals; the seconds may
// need more than 32 bits.
func appendWall(b []byte, w clock.Wall) []byte {
	sec, nsec := w.Unix()
	return fmt.Appendf(b, "%d.%09d", sec, nsec)
}

// maxWallSeconds keeps seconds within what clock.Wall holds.
const maxWallSeconds = int64(1<<63-1)/1e9 - 1

// parseWall reads seconds since 1970 with up to nine decimals.
func parseWall(text string) (clock.Wall, error) {
	whole, frac, _ := strings.Cut(text, ".")
	sec, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || sec > maxWallSeconds || sec < -maxWallSeconds {
		return 0, fmt.Errorf("no time: %q", text)
	}
	nsec := uint64(0)
	if frac != "" {
		if len(frac) > 9 {
			return 0, fmt.Errorf("no time: %q", text)
		}
		nsec, err = strconv.ParseUint(frac+strings.Repeat("0", 9-len(frac)), 10, 32)
		if err != nil {
			return 0, fmt.Errorf("no time: %q", text)
		}
	}
	return clock.WallUnix(sec, int64(nsec)), nil
}

// parseBytes reads hexadecimal digits of 1 to limit bytes. The error keeps the
// digits to itself: they may be a key.
func parseBytes(text string, limit int) ([]byte, error) {
	if len(text) > 2*limit {
		return nil, errors.New("too many hexadecimal digits")
	}
	b, err := hex.DecodeString(text)
	if err != nil || len(b) == 0 {
		return nil, errors.New("bad hexadecimal digits")
	}
	return b, nil
}

// parsePort reads a port that is not 0.
func parsePort(text string) (uint16, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("no port: %q", text)
	}
	return uint16(n), nil
}

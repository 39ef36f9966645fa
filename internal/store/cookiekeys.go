//go:build linux

package store

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"ntsd/internal/nts"
	"ntsd/internal/server"
)

// magicCookieKeys begins the file of a server's cookie keys.
const magicCookieKeys = "NTSDKEYS1"

// Bounds of the file.
const (
	maxCookieKeys    = 101 // the current one and config's most old ones
	maxCookieKeyFile = 16 << 10
)

// errNoKeys is said of a file without a key, and of keys that cannot be.
var errNoKeys = errors.New("no usable keys")

// AppendCookieKeys appends the file:
//
//	NTSDKEYS1
//	made 1795304179.000000000     when the first key was made
//	key 7 HEX                     id and 32 bytes; the current one first
//	sum HEX
func AppendCookieKeys(b []byte, r server.Rotation) []byte {
	start := len(b)
	b = append(b, magicCookieKeys+"\nmade "...)
	b = append(appendWall(b, r.Made), '\n')
	for _, k := range r.Keys[:min(len(r.Keys), maxCookieKeys)] {
		b = fmt.Appendf(b, "key %d %x\n", k.ID, k.Key[:])
	}
	return append(b[:start:start], appendSum(b[start:])...)
}

// ParseCookieKeys reads what AppendCookieKeys writes. Errors keep the keys to
// themselves.
func ParseCookieKeys(b []byte) (server.Rotation, error) {
	lines, err := openFrame(b, magicCookieKeys)
	if err != nil {
		return server.Rotation{}, err
	}
	if len(lines) < 2 || len(lines) > 1+maxCookieKeys {
		return server.Rotation{}, errNoKeys
	}
	var r server.Rotation
	made, ok := strings.CutPrefix(lines[0], "made ")
	if !ok {
		return server.Rotation{}, errors.New("line 2: no time of making")
	}
	if r.Made, err = parseWall(made); err != nil {
		return server.Rotation{}, fmt.Errorf("line 2: %w", err)
	}
	seen := make(map[uint32]bool)
	for i, line := range lines[1:] {
		k, err := parseCookieKey(line)
		if err != nil || seen[k.ID] {
			return server.Rotation{}, fmt.Errorf("line %d: %w", i+3, errNoKeys)
		}
		seen[k.ID] = true
		r.Keys = append(r.Keys, k)
	}
	return r, nil
}

func parseCookieKey(line string) (k nts.CookieKey, err error) {
	fields := strings.Split(line, " ")
	if len(fields) != 3 || fields[0] != "key" {
		return k, errNoKeys
	}
	id, err := strconv.ParseUint(fields[1], 10, 32)
	if err != nil {
		return k, errNoKeys
	}
	key, err := parseBytes(fields[2], nts.CookieKeyLen)
	if err != nil || len(key) != nts.CookieKeyLen {
		return k, errNoKeys
	}
	k.ID = uint32(id)
	copy(k.Key[:], key)
	return k, nil
}

// SaveCookieKeys writes the file, for the owner alone.
func SaveCookieKeys(path string, r server.Rotation) error {
	return WriteAtomic(path, PrivatePerm, AppendCookieKeys(nil, r))
}

// LoadCookieKeys reads the file. A missing one is fs.ErrNotExist.
func LoadCookieKeys(path string) (server.Rotation, error) {
	b, err := ReadPrivate(path, maxCookieKeyFile)
	if err != nil {
		return server.Rotation{}, err
	}
	r, err := ParseCookieKeys(b)
	if err != nil {
		return server.Rotation{}, damaged(path, err)
	}
	return r, nil
}

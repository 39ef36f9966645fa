package ctl

import (
	"crypto/rand"
	"fmt"
	"strconv"

	"ntsd/internal/mac"
)

// Bits of a new key: chronyc's default where the type demands none, and limits.
const (
	keyBits    = 160
	mostBits   = 8 * mac.MaxSecret
	firstKeyID = 1
)

// keygen prints a new symmetric key as a line of a key file.
func (c *invocation) keygen(words []string) error {
	s := mac.Secret{ID: firstKeyID, Type: mac.AES128}
	bits := 0
	for i, w := range words[1:] {
		n, err := strconv.ParseUint(w, 10, 32)
		switch {
		case i == 0 && err == nil && n > 0:
			s.ID = uint32(n)
		case i == 0:
			return failf(ExitUsage, "keygen: %q: an id is a whole number from 1 to 4294967295", w)
		case i == 1:
			if s.Type, err = mac.ParseType(w); err != nil {
				return failf(ExitUsage, "keygen: %q: a type is MD5, SHA1, SHA256, SHA384, SHA512, AES128 or AES256", w)
			}
		case err != nil || n < mac.WeakBits || n > mostBits || n%8 != 0:
			return failf(ExitUsage, "keygen: %q: a key has from %d to %d bits, in steps of 8", w, mac.WeakBits, mostBits)
		default:
			bits = int(n)
		}
	}
	switch want := s.Type.SecretBits(); {
	case want != 0 && bits != 0 && bits != want:
		return failf(ExitUsage, "keygen: %v takes %d bits, not %d", s.Type, want, bits)
	case want != 0:
		bits = want
	case bits == 0:
		bits = keyBits
	}
	s.Value = make([]byte, bits/8)
	if _, err := rand.Read(s.Value); err != nil {
		return failf(ExitFailed, "no randomness: %v", err)
	}
	return c.print(fmt.Sprintf("%d %v HEX:%X\n", s.ID, s.Type, s.Value))
}

package assoc

import (
	"fmt"

	"ntsd/internal/mac"
)

// Symmetric keys (RFC 5905 section 7.3, RFC 8573). Requests carry a MAC, and
// nothing counts that does not carry one under the same key. There is no way
// down: a plain reply, one under another key, a crypto-NAK are counted and
// otherwise ignored, so whoever can forge them can suppress replies at most,
// which he can without. Kisses are verified like any other reply.

// newKey returns the key of a configuration that was checked.
func newKey(s *mac.Secret) *mac.Key {
	k, err := mac.New(s)
	if err != nil {
		panic(fmt.Errorf("assoc: unchecked key: %w", err))
	}
	return k
}

// authenticateMAC judges the MAC of a reply; the origin timestamp has matched.
func (a *Assoc) authenticateMAC(data []byte) Verdict {
	m := mac.Of(data)
	switch {
	case a.key == nil:
		return VerdictAccepted
	case len(m) == 0:
		return VerdictUnsigned
	case mac.IsNAK(m):
		return VerdictCryptoNAK
	case !a.key.Verify(data, m):
		return VerdictMAC
	}
	return VerdictAccepted
}

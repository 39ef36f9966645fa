package server

import (
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/nts"
)

// Rotation is the cookie keys of a server: the current one first, then those
// whose cookies are still honoured. It is a value: Next makes a new one.
type Rotation struct {
	Made clock.Wall // when the current key was made, by the clock of then
	Keys []nts.CookieKey
}

// Due reports whether the current key has been in use for long enough. RFC 8915
// §6: servers "should periodically (e.g., once daily) generate a new pair". now
// must be a time that is believed: a mad clock must not use up the keys.
func (r Rotation) Due(now clock.Wall, every time.Duration) bool {
	return len(r.Keys) == 0 || now.Sub(r.Made).Duration() >= every
}

// Next returns the keys with a fresh one before them, of which keep are old.
// Older ones are erased: what was sealed under them stays secret, RFC 8915 §6.
func (r Rotation) Next(now clock.Wall, fresh [nts.CookieKeyLen]byte, keep int) Rotation {
	id := uint32(1)
	if len(r.Keys) > 0 {
		id = r.Keys[0].ID + 1 // 2^32 rotations take longer than any key is kept
	}
	keys := make([]nts.CookieKey, 0, 1+keep)
	keys = append(keys, nts.CookieKey{ID: id, Key: fresh})
	keys = append(keys, r.Keys[:min(len(r.Keys), keep)]...)
	return Rotation{Made: now, Keys: keys}
}

// Believed returns the keys with a time of making that is not after now: it was
// noted before the clock was set back.
func (r Rotation) Believed(now clock.Wall) Rotation {
	r.Made = min(r.Made, now)
	return r
}

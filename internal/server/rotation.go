package server

import (
	"crypto/hkdf"
	"crypto/sha256"
	"strconv"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/nts"
)

// maxSteps bounds how far a fleet's keys are moved on at once: a year and some
// days of daily keys. A clock that is further ahead is mad, and would burn the
// keys of a member for ever.
const maxSteps = 400

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

// A fleet's keys are a ratchet: each follows from the one before, so members
// that began with the same file open each other's cookies without a word
// between them, and none can go back.

// Step returns a fleet's keys moved on by one: K(i+1) = HKDF(K(i), i). A step
// falls due exactly every after the one before, whenever it is carried out.
func (r Rotation) Step(every time.Duration, keep int) Rotation {
	next := r.Next(r.Made.Add(every), [nts.CookieKeyLen]byte{}, keep)
	next.Keys[0] = follows(r.Keys[0])
	return next
}

// follows returns the key after k.
func follows(k nts.CookieKey) nts.CookieKey {
	derived, err := hkdf.Expand(sha256.New, k.Key[:], "ntsd cookie key "+strconv.FormatUint(uint64(k.ID), 10), nts.CookieKeyLen)
	if err != nil {
		panic("server: " + err.Error()) // the length is constant and short
	}
	return nts.CookieKey{ID: k.ID + 1, Key: [nts.CookieKeyLen]byte(derived)}
}

// CatchUp returns a fleet's keys as they should be at a time that is believed;
// ok is false where that is too far ahead of them, and they stay.
func (r Rotation) CatchUp(now clock.Wall, every time.Duration, keep int) (caught Rotation, ok bool) {
	if int64(now.Sub(r.Made).Duration()/every) > maxSteps {
		return r, false
	}
	for r.Due(now, every) {
		r = r.Step(every, keep)
	}
	return r, true
}

// WithNext returns the keys that a member of a fleet accepts: also the next,
// whose time has come already by the clock of another.
func (r Rotation) WithNext() []nts.CookieKey {
	keys := make([]nts.CookieKey, 0, len(r.Keys)+1)
	keys = append(keys, r.Keys...)
	return append(keys, follows(r.Keys[0]))
}

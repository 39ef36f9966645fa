package server

import (
	"testing"
	"time"

	"ntsd/internal/nts"
)

func TestRotation(t *testing.T) {
	const keep, day = 3, 24 * time.Hour
	var r Rotation
	now := arrival()
	if !r.Due(now, day) {
		t.Error("no key at all: not due")
	}
	for i := range 6 {
		r = r.Next(now, [nts.CookieKeyLen]byte{byte(i)}, keep)
		if r.Due(now.Add(day-1), day) || !r.Due(now.Add(day), day) {
			t.Errorf("rotation %d: due early or late", i)
		}
		if want := min(i, keep) + 1; len(r.Keys) != want || r.Keys[0].ID != uint32(i+1) || r.Keys[0].Key[0] != byte(i) {
			t.Errorf("rotation %d: got %d keys, %v first; want %d, id %d", i, len(r.Keys), r.Keys[0], want, i+1)
		}
		now = now.Add(day)
	}
	if last := r.Keys[len(r.Keys)-1].ID; last != 3 {
		t.Errorf("oldest key: got id %d, want 3", last)
	}
	back := r.Believed(arrival())
	if back.Made != arrival() || r.Believed(now).Made != r.Made {
		t.Errorf("made: got %v after a step back, want now", back.Made)
	}
	if _, err := nts.NewKeyring(r.Keys[0], r.Keys[1:]...); err != nil {
		t.Error(err)
	}
}

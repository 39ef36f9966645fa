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

// Members of a fleet that began with one key open each other's cookies across
// rotations though their clocks differ by minutes; one whose clock is mad
// keeps its keys.
func TestFleet(t *testing.T) {
	const keep, every = 3, time.Hour
	first := Rotation{Made: arrival()}.Next(arrival(), [nts.CookieKeyLen]byte{1, 2, 3}, keep)
	skews := []time.Duration{0, 5 * time.Minute, -5 * time.Minute}
	members := []Rotation{first, first, first}
	c := newClient(t, 15)
	for minute := range 12 * 60 {
		now := arrival().Add(time.Duration(minute) * time.Minute)
		rings := make([]*nts.Keyring, len(members))
		for i := range members {
			var ok bool
			if members[i], ok = members[i].CatchUp(now.Add(skews[i]), every, keep); !ok {
				t.Fatalf("minute %d: member %d does not catch up", minute, i)
			}
			keys := members[i].WithNext()
			ring, err := nts.NewKeyring(keys[0], keys[1:]...)
			if err != nil {
				t.Fatal(err)
			}
			rings[i] = ring
		}
		for i := range rings {
			cookie := c.cookie(rings[i])
			for j := range rings {
				var opened nts.Keys
				if err := rings[j].Open(cookie, &opened); err != nil {
					t.Fatalf("minute %d: member %d's cookie at member %d: %v", minute, i, j, err)
				}
			}
		}
	}
	late, ok := first.CatchUp(arrival().Add(12*every), every, keep)
	if now, _ := members[0].CatchUp(arrival().Add(12*every), every, keep); !ok || late.Keys[0] != now.Keys[0] || late.Made != now.Made {
		t.Errorf("after a long rest: got %v made %v, want %v made %v", late.Keys[0], late.Made, now.Keys[0], now.Made)
	}
	mad, ok := members[0].CatchUp(arrival().Add(26*365*24*time.Hour), every, keep)
	if ok || mad.Keys[0] != members[0].Keys[0] {
		t.Errorf("a clock of decades ahead: moved on to %v", mad.Keys[0])
	}
	for i, k := range late.Keys {
		if want := late.Keys[0].ID - uint32(i); k.ID != want {
			t.Errorf("key %d: got id %d, want %d", i, k.ID, want)
		}
	}
}

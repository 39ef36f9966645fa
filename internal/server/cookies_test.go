package server

import (
	"testing"

	"ntsd/internal/nts"
	"ntsd/internal/siv"
)

// TestCookieCounts: each cookie is counted by the age of its key.
func TestCookieCounts(t *testing.T) {
	var keys []nts.CookieKey
	for id := uint32(9); id > 0; id-- { // 9 is the current one, 1 the oldest
		k := nts.CookieKey{ID: id}
		k.Key[0] = byte(id)
		keys = append(keys, k)
	}
	whole, err := nts.NewKeyring(keys[0], keys[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, siv.AESSIVCMAC256)
	s := New(Config{Cookies: whole, Rand: c.rand})
	for id, times := range map[uint32]int{9: 5, 8: 4, 7: 3, 6: 2, 2: 1, 10: 6} {
		cookie := c.cookie(newRing(t, id))
		for range times {
			req := from("198.51.100.7:40000")
			req.Data = c.request(t, cookie, 1)
			s.Reply(nil, req, arrival(), goodSystem())
		}
	}
	req := from("198.51.100.7:40000")
	cookie := c.cookie(newRing(t, 9))
	cookie[30] ^= 1
	req.Data = c.request(t, cookie, 1)
	s.Reply(nil, req, arrival(), goodSystem())
	want := CookieCounts{Made: 2 * 15, Opened: [cookieAges]uint64{5, 4, 3, 3}, Expired: 6, Bad: 1}
	if got := s.Cookies(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	sum := want
	sum.Add(&want)
	if sum != (CookieCounts{Made: 60, Opened: [cookieAges]uint64{10, 8, 6, 6}, Expired: 12, Bad: 2}) {
		t.Errorf("twice that: got %+v", sum)
	}
}

package server

import (
	"errors"

	"ntsd/internal/nts"
)

// cookieAges is how many keys before the current one are told apart in
// CookieCounts: the last of them stands for all that are older still.
const cookieAges = 4

// CookieCounts says what became of cookies.
type CookieCounts struct {
	Made uint64 // sealed, for requests and for key establishments
	// Opened counts by how many keys before the current one they were sealed
	// under: 0 (or under the next one of a fleet), 1, 2, and 3 or more.
	Opened [cookieAges]uint64
	// Expired cookies name a key that is no longer, or not yet, in the ring;
	// Bad ones are no cookies of ours, or were changed.
	Expired, Bad uint64
}

// Add adds d to c: the sum over several servers.
func (c *CookieCounts) Add(d *CookieCounts) {
	c.Made += d.Made
	for age, n := range d.Opened {
		c.Opened[age] += n
	}
	c.Expired += d.Expired
	c.Bad += d.Bad
}

// opened counts an attempt to open one.
func (c *CookieCounts) opened(keys *nts.Keys, err error) {
	switch {
	case err == nil:
		c.Opened[min(keys.Age, cookieAges-1)]++
	case errors.Is(err, nts.ErrCookieExpired):
		c.Expired++
	default:
		c.Bad++
	}
}

// Cookies returns what became of cookies.
func (s *Server) Cookies() CookieCounts { return s.cookies }

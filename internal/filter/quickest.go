package filter

import (
	"math"
	"time"
)

// recentResponses tell how quick a server is at best: of 32 with exponential
// delays the quickest is a 32nd of their mean above the truth. That a server
// becomes slower does no harm: round trips look longer than they are.
const recentResponses = 32

// Quickest remembers how long a server lately took to respond. The zero value
// knows nothing.
type Quickest struct {
	responses [recentResponses]time.Duration
	n         int
}

// Note returns the shortest of the recent responses, with the newest, and how
// far it may lie above the truth: the gap to the next one says it, since of
// exponential variables the two are alike. ok is false while there is one only.
func (h *Quickest) Note(newest time.Duration) (least, gap time.Duration, ok bool) {
	h.responses[h.n%recentResponses] = newest
	h.n++
	least, next := newest, time.Duration(math.MaxInt64)
	for i, r := range h.responses[:min(h.n, recentResponses)] {
		switch {
		case i == (h.n-1)%recentResponses: // that is least now
		case r < least:
			least, next = r, least
		default:
			next = min(next, r)
		}
	}
	return least, next - least, h.n > 1
}

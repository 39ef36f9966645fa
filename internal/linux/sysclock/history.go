//go:build linux

package sysclock

import "ntsd/internal/clock"

// maxBends is how many changes are remembered: during a start the rate changes
// with every sample, some two a second, and a stamp waits a second or two for
// its answer.
const maxBends = 16

// history remembers how the wall clock was steered of late, so that a stamp
// from before a change is mapped by the rate that it was taken under. A slew of
// 8 % that ends while a packet is under way would else shift the packet's
// departure by 8 % of its age. The zero value has no past.
type history struct {
	bends [maxBends]clock.Line // each up to its At, where it ended
	count int
}

// add remembers the line that has just ended, at its At.
func (h *history) add(ended clock.Line) {
	h.bends[h.count%maxBends] = ended
	h.count++
}

// monoAt maps a time of the wall clock, which now follows the line that starts
// at its At. The newest piece that has such a time wins: after a step back the
// same time was there twice.
func (h *history) monoAt(now clock.Line, w clock.Wall) clock.Mono {
	newest := now.MonoAt(w)
	piece, m := now, newest
	for i := range min(h.count, maxBends) {
		older := h.bends[(h.count-1-i)%maxBends]
		if m >= older.At.Mono && m <= piece.At.Mono {
			return m
		}
		piece, m = older, older.MonoAt(w)
	}
	if m <= piece.At.Mono {
		return m
	}
	return newest // a time that a step left out, or one from the future
}

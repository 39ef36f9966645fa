package engine

import (
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/wire"
)

// System is what a server may say about its own clock (RFC 5905 section 11.1).
// While the clock is not synchronised Leap is event.LeapUnsynchronised and
// Stratum 0.
type System struct {
	Leap           event.Leap
	Stratum        uint8
	ReferenceID    wire.ReferenceID
	ReferenceTime  clock.Wall // wall time of the last update
	RootDelay      time.Duration
	RootDispersion time.Duration
}

// System returns what a server may say now.
func (e *Engine) System(now clock.Reading) System {
	return System{Leap: event.LeapUnsynchronised}
}

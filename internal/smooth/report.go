package smooth

import (
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/wire"
)

// Visible is the offset from which the reference ID tells clients that time is
// smoothed.
const Visible = time.Microsecond

// ReferenceID is chrony's for smoothed time: 127.127.1.255.
func ReferenceID() wire.ReferenceID { return wire.ReferenceID{127, 127, 1, 255} }

// Report describes how served time is smoothed; the fields are those of chronyc
// smoothing.
type Report struct {
	Enabled    bool
	Active     bool
	LeapOnly   bool
	Offset     clock.Offset // what served time is ahead of true time
	Rate       clock.Rate   // of that; positive: served time gains
	Wander     clock.Rate   // change of Rate per second
	LastUpdate time.Duration
	Remaining  time.Duration
}

// Report describes the state at m.
func (s *Smoother) Report(m clock.Mono) Report {
	p := &s.plan
	r := Report{
		Enabled: s.cfg.Enabled(), Active: p.Active, LeapOnly: s.cfg.LeapOnly,
		Offset: p.Offset(m), LastUpdate: p.Since(m), Remaining: p.Remaining(m),
	}
	r.Rate, r.Wander = p.Motion(m)
	return r
}

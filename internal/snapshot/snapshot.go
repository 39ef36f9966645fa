// Package snapshot is what the core tells of itself: to people (Snapshot) and to
// the clients of a server (System). It is layer 2, and values only.
//
// Non-goals: how they come about (engine), and tables, JSON, signs as chrony has them
// (status).
package snapshot

import (
	"net/netip"
	"time"

	"ntsd/internal/bootstrap"
	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/filter"
	"ntsd/internal/selection"
	"ntsd/internal/smooth"
	"ntsd/internal/standing"
	"ntsd/internal/upstream"
	"ntsd/internal/wire"
)

// Snapshot is the engine's whole observable state at one instant. It shares no
// memory with the engine. It holds no secret.
type Snapshot struct {
	Now       clock.Reading
	Tracking  Tracking
	Smoothing smooth.Report
	Sources   []Source
	NTS       standing.NTSCounts // since the start, of sources that are gone too
	// Unresolved counts configured sources that have no address yet.
	Unresolved int
	Bootstrap  bootstrap.Status
}

// Tracking describes the local clock; the fields are those of chronyc
// tracking.
type Tracking struct {
	Synchronised bool
	// Local says that the clock is its own reference, or follows an orphan while
	// no authenticated time is to be had; it excludes Synchronised.
	Local         bool
	Since         clock.Mono // of the last change between synchronised and not
	ReferenceID   wire.ReferenceID
	Reference     event.SourceID
	ReferenceName string
	ReferenceAddr netip.Addr
	Stratum       uint8
	ReferenceTime clock.Wall   // of the last update
	Correction    clock.Offset // still to be slewed (positive: the clock is slow)
	LastOffset    clock.Offset // found at the last update
	RMSOffset     time.Duration
	Frequency     clock.Rate // correction in force; positive: the oscillator is slow
	Residual      clock.Rate
	Skew          clock.Rate
	RootDelay     time.Duration
	RootDisp      time.Duration
	Beyond        time.Duration // of RootDisp: what the reference does not claim, but a majority of the sources holds for possible
	Interval      time.Duration // between the last updates
	Leap          event.Leap
	Authenticated bool // the reference is a source with NTS or a symmetric key
	Updates       uint64
	Steps         uint64
}

// Source describes one association.
type Source struct {
	ID        event.SourceID
	Name      string     // as configured
	Addr      netip.Addr // zero while unknown
	Port      uint16
	Interface string // to send through
	Kind      upstream.Kind
	Operator  string

	State     selection.State
	Mark      byte   // chronyc sources' second column
	Letter    byte   // chronyc selectdata's first column
	Why       string // why it is not selected, in words; empty when it is
	Options   selection.Options
	Effective selection.Options

	Online     bool
	Burst      bool
	Reach      uint8
	Stratum    uint8
	Poll       int8
	LastRx     clock.Mono   // of the last accepted sample; 0: never
	Measured   clock.Offset // at that sample
	Adjusted   clock.Offset // what became of it after our own corrections
	ErrorBound time.Duration

	Stats    filter.Stats
	Residual clock.Rate   // the source's frequency against the disciplined clock
	Offset   clock.Offset // estimated now
	SD       time.Duration
	Score    float64
	Lo, Hi   clock.Offset // interval of selectdata
	Leap     event.Leap

	Last     standing.Exchange
	Counters standing.Counters
	Auth     standing.Auth
}

// System is what a server may say about its own clock (RFC 5905 section 11.1).
// While the clock is not synchronised Leap is event.LeapUnsynchronised and
// Stratum 0, unless it is its own reference.
type System struct {
	Local          bool // the clock is its own reference
	Orphan         bool // it follows one that is
	Leap           event.Leap
	Stratum        uint8
	ReferenceID    wire.ReferenceID
	ReferenceTime  clock.Wall // wall time of the last update
	RootDelay      time.Duration
	RootDispersion time.Duration
	// Served is the time to serve, where it is Active: not what the clock shows.
	// All the rest is true of it.
	Served smooth.Plan
}

// True reports whether the time is that of servers which know it: neither the
// clock's own nor an orphan's.
func (s *System) True() bool { return s.Leap != event.LeapUnsynchronised && !s.Local && !s.Orphan }

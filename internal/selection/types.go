package selection

import (
	"time"

	"ntsd/internal/clock"
)

// AuthMode is chrony's authselectmode: what plain sources may do beside
// authenticated ones.
type AuthMode uint8

// The modes.
const (
	AuthMix     AuthMode = iota // authenticated ones are trusted and required, plain ones may help
	AuthRequire                 // only authenticated sources
	AuthPrefer                  // plain ones only while no authenticated one is selectable
	AuthIgnore                  // no difference
)

// Options are a source's selection options; the words are chrony's.
type Options struct {
	NoSelect, Prefer, Trust, Require bool
}

// Config holds the options of the section "selection" and chrony's defaults.
type Config struct {
	AuthMode      AuthMode
	MinSources    int           // selectable sources needed to update the clock
	MaxDistance   time.Duration // largest root distance
	MaxJitter     time.Duration
	CombineLimit  float64 // factor of the best source's distance
	ReselectDist  time.Duration
	StratumWeight time.Duration
}

// Candidate is one source as the selection sees it. Offset is what the source
// says must be added to the wall clock now; Distance bounds the error of
// Offset (root delay/2 + root dispersion + peer terms).
type Candidate struct {
	Offset        clock.Offset
	Distance      time.Duration
	SD            time.Duration // standard deviation of Offset
	Stratum       uint8
	Reachable     bool
	Ready         bool // has enough samples
	Synchronised  bool // the source's leap and stratum say so
	Authenticated bool
	Online        bool
	Options       Options
}

// State is the fate of a candidate; the letters are those of chronyc
// selectdata, and Mark gives the one of chronyc sources.
type State uint8

// The states.
const (
	StateNoSelect    State = iota // N: option noselect
	StateNotReady                 // M: missing samples
	StateUnreachable              // R or d? see Letter: no recent reply
	StateUnsynced                 // s: the server says it is not synchronised
	StateUntrusted                // P/T/t: plain source that authentication rules keep out
	StateDistant                  // d: root distance too large
	StateJittery                  // ~: jitter too large
	StateFalseticker              // x: disagrees with the majority
	StateWaiting                  // w: waits for others (minsources, require)
	StateOrphan                   // S/O: stratum or orphan
	StateOutlier                  // D: agrees, but too far to be combined
	StateUnused                   // -: agrees, not combined
	StateCombined                 // +
	StateSelected                 // *
	StateOffline                  // not polled
)

package engine

import (
	"time"

	"ntsd/internal/bootstrap"
	"ntsd/internal/clock"
	"ntsd/internal/discipline"
	"ntsd/internal/leaplist"
	"ntsd/internal/local"
	"ntsd/internal/selection"
	"ntsd/internal/smooth"
	"ntsd/internal/upstream"
)

// Config is everything the engine needs to know; it is replaced whole by
// HandleConfig. The caller validates it.
type Config struct {
	Sources   []upstream.Source
	Selection selection.Config // but for Orphan, which follows from Local
	Local     local.Config
	Smooth    smooth.Config
	LeapMode  discipline.LeapMode
	Leaps     *leaplist.List // leap seconds that no server tells, TAI-UTC; nil: none
	Precision time.Duration  // of the local clock; 0: it is found out
	MakeStep  MakeStep
	// LogChange is the correction from which NoticeOffset is given; 0: never.
	LogChange time.Duration
	// Drift is the frequency correction known from the drift file, with its
	// bound; Known says whether there was one. Without it Drift is what the clock
	// is steered with already.
	Drift, DriftSkew clock.Rate
	DriftKnown       bool
	// OneShot ends with an Exit action as soon as the offset is known: at the
	// first selection of a reference, without waiting for polls to come.
	OneShot bool
	// MaxSlew bounds the frequency by which an offset is slewed away.
	MaxSlew   clock.Rate
	Bootstrap Bootstrap
	// Floor is a time that has certainly passed (T0 of the bootstrap), and the
	// pivot round which NTP eras are told apart; 0: the clock itself is.
	// FloorFrom says in words where it comes from.
	Floor     clock.Wall
	FloorFrom string
	// StartAtFloor sets a clock that is behind Floor to it at the start.
	StartAtFloor bool
}

// Bootstrap is how the first time is found; see package bootstrap.
type Bootstrap struct {
	Mode     bootstrap.Mode
	Agree    int           // operators that must agree; 0: a majority
	Deadline time.Duration // when people are told what is missing; 0: never
}

// MakeStep allows steps: an offset above Threshold is stepped at one of the
// first Limit clock updates (negative: at any).
type MakeStep struct {
	Threshold time.Duration
	Limit     int
}

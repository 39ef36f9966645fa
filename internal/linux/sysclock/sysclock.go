//go:build linux

// Package sysclock is the kernel clock and its dry-run twin: it reads
// CLOCK_MONOTONIC_RAW and CLOCK_REALTIME as one instant, sets the frequency,
// steps the clock and tells the kernel whether it is synchronised. It is the
// only place that knows struct timex, and that 32-bit kernels tell the time
// past 2038 by other system calls. It belongs to layer 4.
//
// Not its business: deciding anything. It steers only what it is told to, and
// the kernel's own PLL, FLL and PPS loops are switched off at the start so that
// two controllers never pull at one clock.
package sysclock

import (
	"fmt"
	"time"

	"ntsd/internal/clock"
)

// MaxRate is the largest frequency correction that can be set: the kernel
// takes ticks of 9000 to 11000 us.
const MaxRate = clock.Rate(0.1)

// Leap is what happens at the end of the present UTC day.
type Leap uint8

// The leap states, independent of their coding in packets.
const (
	LeapNone   Leap = iota
	LeapInsert      // the last minute has 61 seconds
	LeapDelete      // the last minute has 59 seconds
)

// Status is what the kernel is told about the quality of its clock.
type Status struct {
	// Synchronised clears STA_UNSYNC. The kernel then also writes the time
	// to the real-time clock every eleven minutes, if it has one.
	Synchronised bool
	// Leap arms the kernel's leap second at the end of the UTC day.
	Leap Leap
	// MaxError and EstError are the bound and the estimate of the clock's
	// error; the kernel lets the bound grow by 500 ppm by itself.
	MaxError, EstError time.Duration
	// TAI is TAI-UTC in whole seconds; 0 leaves the kernel's value alone.
	TAI int32
}

// OpError is a clock operation that the kernel refused.
type OpError struct {
	Op  string // what was tried: "set rate"
	Err error  // the kernel's errno, or the reason that it was not asked
}

// Error returns "sysclock: set rate: operation not permitted".
func (e *OpError) Error() string { return fmt.Sprintf("sysclock: %s: %v", e.Op, e.Err) }

// Unwrap returns the errno; errors.Is(err, fs.ErrPermission) tells a missing
// CAP_SYS_TIME from everything else.
func (e *OpError) Unwrap() error { return e.Err }

// readTries is how often a Reading is attempted: one interrupt may fall into
// the first, hardly ever into three.
const readTries = 3

// tightEnough ends the tries early. The error of a Reading is at most half the
// window between its two monotonic reads; a window takes two system calls,
// some 280 ns on a 3 GHz x86_64.
const tightEnough = 400 * time.Nanosecond

// readPair reads the kernel's two clocks as one instant: the monotonic clock
// on both sides of the wall clock, the middle of the tightest window.
func readPair(c calls) clock.Reading {
	var best clock.Reading
	width := time.Duration(-1)
	before := c.mono()
	for range readTries {
		wall := c.wall()
		after := c.mono()
		w := after.Sub(before)
		if width < 0 || w < width {
			width = w
			best = clock.Reading{Mono: before + clock.Mono(w/2), Wall: wall}
		}
		if width <= tightEnough {
			break
		}
		before = after
	}
	return best
}

package event

import (
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/refdata"
)

// ReadClock asks what a reference clock has measured since it was asked last. It
// is answered by one ClockRead. The device is opened for the first and stays open
// until CloseClock.
type ReadClock struct {
	Source SourceID
	Spec   refdata.Spec
}

// CloseClock says that a reference clock is not read any more.
type CloseClock struct{ Source SourceID }

// ClockRead answers a ReadClock. Without measurements Reason may say why in one
// line; that there is nothing new is no reason.
type ClockRead struct {
	Source       SourceID
	Measurements []Measurement
	Reason       string
}

// Measurement is what a reference clock says: at At the time was True, or, of a
// pulse, where in a second it was.
type Measurement struct {
	At    clock.Mono
	True  clock.Wall
	Error time.Duration // of At against True, at most
	Leap  int           // as package refdata has it
	Pulse bool
}

func (ReadClock) action()  {}
func (CloseClock) action() {}

//go:build linux

package sysclock

import (
	"time"

	"ntsd/internal/clock"
)

// Discipline is what the kernel says of its own clock, which this daemon does
// not use to the full: the kernel's loop stays idle.
type Discipline struct {
	Offset             clock.Offset // that its loop has yet to take away
	Frequency          clock.Rate   // without the tick
	MaxError, EstError time.Duration
	Flags              uint16 // STA_* of adjtimex(2)
	Constant           int64  // of its loop
}

// staNano says that times are in nanoseconds, not microseconds.
const staNano = 0x2000

// ReadDiscipline asks the kernel; it needs no privilege and changes nothing.
func ReadDiscipline() (Discipline, error) { return readDiscipline(kernelCalls()) }

func readDiscipline(c calls) (Discipline, error) {
	var t timex
	if err := c.adjtime(&t); err != nil {
		return Discipline{}, &OpError{"read the discipline", err}
	}
	unit := clock.Offset(time.Microsecond)
	if t.status&staNano != 0 {
		unit = 1
	}
	return Discipline{
		Offset: clock.Offset(t.offset) * unit, Frequency: clock.RatePPM(float64(t.freq) / freqPerPPM),
		MaxError: time.Duration(t.maxError) * time.Microsecond, EstError: time.Duration(t.estError) * time.Microsecond,
		Flags: uint16(t.status), Constant: t.constant,
	}, nil
}

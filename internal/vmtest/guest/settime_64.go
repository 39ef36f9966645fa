//go:build linux && !(arm || mips || mipsle)

package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// setTime sets the clock.
func setTime(t time.Time) error {
	ts, err := unix.TimeToTimespec(t)
	if err != nil {
		return err
	}
	return unix.ClockSettime(unix.CLOCK_REALTIME, &ts)
}

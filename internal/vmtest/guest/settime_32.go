//go:build linux && (arm || mips || mipsle)

package main

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// setTime sets the clock, beyond the year 2038, too.
func setTime(t time.Time) error {
	ts := [2]int64{t.Unix(), int64(t.Nanosecond())} // struct __kernel_timespec
	_, _, errno := unix.Syscall(unix.SYS_CLOCK_SETTIME64, unix.CLOCK_REALTIME, uintptr(unsafe.Pointer(&ts)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

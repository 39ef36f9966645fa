//go:build linux && !386 && !arm && !mips && !mipsle

package sysclock

import "golang.org/x/sys/unix"

// abis lists the system calls from new to old: with 64-bit longs there is one
// kind. It is never written.
var abis = [...]abi{
	{unix.SYS_CLOCK_GETTIME, unix.SYS_CLOCK_SETTIME, unix.SYS_CLOCK_ADJTIME, 8},
}

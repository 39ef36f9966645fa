//go:build linux && (386 || arm || mips || mipsle)

package sysclock

import "golang.org/x/sys/unix"

// abis lists the system calls from new to old: those with 64-bit time came
// with Linux 5.1. It is never written.
var abis = [...]abi{
	{unix.SYS_CLOCK_GETTIME64, unix.SYS_CLOCK_SETTIME64, unix.SYS_CLOCK_ADJTIME64, 8},
	{unix.SYS_CLOCK_GETTIME, unix.SYS_CLOCK_SETTIME, unix.SYS_CLOCK_ADJTIME, 4},
}

//go:build linux

package sysclock

import (
	"encoding/binary"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"ntsd/internal/clock"
)

// calls is the door to the kernel. Tests put a recorder here; nothing else in
// the package makes a system call.
type calls struct {
	mono    func() clock.Mono      // CLOCK_MONOTONIC_RAW
	wall    func() clock.Wall      // CLOCK_REALTIME
	settime func(clock.Wall) error // clock_settime(CLOCK_REALTIME)
	adjtime func(*timex) error     // clock_adjtime(CLOCK_REALTIME), in and out
}

// abi is one set of system calls and the width of its numbers.
type abi struct {
	gettime, settime, adjtime uintptr
	long                      int
}

// native makes the calls. On 32-bit kernels it starts with the calls of Linux
// 5.1 that have 64-bit time and stays with the old ones once the kernel does
// not know them. Safe for concurrent use; the zero value is ready.
type native struct{ old atomic.Bool }

// kernelCalls returns the real door.
func kernelCalls() calls {
	n := new(native)
	return calls{mono: n.mono, wall: n.wall, settime: n.settime, adjtime: n.adjtime}
}

// each runs call with the newest ABI that the kernel has.
func (n *native) each(call func(abi) syscall.Errno) error {
	if len(abis) > 1 && n.old.Load() {
		return asError(call(abis[len(abis)-1]))
	}
	errno := call(abis[0])
	if errno == unix.ENOSYS && len(abis) > 1 {
		n.old.Store(true)
		errno = call(abis[len(abis)-1])
	}
	return asError(errno)
}

// asError makes a nil error of errno 0.
func asError(errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

func (n *native) mono() clock.Mono {
	sec, nsec := n.gettime(unix.CLOCK_MONOTONIC_RAW)
	return clock.Mono(sec*1e9 + nsec)
}

func (n *native) wall() clock.Wall { return clock.WallUnix(n.gettime(unix.CLOCK_REALTIME)) }

// gettime reads a clock. It is a raw system call: it never blocks, and the
// scheduler's bookkeeping would widen the window of a Reading. It cannot
// fail for these clocks: every kernel that Go runs on has them.
func (n *native) gettime(id uintptr) (sec, nsec int64) {
	if len(abis) == 1 || !n.old.Load() {
		var t [2]int64
		_, _, errno := unix.RawSyscall(abis[0].gettime, id, uintptr(unsafe.Pointer(&t)), 0)
		if errno == 0 || len(abis) == 1 {
			return t[0], t[1]
		}
		if errno == unix.ENOSYS {
			n.old.Store(true)
		}
	}
	var t [2]int32
	_, _, _ = unix.RawSyscall(abis[len(abis)-1].gettime, id, uintptr(unsafe.Pointer(&t)), 0)
	return int64(t[0]), int64(t[1])
}

func (n *native) settime(w clock.Wall) error {
	sec, nsec := w.Unix()
	return n.each(func(a abi) syscall.Errno {
		var errno syscall.Errno
		if a.long == 8 {
			t := [2]int64{sec, nsec}
			_, _, errno = unix.RawSyscall(a.settime, unix.CLOCK_REALTIME, uintptr(unsafe.Pointer(&t)), 0)
			return errno
		}
		t := [2]int32{int32(sec), int32(nsec)}
		if int64(t[0]) != sec {
			return unix.EOVERFLOW // 2038 has come and the kernel is too old for it
		}
		_, _, errno = unix.RawSyscall(a.settime, unix.CLOCK_REALTIME, uintptr(unsafe.Pointer(&t)), 0)
		return errno
	})
}

func (n *native) adjtime(t *timex) error {
	return n.each(func(a abi) syscall.Errno {
		l := layout{order: binary.NativeEndian, long: a.long}
		var buf [maxTimex]byte
		if l.encode(buf[:], *t) != nil {
			return unix.EOVERFLOW
		}
		_, _, errno := unix.RawSyscall(a.adjtime, unix.CLOCK_REALTIME, uintptr(unsafe.Pointer(&buf)), 0)
		if errno == 0 {
			*t = l.decode(buf[:])
		}
		return errno
	})
}

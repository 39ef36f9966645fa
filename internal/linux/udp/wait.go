//go:build linux

package udp

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// moment is how long a reader under load waits for the next packet before it
// gives its processor to other goroutines. To give it away and get it back costs
// as much as a reply, and from 10000 requests a second on the next one comes
// sooner. Nobody else waits for longer than this, nor does the collector when
// it stops the world.
const moment = 100 * time.Microsecond

// held is a served socket. It is in the runtime's poller only while its reader
// sleeps, by way of an epoll instance of its own: there, the kernel takes locks
// and looks for sleepers at each packet that comes and at each that has left,
// which is a twentieth of all that a reply costs.
type held struct {
	mu     sync.RWMutex // held for reading while the descriptors are in use
	closed atomic.Bool
	fd     int

	poller  *os.File                 // an epoll instance, itself in the runtime's poller
	raw     syscall.RawConn          // poller's
	park    func(epoll uintptr) bool // made once: a closure per wait would allocate
	parked  bool
	failure error
	event   unix.EpollEvent

	busy   bool // packets come thick and fast
	polled unix.PollFd
	brief  unix.Timespec
}

// hold takes over fd, and closes it on failure.
func (h *held) hold(fd int) (err error) {
	defer func() {
		if err != nil {
			_ = unix.Close(fd)
		}
	}()
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	// Only what does not block gets into the runtime's poller.
	if err := unix.SetNonblock(epoll, true); err != nil {
		_ = unix.Close(epoll)
		return err
	}
	h.poller = os.NewFile(uintptr(epoll), "udp-epoll")
	if h.raw, err = h.poller.SyscallConn(); err != nil {
		_ = h.poller.Close()
		return err
	}
	h.fd = fd
	h.park = h.parkOnce
	h.event = unix.EpollEvent{Events: unix.EPOLLIN}
	h.polled = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	return nil
}

// enter must come before fd is used, and leave after that.
func (h *held) enter() error {
	h.mu.RLock()
	if h.closed.Load() {
		h.mu.RUnlock()
		return os.ErrClosed
	}
	return nil
}

func (h *held) leave() { h.mu.RUnlock() }

// wait returns when there is something to read, also from the error queue, or
// when close was called; or for no reason. One goroutine may wait at a time.
func (h *held) wait() error {
	if h.busy {
		h.brief = unix.NsecToTimespec(moment.Nanoseconds()) // the kernel leaves what remained of it
		// Without telling the scheduler: see moment.
		n, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&h.polled)), 1,
			uintptr(unsafe.Pointer(&h.brief)), 0, 0, 0)
		if errno == 0 && n > 0 || errno == unix.EINTR {
			return nil
		}
		h.busy = false
	}
	return h.sleep()
}

// sleep waits in the runtime's poller.
func (h *held) sleep() error {
	h.parked, h.failure = false, nil
	err := h.raw.Read(h.park)
	if h.closed.Load() {
		return os.ErrClosed
	}
	return errors.Join(h.failure, err)
}

// parkOnce puts the socket into the poller and asks for sleep, then takes it out
// again. It is called by the poller, since what happened before its call the
// poller has forgotten.
func (h *held) parkOnce(epoll uintptr) (done bool) {
	if h.parked {
		_ = unix.EpollCtl(int(epoll), unix.EPOLL_CTL_DEL, h.fd, nil) // it is in there
		return true
	}
	h.parked = true
	h.failure = unix.EpollCtl(int(epoll), unix.EPOLL_CTL_ADD, h.fd, &h.event)
	return h.failure != nil
}

// close ends a wait with os.ErrClosed, as it does every later use.
func (h *held) close() error {
	if h.closed.Swap(true) {
		return os.ErrClosed
	}
	_ = h.poller.SetReadDeadline(time.Unix(1, 0)) // wakes who sleeps
	h.mu.Lock()
	defer h.mu.Unlock()
	_ = h.poller.Close()
	return unix.Close(h.fd)
}

//go:build linux

// Package udp is the sockets that NTP packets travel through, with the
// kernel's own timestamps of their arrival and departure: Conn for one
// exchange of a client, Server for a port that is served. It belongs to
// layer 4.
//
// Not its business: what is in a packet, whom to believe, and the mapping of
// the kernel's CLOCK_REALTIME stamps to the local timescale (sysclock.MonoAt).
//
// Timestamps are optional everywhere. An old kernel, an emulator or a driver
// without them costs accuracy, never function: the stamp is then taken by the
// daemon, and its Kind says so.
package udp

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"ntsd/internal/clock"
)

// MaxDatagram is the buffer that callers should receive into: the longest NTS
// packet that passes the Internet unfragmented has some 1452 bytes, and what
// is longer than the buffer is refused whole, never cut.
const MaxDatagram = 2048

// Kind is who took a timestamp.
type Kind uint8

// The kinds of timestamps, from worst to best.
const (
	// Daemon: read by this process beside the system call, so scheduling is
	// in it.
	Daemon Kind = iota
	// Kernel: taken by the network stack as the packet passed the driver.
	Kernel
)

// String returns "daemon" or "kernel".
func (k Kind) String() string {
	if k == Kernel {
		return "kernel"
	}
	return "daemon"
}

// Stamp is when a packet came or left, on the kernel's CLOCK_REALTIME. A step
// of that clock makes it worthless: map it to clock.Mono at once.
type Stamp struct {
	Wall clock.Wall
	Kind Kind
}

// What a network says by its errors. Test with errors.Is.
var (
	// ErrRefused: the host answered that nobody listens on the port.
	ErrRefused = errors.New("port unreachable")
	// ErrUnreachable: no route, no address of that family, or the link is
	// down. Cheap to find out; worth a retry when an interface comes up.
	ErrUnreachable = errors.New("network unreachable")
	// ErrFull: packets that were sent before wait for a link that takes none, as
	// a modem that hangs, and there is no room for more.
	ErrFull = errors.New("packets sent before have not left yet")
	// ErrTooLong: a datagram longer than the buffer came and was dropped.
	ErrTooLong = errors.New("datagram too long")
)

// OpError is a failed operation on a socket. Err wraps the errno and, where
// one fits, ErrRefused, ErrUnreachable or ErrFull. A closed socket is os.ErrClosed and
// a deadline os.ErrDeadlineExceeded.
type OpError struct {
	Op   string         // "open", "send to", "receive from", "listen on", "reply to"
	Addr netip.AddrPort // the peer, or the address listened on
	Err  error
}

// Error returns "udp: send to 192.0.2.1:123: network unreachable (...)".
func (e *OpError) Error() string { return fmt.Sprintf("udp: %s %v: %v", e.Op, e.Addr, e.Err) }

// Reason says it to people: what to look at where one of our requests does not
// leave or nobody takes it.
func (e *OpError) Reason() string {
	ours := e.Op == "open" || e.Op == "send to" || e.Op == "receive from"
	switch {
	case errors.Is(e.Err, syscall.EADDRNOTAVAIL), errors.Is(e.Err, syscall.ENODEV):
		// The address or interface that the configuration wants is not here.
	case ours && errors.Is(e.Err, ErrUnreachable):
		return fmt.Sprintf("no route to %v: is the network up?", e.Addr)
	case ours && errors.Is(e.Err, ErrRefused):
		return fmt.Sprintf("no time server listens at %v", e.Addr)
	case ours && errors.Is(e.Err, syscall.EPERM):
		return fmt.Sprintf("a firewall on this device forbids sending to %v", e.Addr)
	}
	return e.Error()
}

// Unwrap returns the reason.
func (e *OpError) Unwrap() error { return e.Err }

// opError classifies err, which is not nil.
func opError(op string, addr netip.AddrPort, err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		switch errno {
		case syscall.ECONNREFUSED:
			err = fmt.Errorf("%w (%w)", ErrRefused, errno)
		case syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ENETDOWN, syscall.EHOSTDOWN,
			syscall.EADDRNOTAVAIL, syscall.EAFNOSUPPORT, syscall.ENODEV:
			err = fmt.Errorf("%w (%w)", ErrUnreachable, errno)
		case syscall.EAGAIN:
			err = fmt.Errorf("%w (%w)", ErrFull, errno)
		}
	}
	return &OpError{op, addr, err}
}

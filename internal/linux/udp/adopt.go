//go:build linux

package udp

import (
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"
)

// ErrNotServed is returned by Adopt for what is no bound UDP socket of one
// family.
var ErrNotServed = errors.New("udp: not a bound UDP socket of one family")

// Bound returns where a socket is bound that somebody else made; ok is false if
// Adopt would not take it.
func Bound(fd int) (addr netip.AddrPort, ok bool) {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || kind != unix.SOCK_DGRAM {
		return netip.AddrPort{}, false
	}
	addr = localAddr(fd)
	if addr.Port() == 0 {
		return netip.AddrPort{}, false
	}
	if addr.Addr().Is6() {
		// One for both families would show us IPv4 in disguise.
		only, err := unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
		if err != nil || only == 0 && addr.Addr() == netip.IPv6Unspecified() {
			return addr, false
		}
	}
	return addr, true
}

// Adopt serves on a duplicate of a socket that somebody else has bound, systemd
// for one. fd stays the caller's.
func Adopt(fd int, c ListenConfig) (*Server, error) {
	addr, ok := Bound(fd)
	if !ok {
		return nil, opError("serve", addr, ErrNotServed)
	}
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, opError("serve", addr, err)
	}
	if err := optServer(own, addr.Addr(), c); err != nil {
		_ = unix.Close(own)
		return nil, opError("serve", addr, err)
	}
	return newServer(own, addr, c)
}

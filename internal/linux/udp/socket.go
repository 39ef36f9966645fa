//go:build linux

package udp

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// Flags for SO_TIMESTAMPING, from uapi/linux/net_tstamp.h.
const (
	sofTxSoftware = 1 << 1  // stamp what leaves, as the driver takes it
	sofRxSoftware = 1 << 3  // stamp what comes, as the driver hands it over
	sofSoftware   = 1 << 4  // report such stamps
	sofOptID      = 1 << 7  // number the packets that leave
	sofOptTSOnly  = 1 << 11 // queue the stamp without a copy of the packet
)

// newSocket returns a non-blocking UDP socket for addr's family. A v6 socket
// takes no v4: each family has its own.
func newSocket(addr netip.Addr) (fd int, err error) {
	family := unix.AF_INET6
	if addr.Is4() {
		family = unix.AF_INET
	}
	fd, err = unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	if err != nil {
		return -1, err
	}
	if family == unix.AF_INET6 {
		if err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1); err != nil {
			_ = unix.Close(fd)
			return -1, err
		}
	}
	return fd, nil
}

// enableStamps asks for the best timestamps that the kernel has. Stamps with
// 64-bit seconds come first: on 32-bit machines the old ones end in 2038.
// Nothing is lost but accuracy where none are to be had.
func enableStamps(fd int, transmit bool) {
	flags := sofRxSoftware | sofSoftware
	if transmit {
		flags |= sofTxSoftware | sofOptID | sofOptTSOnly
	}
	requestStamps(fd, flags)
}

// enableCardStamps asks for those of network cards, too, and reports whether the
// kernel knows such: the best of both kinds is chosen when they have come.
func enableCardStamps(fd int) bool {
	const flags = sofTxSoftware | sofRxSoftware | sofSoftware | sofOptID | sofOptTSOnly |
		unix.SOF_TIMESTAMPING_TX_HARDWARE | unix.SOF_TIMESTAMPING_RX_HARDWARE |
		unix.SOF_TIMESTAMPING_RAW_HARDWARE | unix.SOF_TIMESTAMPING_OPT_TX_SWHW
	for _, option := range [...]int{unix.SO_TIMESTAMPING_NEW, unix.SO_TIMESTAMPING_OLD} {
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, flags) == nil {
			return true
		}
	}
	return false
}

// requestStamps asks for stamps by the newest option that the kernel has.
func requestStamps(fd, flags int) {
	for _, o := range [...]struct{ option, value int }{
		{unix.SO_TIMESTAMPING_NEW, flags},
		{unix.SO_TIMESTAMPING_OLD, flags},
		{unix.SO_TIMESTAMPNS_NEW, 1},
		{unix.SO_TIMESTAMPNS_OLD, 1},
	} {
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, o.option, o.value) == nil {
			return
		}
	}
}

// sendThrough binds fd to a device. Linux 5.7 lets everybody do that; where it
// is refused, the device is chosen for what leaves, and replies may come by any.
func sendThrough(fd int, addr netip.Addr, name string) error {
	if name == "" {
		return nil
	}
	index, err := scopeOf(fd, name)
	if errors.Is(err, unix.ENODEV) {
		name = "br-" + name
		index, err = scopeOf(fd, name)
	}
	if err != nil {
		return err
	}
	if unix.BindToDevice(fd, name) == nil {
		return nil
	}
	return sendFrom(fd, addr, index)
}

// sendFrom chooses the device for what leaves.
func sendFrom(fd int, addr netip.Addr, index uint32) error {
	// The index is in network byte order (ip(7)).
	big := int(int32(binary.BigEndian.Uint32(binary.NativeEndian.AppendUint32(nil, index))))
	if addr.Is4() {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_UNICAST_IF, big)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_IF, big)
}

// setDSCP marks what leaves (RFC 2474); routers may refuse, that is no error.
func setDSCP(fd int, addr netip.Addr, dscp uint8) {
	if dscp == 0 {
		return
	}
	if addr.Is4() {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TOS, int(dscp)<<2)
		return
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_TCLASS, int(dscp)<<2)
}

// neverFragment has replies leave whole or not at all. They are no longer than
// their requests, so what came whole gets back; forged ICMP messages cannot make
// fragments of them, which others could replace; and the kernel need not choose
// an identification for each.
func neverFragment(fd int, addr netip.Addr) {
	if addr.Is4() {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE)
		return
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE)
}

// sockaddr converts for bind and connect.
func sockaddr(a netip.AddrPort, scope uint32) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16(), ZoneId: scope}
}

// scopeOf returns the interface index that a zone means, its number or its
// name, by asking through fd.
func scopeOf(fd int, zone string) (uint32, error) {
	if zone == "" {
		return 0, nil
	}
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n), nil
	}
	request, err := unix.NewIfreq(zone)
	if err != nil {
		return 0, unix.ENODEV // no interface has such a name
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request); err != nil {
		return 0, err
	}
	return request.Uint32(), nil
}

// localAddr returns where fd is bound.
func localAddr(fd int) netip.AddrPort {
	sa, err := syscall.Getsockname(fd) // unix.Getsockname knows 21 families: 7 kB
	if err != nil {
		return netip.AddrPort{}
	}
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *syscall.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// file is a socket in the runtime's poller: a blocked read costs no thread,
// and close ends it.
type file struct {
	f      *os.File
	raw    syscall.RawConn
	closed *atomic.Bool
}

// open takes over fd, and closes it on failure.
func (f *file) open(fd int) (err error) {
	f.closed = new(atomic.Bool)
	f.f = os.NewFile(uintptr(fd), "udp")
	if f.raw, err = f.f.SyscallConn(); err != nil {
		_ = f.f.Close()
	}
	return err
}

func (f *file) close() error {
	f.closed.Store(true)
	return f.f.Close()
}

// reason picks what to say of an operation: the poller's error comes first
// (the system call's is then only "try again"), and the poller's private word
// for a closed file becomes os.ErrClosed.
func (f *file) reason(poll, call error) error {
	if poll != nil && f.closed.Load() {
		return os.ErrClosed
	}
	if poll != nil {
		return poll
	}
	return call
}

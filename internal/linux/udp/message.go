//go:build linux

package udp

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxControl holds the control messages of one packet: a timestamp (64 bytes),
// packet info (40) and an extended error with its sockaddr (64).
const maxControl = 256

// message is one packet on its way through recvmsg or sendmsg. It is reused:
// nothing here allocates per packet. Not safe for concurrent use.
type message struct {
	hdr     unix.Msghdr
	iov     unix.Iovec
	name    [unix.SizeofSockaddrInet6]byte
	control [maxControl]byte
}

// receive reads one packet into buf. A packet that did not fit is ErrTooLong.
func (m *message) receive(fd uintptr, buf []byte, flags uintptr) (n int, err error) {
	m.point(buf)
	m.hdr.Name = &m.name[0]
	m.hdr.Namelen = uint32(len(m.name))
	m.hdr.Control = &m.control[0]
	m.hdr.SetControllen(len(m.control))
	for {
		r, _, errno := unix.RawSyscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&m.hdr)), flags)
		switch {
		case errno == unix.EINTR:
			continue
		case errno != 0:
			return 0, errno
		case m.hdr.Flags&unix.MSG_TRUNC != 0:
			return 0, ErrTooLong
		}
		return int(r), nil
	}
}

// send writes b, to to where that is valid (a connected socket needs none),
// with the first control bytes of m.control.
func (m *message) send(fd uintptr, b []byte, to netip.AddrPort, scope uint32, control int) error {
	m.point(b)
	m.hdr.Name, m.hdr.Namelen, m.hdr.Control = nil, 0, nil
	if to.IsValid() {
		m.hdr.Name = &m.name[0]
		m.hdr.Namelen = uint32(len(appendSockaddr(m.name[:0], to, scope)))
	}
	m.hdr.SetControllen(control)
	if control > 0 {
		m.hdr.Control = &m.control[0]
	}
	for {
		_, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(&m.hdr)), unix.MSG_NOSIGNAL)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return errno
		}
		return nil
	}
}

// point aims the only iovec at b.
func (m *message) point(b []byte) {
	m.hdr = unix.Msghdr{Iov: &m.iov}
	m.hdr.SetIovlen(1)
	m.iov = unix.Iovec{}
	if len(b) > 0 {
		m.iov.Base = &b[0]
	}
	m.iov.SetLen(len(b))
}

// controls parses what came beside the latest received packet.
func (m *message) controls(l layout) control {
	return l.parse(m.control[:min(int(m.hdr.Controllen), len(m.control))])
}

// card returns the card's stamp beside the latest received packet.
func (m *message) card(l layout) CardTime {
	return l.card(m.control[:min(int(m.hdr.Controllen), len(m.control))])
}

// from returns the sender of the latest received packet, without a zone.
func (m *message) from() netip.AddrPort {
	return parseSockaddr(m.name[:min(int(m.hdr.Namelen), len(m.name))])
}

// appendSockaddr appends a sockaddr_in or sockaddr_in6:
//
//	family (host order) 2 | port 2 | address 4 | zero 8
//	family (host order) 2 | port 2 | flow 4 | address 16 | scope (host order) 4
//
// scope counts only for link-local addresses.
func appendSockaddr(b []byte, a netip.AddrPort, scope uint32) []byte {
	if a.Addr().Is4() {
		b = binary.NativeEndian.AppendUint16(b, unix.AF_INET)
		b = binary.BigEndian.AppendUint16(b, a.Port())
		ip := a.Addr().As4()
		return append(append(b, ip[:]...), 0, 0, 0, 0, 0, 0, 0, 0)
	}
	b = binary.NativeEndian.AppendUint16(b, unix.AF_INET6)
	b = binary.BigEndian.AppendUint16(b, a.Port())
	b = append(b, 0, 0, 0, 0)
	ip := a.Addr().As16()
	b = append(b, ip[:]...)
	if !a.Addr().IsLinkLocalUnicast() {
		scope = 0
	}
	return binary.NativeEndian.AppendUint32(b, scope)
}

// parseSockaddr reads what appendSockaddr writes; the zero AddrPort is for
// everything else.
func parseSockaddr(b []byte) netip.AddrPort {
	if len(b) < unix.SizeofSockaddrInet4 {
		return netip.AddrPort{}
	}
	port := binary.BigEndian.Uint16(b[2:])
	switch family := binary.NativeEndian.Uint16(b); {
	case family == unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:])), port)
	case family == unix.AF_INET6 && len(b) >= unix.SizeofSockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[8:])), port)
	}
	return netip.AddrPort{}
}

// again tells "nothing there yet" from everything else.
func again(err error) bool { return err == syscall.EAGAIN }

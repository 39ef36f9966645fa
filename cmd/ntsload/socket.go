package main

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Implementation constants.
const (
	// burst is how many packets a system call moves. The generator must cost
	// less than the server, or it is the generator that is measured.
	burst     = 64
	maxPacket = 1500
	// ancillary holds a timestamp or packet info.
	ancillary = 128
	// queueBytes is asked for as the kernel's receive queue, so that what is
	// lost is lost by the server.
	queueBytes = 8 << 20
)

// socket sends requests to one server, from as many addresses as are wanted,
// and takes the replies with the kernel's time of their arrival. It belongs to
// one goroutine.
type socket struct {
	fd      int
	to      [unix.SizeofSockaddrInet6]byte
	toLen   uint32
	queued  int
	out, in [burst]unix.Mmsghdr
	iovOut  [burst]unix.Iovec
	iovIn   [burst]unix.Iovec
	ctlOut  [burst][ancillary]byte
	ctlIn   [burst][ancillary]byte
	bufOut  [burst][maxPacket]byte
	bufIn   [burst][maxPacket]byte
	names   [burst][unix.SizeofSockaddrInet6]byte
}

// dial returns a socket on a free port of every local address.
func dial(server netip.AddrPort) (*socket, error) {
	s := new(socket)
	family, local := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{})
	if server.Addr().Is4() {
		family, local = unix.AF_INET, &unix.SockaddrInet4{}
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	s.fd = fd
	// Without them there is less to measure, no less to send.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS_NEW, 1)
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, queueBytes) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, queueBytes)
	}
	if err := unix.Bind(fd, local); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	s.toLen = sockaddr(&s.to, server)
	for i := range burst {
		s.iovOut[i].Base = &s.bufOut[i][0]
		s.iovIn[i].Base = &s.bufIn[i][0]
		s.iovIn[i].SetLen(maxPacket)
	}
	return s, nil
}

func (s *socket) close() { _ = unix.Close(s.fd) }

// sockaddr writes a sockaddr_in or sockaddr_in6 and returns its length.
func sockaddr(b *[unix.SizeofSockaddrInet6]byte, a netip.AddrPort) uint32 {
	binary.BigEndian.PutUint16(b[2:], a.Port())
	if a.Addr().Is4() {
		binary.NativeEndian.PutUint16(b[:], unix.AF_INET)
		ip := a.Addr().As4()
		copy(b[4:], ip[:])
		return unix.SizeofSockaddrInet4
	}
	binary.NativeEndian.PutUint16(b[:], unix.AF_INET6)
	ip := a.Addr().As16()
	copy(b[8:], ip[:])
	return unix.SizeofSockaddrInet6
}

// buffer returns an empty slice to append the next packet to, of at most burst
// until flush.
func (s *socket) buffer() []byte { return s.bufOut[s.queued][:0] }

// queue sends, at the next flush, what was appended to buffer. from is the
// local address to send from; the zero Addr leaves it to the routes.
func (s *socket) queue(packet []byte, from netip.Addr) {
	i := s.queued
	s.queued++
	s.iovOut[i].SetLen(len(packet))
	h := &s.out[i].Hdr
	*h = unix.Msghdr{Name: &s.to[0], Namelen: s.toLen, Iov: &s.iovOut[i]}
	h.SetIovlen(1)
	if !from.IsValid() {
		return
	}
	c := (*unix.Cmsghdr)(unsafe.Pointer(&s.ctlOut[i]))
	data := s.ctlOut[i][unix.CmsgLen(0):]
	if from.Is4() {
		c.Level, c.Type = unix.IPPROTO_IP, unix.IP_PKTINFO
		ip := from.As4()
		copy(data[4:], ip[:]) // in_pktinfo: interface, spec_dst, addr
		c.SetLen(unix.CmsgLen(unix.SizeofInet4Pktinfo))
		h.SetControllen(unix.CmsgSpace(unix.SizeofInet4Pktinfo))
	} else {
		c.Level, c.Type = unix.IPPROTO_IPV6, unix.IPV6_PKTINFO
		ip := from.As16()
		copy(data, ip[:])
		c.SetLen(unix.CmsgLen(unix.SizeofInet6Pktinfo))
		h.SetControllen(unix.CmsgSpace(unix.SizeofInet6Pktinfo))
	}
	h.Control = &s.ctlOut[i][0]
}

// flush sends what is queued and returns the error of the first packet that
// could not leave; the rest goes all the same.
func (s *socket) flush() (err error) {
	for off := 0; off < s.queued; {
		n, errno := mmsg(unix.SYS_SENDMMSG, s.fd, s.out[off:s.queued])
		off += n
		if errno != 0 {
			if err == nil {
				err = errno
			}
			off++
		}
	}
	s.queued = 0
	return err
}

// receive reads what has come, and returns how many packets.
func (s *socket) receive() int {
	for i := range s.in {
		h := &s.in[i].Hdr
		*h = unix.Msghdr{
			Name: &s.names[i][0], Namelen: unix.SizeofSockaddrInet6,
			Iov: &s.iovIn[i], Control: &s.ctlIn[i][0],
		}
		h.SetIovlen(1)
		h.SetControllen(ancillary)
	}
	n, _ := mmsg(unix.SYS_RECVMMSG, s.fd, s.in[:])
	return n
}

// packet returns the i-th of them and when it arrived; nil if it came from
// somebody else.
func (s *socket) packet(i int) ([]byte, time.Duration) {
	// Port and address tell servers apart; the last four bytes are a scope.
	const compared = 24
	n := min(s.toLen, compared)
	if string(s.names[i][:n]) != string(s.to[:n]) {
		return nil, 0
	}
	return s.bufIn[i][:s.in[i].Len], s.arrival(i)
}

// arrival is by the kernel's word where it says so, else now.
func (s *socket) arrival(i int) time.Duration {
	if int(s.in[i].Hdr.Controllen) >= unix.CmsgLen(16) {
		c := (*unix.Cmsghdr)(unsafe.Pointer(&s.ctlIn[i]))
		if c.Level == unix.SOL_SOCKET && c.Type == unix.SO_TIMESTAMPNS_NEW {
			data := s.ctlIn[i][unix.CmsgLen(0):]
			return time.Duration(binary.NativeEndian.Uint64(data))*time.Second +
				time.Duration(binary.NativeEndian.Uint64(data[8:]))
		}
	}
	return wall()
}

// wait returns when something has come, at the latest after d.
func (s *socket) wait(d time.Duration) {
	if d <= 0 {
		return
	}
	t := unix.NsecToTimespec(d.Nanoseconds())
	fds := []unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}}
	_, _ = unix.Ppoll(fds, &t, nil) // a signal only ends it early
}

// wall is the time that the kernel's timestamps are in.
func wall() time.Duration { return time.Duration(time.Now().UnixNano()) }

// mmsg is sendmmsg or recvmmsg without waiting.
func mmsg(trap uintptr, fd int, m []unix.Mmsghdr) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(trap, uintptr(fd), uintptr(unsafe.Pointer(&m[0])), uintptr(len(m)), unix.MSG_DONTWAIT, 0, 0)
	runtime.KeepAlive(m)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

//go:build linux

package udp

import (
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"

	"ntsd/internal/clock"
)

// ListenConfig is what a served port needs.
type ListenConfig struct {
	// Now reads the kernel's CLOCK_REALTIME, for packets without a stamp of
	// the kernel's.
	Now func() clock.Wall
	// DSCP marks the replies (RFC 2474), 0 to 63.
	DSCP uint8
	// ReusePort lets several sockets of this daemon share the port. A second
	// daemon could share it too: who sets this holds a lock.
	ReusePort bool
	// ReceiveBuffer is the kernel's queue in bytes; 0 is the kernel's choice.
	ReceiveBuffer int
}

// Request is where a packet came from and how its answer finds back.
type Request struct {
	From    netip.AddrPort // without a zone: IfIndex has it
	Local   netip.Addr     // the address of ours that was asked; invalid: unknown
	IfIndex uint32         // the interface that it came in on; 0: unknown
	Rx      Stamp
}

// Server is a port that requests come to. With ReadFrom and WriteTo one
// goroutine may read while one other writes; ReadBatch and WriteBatch belong to
// one goroutine. None of them allocates.
type Server struct {
	held
	now  func() clock.Wall
	addr netip.AddrPort

	in, out message
	txQueue
}

// Listen serves addr: the wildcard address of a family, or one address.
func Listen(addr netip.AddrPort, c ListenConfig) (*Server, error) {
	addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	fd, err := newSocket(addr.Addr())
	if err != nil {
		return nil, opError("listen on", addr, err)
	}
	if err := bindServer(fd, addr, c); err != nil {
		_ = unix.Close(fd)
		return nil, opError("listen on", addr, err)
	}
	return newServer(fd, addr, c)
}

// newServer takes over a socket that is bound, and closes it on failure.
func newServer(fd int, addr netip.AddrPort, c ListenConfig) (*Server, error) {
	setDSCP(fd, addr.Addr(), c.DSCP)
	neverFragment(fd, addr.Addr())
	stamps := enableServerStamps(fd, sofOptID|sofOptTSOnly)
	bound := localAddr(fd)
	s := &Server{now: c.Now, addr: bound}
	if err := s.hold(fd); err != nil {
		return nil, opError("listen on", addr, err)
	}
	s.txStamps = stamps
	return s, nil
}

// bindServer sets what a server's socket needs, and binds.
func bindServer(fd int, addr netip.AddrPort, c ListenConfig) error {
	if err := optServer(fd, addr.Addr(), c); err != nil {
		return err
	}
	scope, err := scopeOf(fd, addr.Addr().Zone())
	if err != nil {
		return err
	}
	return unix.Bind(fd, sockaddr(addr, scope))
}

// optServer asks for packet info, without which replies would leave from the
// wrong address of a router that has many.
func optServer(fd int, addr netip.Addr, c ListenConfig) error {
	level, option := unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO
	if addr.Is4() {
		level, option = unix.IPPROTO_IP, unix.IP_PKTINFO
	}
	if err := unix.SetsockoptInt(fd, level, option, 1); err != nil {
		return err
	}
	if c.ReusePort {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			return err
		}
	}
	if c.ReceiveBuffer > 0 {
		// A smaller queue than asked for is no reason not to serve.
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, c.ReceiveBuffer)
	}
	return nil
}

// Addr returns where the server listens.
func (s *Server) Addr() netip.AddrPort { return s.addr }

// ReadFrom waits for a packet and reads it into buf. ErrTooLong drops one
// packet and is no reason to stop; os.ErrClosed is.
func (s *Server) ReadFrom(buf []byte) (n int, r Request, err error) {
	if n, err = s.readOne(buf); err != nil {
		return 0, Request{}, opError("receive on", s.addr, err)
	}
	c := s.in.controls(native())
	r = Request{From: s.in.from(), Local: c.local, IfIndex: c.ifIndex, Rx: Stamp{c.stamp, Kernel}}
	if c.stamp == 0 {
		r.Rx = Stamp{s.now(), Daemon}
	}
	return n, r, nil
}

func (s *Server) readOne(buf []byte) (n int, err error) {
	if err := s.enter(); err != nil {
		return 0, err
	}
	defer s.leave()
	for {
		n, err := s.in.receive(uintptr(s.fd), buf, unix.MSG_DONTWAIT)
		if !again(err) {
			return n, err
		}
		if err := s.wait(); err != nil {
			return 0, err
		}
	}
}

// WriteTo answers r with b, from the address that was asked. A full send queue
// drops the reply (the error says so): a server waits for nobody.
func (s *Server) WriteTo(b []byte, r Request) error {
	err := s.enter()
	if err == nil {
		defer s.leave()
		control := native().appendPacketInfo(s.out.control[:0], r.Local, r.IfIndex)
		err = s.out.send(uintptr(s.fd), b, r.From, r.IfIndex, len(control))
	}
	if err != nil {
		return opError("reply to", r.From, err)
	}
	return nil
}

// Close ends a blocked ReadFrom or ReadBatch with os.ErrClosed.
func (s *Server) Close() error { return s.close() }

// ListenAll serves port on the wildcard addresses of both families. A kernel
// without one of them is served on the other.
func ListenAll(port uint16, c ListenConfig) ([]*Server, error) {
	var all []*Server
	for _, a := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		s, err := Listen(netip.AddrPortFrom(a, port), c)
		if errors.Is(err, unix.EAFNOSUPPORT) {
			continue
		}
		if err != nil {
			for _, s := range all {
				_ = s.Close()
			}
			return nil, err
		}
		all = append(all, s)
	}
	if len(all) == 0 {
		return nil, opError("listen on", netip.AddrPortFrom(netip.Addr{}, port), unix.EAFNOSUPPORT)
	}
	return all, nil
}

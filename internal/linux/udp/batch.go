//go:build linux

package udp

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"ntsd/internal/clock"
)

// MaxBatch is how many packets one system call moves. The kernel's work per
// packet is 4 to 5 us, so beyond some tens the saved calls are no longer felt,
// and a reply would wait for the whole batch before it.
const MaxBatch = 32

// pendingStamps bounds the replies whose transmit stamp is awaited; the oldest
// are given up. A power of two, so that packet numbers wrap round it.
const pendingStamps = 8 * MaxBatch

// Sent is when a reply that was tagged left.
type Sent struct {
	Tag uint64
	Tx  Stamp
}

// Batch is the packets of one pass: ReadBatch fills it with requests, the
// caller sets replies, WriteBatch sends them. It belongs to one goroutine, is
// reused, and has 140 KB. NewBatch makes one.
type Batch struct {
	n        int
	in       [MaxBatch]unix.Mmsghdr
	requests [MaxBatch]Request
	iovIn    [MaxBatch]unix.Iovec
	names    [MaxBatch][unix.SizeofSockaddrInet6]byte
	ctlIn    [MaxBatch][maxControl]byte
	bufIn    [MaxBatch][MaxDatagram]byte

	replies int
	out     [MaxBatch]unix.Mmsghdr
	iovOut  [MaxBatch]unix.Iovec
	ctlOut  [MaxBatch][maxReplyControl]byte
	bufOut  [MaxBatch][MaxDatagram]byte
	tags    [MaxBatch]uint64

	// sent holds the stamps of earlier replies that ReadBatch found.
	sent    [2 * MaxBatch]Sent
	stamped int
}

// maxReplyControl holds packet info for v6 (40 bytes) and the wish for a stamp
// (24).
const maxReplyControl = 64

// NewBatch returns an empty batch.
func NewBatch() *Batch {
	b := new(Batch)
	for i := range MaxBatch {
		b.iovIn[i].Base = &b.bufIn[i][0]
		b.iovIn[i].SetLen(MaxDatagram)
		b.iovOut[i].Base = &b.bufOut[i][0]
		h := &b.in[i].Hdr
		h.Name, h.Iov, h.Control = &b.names[i][0], &b.iovIn[i], &b.ctlIn[i][0]
		h.SetIovlen(1)
	}
	b.n = MaxBatch
	b.rewind()
	return b
}

// Request returns packet i, which is good until the next ReadBatch, and where
// it came from. The packet is nil if it was longer than MaxDatagram.
func (b *Batch) Request(i int) ([]byte, Request) {
	if b.in[i].Hdr.Flags&unix.MSG_TRUNC != 0 {
		return nil, b.requests[i]
	}
	return b.bufIn[i][:b.in[i].Len], b.requests[i]
}

// Buffer returns an empty slice with room for the next reply: append to it and
// hand it to SetReply.
func (b *Batch) Buffer() []byte { return b.bufOut[b.replies%MaxBatch][:0] }

// SetReply answers request i with what was appended to Buffer. A tag that is
// not 0 asks for the transmit stamp, which a later Sent has. At most one reply
// per request.
func (b *Batch) SetReply(i int, reply []byte, tag uint64) {
	j := b.replies
	if j == MaxBatch || len(reply) == 0 || &reply[0] != &b.bufOut[j][0] {
		panic("udp: SetReply without Buffer") // our own bug, no packet's
	}
	b.replies++
	b.iovOut[j].SetLen(len(reply))
	b.tags[j] = tag
	h := &b.out[j].Hdr
	*h = unix.Msghdr{Iov: &b.iovOut[j], Name: &b.names[i][0], Namelen: b.in[i].Hdr.Namelen}
	h.SetIovlen(1)
	r := &b.requests[i]
	h.SetControllen(len(native().appendPacketInfo(b.ctlOut[j][:0], r.Local, r.IfIndex)))
}

// Sent returns the transmit stamps that the latest ReadBatch found, good until
// the next. A reply without a driver's stamp never appears.
func (b *Batch) Sent() []Sent { return b.sent[:b.stamped] }

// ReadBatch waits for requests and reads as many as there are, at most
// MaxBatch. It returns early with n = 0 when transmit stamps came alone.
func (s *Server) ReadBatch(b *Batch) (n int, err error) {
	b.replies, b.stamped = 0, 0
	if err := s.receive(b); err != nil {
		b.n = 0
		return 0, opError("receive on", s.addr, err)
	}
	var now clock.Wall
	l := native()
	for i := range b.n {
		h := &b.in[i].Hdr
		r := &b.requests[i]
		c := l.parse(b.ctlIn[i][:min(int(h.Controllen), maxControl)])
		r.From = parseSockaddr(b.names[i][:min(int(h.Namelen), len(b.names[i]))])
		r.Local, r.IfIndex, r.Rx = c.local, c.ifIndex, Stamp{c.stamp, Kernel}
		if c.stamp == 0 {
			if now == 0 {
				now = s.now()
			}
			r.Rx = Stamp{now, Daemon}
		}
	}
	return b.n, nil
}

// receive fills b with packets or stamps, whichever come first.
func (s *Server) receive(b *Batch) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	for waits := 0; ; waits++ {
		b.rewind()
		// Woken for nothing: it was a stamp that nobody awaits, as a driver may
		// give one twice, and it wakes us until it is taken.
		if s.outstanding > 0 || waits > 1 {
			s.collect(uintptr(s.fd), b)
		}
		n, errno := mmsg(unix.SYS_RECVMMSG, uintptr(s.fd), b.in[:], unix.MSG_DONTWAIT)
		if errno != 0 && errno != unix.EAGAIN {
			return errno
		}
		if b.n = n; n > 0 || b.stamped > 0 {
			s.busy = s.busy || n > 1
			return nil
		}
		if err := s.wait(); err != nil {
			return err
		}
	}
}

// rewind makes the headers of the packets that were read ready for others.
func (b *Batch) rewind() {
	for i := range b.n {
		h := &b.in[i].Hdr
		h.Namelen, h.Flags = unix.SizeofSockaddrInet6, 0
		h.SetControllen(maxControl)
	}
	b.n = 0
}

// WriteBatch sends the replies and returns how many left. One that the kernel
// refuses is skipped; a full send queue drops the rest: a server waits for
// nobody. The error is the first of them.
func (s *Server) WriteBatch(b *Batch) (sent int, err error) {
	if b.replies == 0 {
		return 0, nil
	}
	if err = s.enter(); err == nil {
		s.wish(b)
		sent, err = s.send(b)
		s.leave()
	}
	b.replies = 0
	if err != nil {
		err = opError("reply from", s.addr, err)
	}
	return sent, err
}

// wish completes the control messages: a tagged reply asks for its stamp.
func (s *Server) wish(b *Batch) {
	for j := range b.replies {
		h := &b.out[j].Hdr
		n := int(h.Controllen)
		if b.tags[j] != 0 && s.txStamps {
			n = len(native().appendStampWish(b.ctlOut[j][:n]))
			h.SetControllen(n)
		}
		if n > 0 {
			h.Control = &b.ctlOut[j][0]
		}
	}
}

// send sends the batch and returns how many left.
func (s *Server) send(b *Batch) (sent int, err error) {
	for off := 0; off < b.replies; {
		n, errno := mmsg(unix.SYS_SENDMMSG, uintptr(s.fd), b.out[off:b.replies], unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
		for j := off; j < off+n; j++ {
			s.await(b.tags[j])
		}
		sent += n
		off += n
		if errno == 0 {
			continue
		}
		if err == nil {
			err = errno
		}
		if b.tags[off] != 0 && s.txStamps {
			s.renumber(uintptr(s.fd))
		}
		if errno == unix.EAGAIN {
			return sent, err
		}
		off++
	}
	return sent, err
}

// mmsg is recvmmsg or sendmmsg, which have the same arguments. An error comes
// alone: the kernel keeps back one that met a later packet.
func mmsg(trap, fd uintptr, m []unix.Mmsghdr, flags uintptr) (int, syscall.Errno) {
	for {
		n, _, errno := unix.RawSyscall6(trap, fd, uintptr(unsafe.Pointer(&m[0])), uintptr(len(m)), flags, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return 0, errno
		}
		return int(n), 0
	}
}

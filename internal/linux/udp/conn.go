//go:build linux

package udp

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"ntsd/internal/clock"
)

// Client ports. RFC 9109 section 4 wants unpredictable source ports; we take a
// new one for each request, and choose it ourselves from 16384 to 65535: 15.6 bits, whatever
// net.ipv4.ip_local_port_range says (14.8 bits by default, and administrators
// narrow it). Below lie most ports that services on a router are given.
const (
	firstPort = 16384
	ports     = 65536 - firstPort
	// portTries: chosen ports that may be in use before the kernel is asked
	// for any free one.
	portTries = 8
)

// maxQueued bounds the reading of the error queue per wake-up: a socket sends
// one request, so more than a few stamps are not ours to wait for.
const maxQueued = 8

// Config is what a client socket needs.
type Config struct {
	// Now reads the kernel's CLOCK_REALTIME, for the stamps that the kernel
	// does not give (sysclock's KernelWall).
	Now func() clock.Wall
	// Rand chooses the source port; nil means crypto/rand.
	Rand io.Reader
	// Local is the address to send from; the zero value leaves it to the
	// routes.
	Local netip.Addr
	// Port is the port to send from, though Servers of this process may have
	// it too: what comes from the other side's address and port comes here,
	// and all else to them. 0: one that nobody can guess.
	Port uint16
	// Interface is the device to send through, "" where the routes lead: its
	// name, or that of the bridge br-NAME as OpenWrt has them.
	Interface string
	// Cards asks for the stamps of network cards, beside the kernel's.
	Cards bool
	// DSCP marks the packets (RFC 2474), 0 to 63.
	DSCP uint8
}

// Conn is the socket of one exchange: one request from a port of its own, and
// whatever comes back from the server's address and port. Duplicates and
// forgeries may come, so it can be read more than once. Send, Receive, Tx and
// Close may be called from different goroutines, each from one at a time.
type Conn struct {
	file file
	now  func() clock.Wall
	dst  netip.AddrPort
	src  netip.AddrPort

	in message // Receive's

	mu    sync.Mutex // guards what follows
	out   message    // Send's and the error queue's
	sends uint32     // packets that left
	first uint32     // the number of the latest that Send sent
	past  uint32     // that of the first Reply after it; 0: none
	tx    Stamp      // of the latest
	cards bool       // cards are asked for stamps
	card  CardStamps // theirs
}

// CardTime is a moment on the timescale of a network card; 0: none.
type CardTime int64

// CardStamps are when the latest packet left and the latest one came by the
// cards' word.
type CardStamps struct{ Tx, Rx CardTime }

// Open returns a socket connected to dst, on a fresh random port.
func Open(dst netip.AddrPort, c Config) (*Conn, error) {
	dst = netip.AddrPortFrom(dst.Addr().Unmap(), dst.Port())
	fd, err := newSocket(dst.Addr())
	if err != nil {
		return nil, opError("open", dst, err)
	}
	if err := sendThrough(fd, dst.Addr(), c.Interface); err != nil {
		_ = unix.Close(fd)
		return nil, opError("open", dst, err)
	}
	if err := connect(fd, dst, c); err != nil {
		_ = unix.Close(fd)
		return nil, opError("open", dst, err)
	}
	setDSCP(fd, dst.Addr(), c.DSCP)
	cards := c.Cards && enableCardStamps(fd)
	if !cards {
		enableStamps(fd, true)
	}
	src := localAddr(fd)
	f := file{}
	if err := f.open(fd); err != nil {
		return nil, opError("open", dst, err)
	}
	return &Conn{file: f, now: c.Now, dst: dst, src: src, cards: cards}, nil
}

// connect binds fd to a random port and connects it: the kernel then drops
// what others send, and reports ICMP errors.
func connect(fd int, dst netip.AddrPort, c Config) error {
	scope, err := scopeOf(fd, dst.Addr().Zone())
	if err != nil {
		return err
	}
	local := c.Local
	if !local.IsValid() {
		local = netip.IPv6Unspecified()
		if dst.Addr().Is4() {
			local = netip.IPv4Unspecified()
		}
	}
	if c.Port != 0 {
		err = bindShared(fd, dst, scope, c)
	} else {
		err = bindRandom(fd, local, scope, c.Rand)
	}
	if err != nil {
		return err
	}
	return unix.Connect(fd, sockaddr(dst, scope))
}

// bindShared binds fd to c.Port, beside Servers with ReusePort. It takes one
// address alone: bound to all of them it would get requests of others until it
// is connected, and share them afterwards (Linux before 5.4).
func bindShared(fd int, dst netip.AddrPort, scope uint32, c Config) error {
	local := c.Local
	if !local.IsValid() {
		probe, err := newSocket(dst.Addr())
		if err != nil {
			return err
		}
		defer unix.Close(probe)
		if err := sendThrough(probe, dst.Addr(), c.Interface); err != nil {
			return err
		}
		if err := unix.Connect(probe, sockaddr(dst, scope)); err != nil {
			return err
		}
		local = localAddr(probe).Addr().WithZone("")
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		return err
	}
	return unix.Bind(fd, sockaddr(netip.AddrPortFrom(local, c.Port), scope))
}

// bindRandom binds fd to a random free port.
func bindRandom(fd int, local netip.Addr, scope uint32, random io.Reader) error {
	if random == nil {
		random = rand.Reader
	}
	for range portTries {
		var b [4]byte
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return err
		}
		// 2^32 is 87381 times ports and a third: the bias is below 1e-5.
		port := uint16(firstPort + binary.BigEndian.Uint32(b[:])%ports)
		err := unix.Bind(fd, sockaddr(netip.AddrPortFrom(local, port), scope))
		if !errors.Is(err, unix.EADDRINUSE) {
			return err
		}
	}
	return unix.Bind(fd, sockaddr(netip.AddrPortFrom(local, 0), scope))
}

// Local returns the address and port that the request comes from.
func (c *Conn) Local() netip.AddrPort { return c.src }

// Remote returns the server's address and port.
func (c *Conn) Remote() netip.AddrPort { return c.dst }

// Send sends b. An error of an earlier packet may come out here (ErrRefused). It
// never waits: where the link takes nothing it is ErrFull.
func (c *Conn) Send(b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tx = Stamp{c.now(), Daemon}
	if err := c.write(b); err != nil {
		return opError("send to", c.dst, err)
	}
	c.first, c.past = c.sends, 0
	c.sends++
	return nil
}

// Reply sends b, but Tx goes on to tell of what Send has sent.
func (c *Conn) Reply(b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.write(b); err != nil {
		return opError("reply to", c.dst, err)
	}
	if c.past == 0 {
		c.past = c.sends
	}
	c.sends++
	return nil
}

// write gives b to the kernel, or finds out at once that it takes nothing.
func (c *Conn) write(b []byte) error {
	var err error
	werr := c.file.raw.Write(func(fd uintptr) bool {
		err = c.out.send(fd, b, netip.AddrPort{}, 0, 0)
		return true
	})
	return c.file.reason(werr, err)
}

// SetTimeout lets Receive give up with os.ErrDeadlineExceeded when d has
// passed from now.
func (c *Conn) SetTimeout(d time.Duration) error { return c.file.f.SetReadDeadline(time.Now().Add(d)) }

// Receive waits for a packet from the server, reads it into buf and returns
// its length and arrival. ErrRefused says that an ICMP error came instead;
// that may be forged as well as a packet, so it is a hint.
func (c *Conn) Receive(buf []byte) (n int, rx Stamp, err error) {
	rerr := c.file.raw.Read(func(fd uintptr) bool {
		// Transmit stamps wake the reader too. They go first: an answer is
		// useless without them.
		c.drain(fd)
		n, err = c.in.receive(fd, buf, 0)
		return !again(err)
	})
	if err = c.file.reason(rerr, err); err != nil {
		return 0, Stamp{}, opError("receive from", c.dst, err)
	}
	if c.cards {
		c.mu.Lock()
		c.card.Rx = c.in.card(native())
		c.mu.Unlock()
	}
	if s := c.in.controls(native()).stamp; s != 0 {
		return n, Stamp{s, Kernel}, nil
	}
	return n, Stamp{c.now(), Daemon}, nil
}

// Tx returns when the latest packet left: by the kernel's word once it has
// one, which is before the answer comes, else by ours.
func (c *Conn) Tx() Stamp {
	_ = c.file.raw.Control(c.drain)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tx
}

// drain reads the transmit stamps that wait in the socket's error queue.
func (c *Conn) drain(fd uintptr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range maxQueued {
		if _, err := c.out.receive(fd, nil, unix.MSG_ERRQUEUE); err != nil && !errors.Is(err, ErrTooLong) {
			return
		}
		q := c.out.controls(native())
		// Packets are numbered from 0; a send that failed may have used up
		// a number, so a later one is ours as well.
		if !q.queued || int32(q.key-c.first) < 0 || c.past != 0 && int32(q.key-c.past) >= 0 {
			continue
		}
		if q.stamp != 0 {
			c.tx = Stamp{q.stamp, Kernel}
		}
		if c.cards {
			c.card.Tx = max(c.card.Tx, c.out.card(native()))
		}
	}
}

// Cards returns the stamps of network cards. A card tells of a departure some
// time after it.
func (c *Conn) Cards() CardStamps {
	_ = c.file.raw.Control(c.drain)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.card
}

// Close frees the port and ends a blocked Receive with os.ErrClosed.
func (c *Conn) Close() error { return c.file.close() }

// Hold keeps the kernel's timestamping switched on until it is closed. The
// first socket that wants stamps makes the kernel patch its code on every core
// and the last one undoes it, so without Hold each exchange pays for that, and
// a quick first answer may come unstamped.
func Hold() (io.Closer, error) {
	fd, err := newSocket(netip.IPv4Unspecified())
	if err != nil {
		return nil, opError("hold stamps on", netip.AddrPort{}, err)
	}
	enableStamps(fd, false)
	return os.NewFile(uintptr(fd), "udp-stamps"), nil
}

//go:build linux

// Package serving is what an NTP server needs of Linux: sockets that share a
// port, the time that is served, and the interfaces with their subnets. It
// belongs to layer 4.
//
// Not its business: whom to answer, and what.
package serving

import (
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/linux/udp"
	"ntsd/internal/ntptime"
	"ntsd/internal/server"
	"ntsd/internal/smooth"
)

// Steered is the clock that the daemon steers: the kernel's, or its dry-run
// twin. See sysclock.
type Steered interface {
	Read() clock.Reading
	KernelWall() clock.Wall
	MonoAt(kernelRealtime clock.Wall) clock.Mono
}

// Implementation constants.
const (
	// wideTime says that Go's own clock has 64-bit seconds. It costs a third
	// of a system call, which is felt where one answers every 5 us; elsewhere
	// it ends in 2038.
	wideTime = bits.UintSize == 64
	// receiveQueue is the kernel's queue per socket in bytes, as far as the
	// system allows it: some 600 requests may come while something else has the
	// processor. Memory is taken only by those that wait.
	receiveQueue = 512 << 10
	// shiftFor is how long a shift between two clocks holds: at 100 ppm they
	// part by 0.1 us meanwhile.
	shiftFor = time.Millisecond
)

// Clock tells the time that is served. Its methods may be called from any
// goroutine.
type Clock struct {
	steered Steered
	own     bool
	started time.Time
	plan    atomic.Pointer[smooth.Plan] // what is served instead of the steered clock; nil: nothing

	mu    sync.Mutex
	shift clock.Offset // of a clock of our own against the kernel's
	since time.Duration
	known bool
}

// NewClock returns the clock that serves the steered one's time. own says that
// this is not the kernel's, whose scale the timestamps of packets are on.
func NewClock(s Steered, own bool) *Clock { return &Clock{steered: s, own: own, started: time.Now()} }

// Now returns the time, and what puts a timestamp that the kernel took a moment
// ago on the same scale. The local time counts from NewClock.
func (c *Clock) Now() (clock.Reading, clock.Offset) {
	if p := c.plan.Load(); p != nil {
		return c.smoothed(p, time.Since(c.started))
	}
	shift := clock.Offset(0)
	if c.own {
		shift = c.ownShift(time.Since(c.started)) // before the time is read: it may take microseconds
	}
	now := time.Now()
	kernel := clock.WallTime(now)
	if !wideTime {
		kernel = c.steered.KernelWall()
	}
	local := now.Sub(c.started) // by the monotonic clock
	return clock.Reading{Mono: clock.Mono(local), Wall: kernel.Add(shift.Duration())}, shift
}

// Serve has Now tell the time of a plan, where it is active.
func (c *Clock) Serve(p smooth.Plan) {
	if !p.Active {
		c.plan.Store(nil)
	} else if old := c.plan.Load(); old == nil || *old != p {
		c.plan.Store(&p)
	}
}

// smoothed returns what Now does while a plan is served.
func (c *Clock) smoothed(p *smooth.Plan, local time.Duration) (clock.Reading, clock.Offset) {
	now := c.steered.Read()
	kernel := now.Wall
	if c.own {
		kernel = kernel.Add(-c.ownShift(local).Duration())
	}
	served := p.WallAt(now.Mono)
	return clock.Reading{Mono: clock.Mono(local), Wall: served}, served.Sub(kernel)
}

// ownShift returns what a clock of our own is ahead of the kernel's.
func (c *Clock) ownShift(local time.Duration) clock.Offset {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.known || local-c.since > shiftFor {
		kernel := c.steered.KernelWall()
		now := c.steered.Read()
		same := now.Wall.Add(c.steered.MonoAt(kernel).Sub(now.Mono)) // as kernel
		c.shift, c.since, c.known = same.Sub(kernel), local, true
	}
	return c.shift
}

// precisionReadings are made to find out how finely the clock can be read.
const precisionReadings = 64

// Precision is how finely the clock can be read (RFC 5905 section 7.3): known,
// or 0 to measure it.
func (c *Clock) Precision(known time.Duration) ntptime.Exponent {
	if known > 0 {
		return exponent(known)
	}
	least := time.Second
	last := c.steered.KernelWall()
	for range precisionReadings {
		next := c.steered.KernelWall()
		if d := next.Sub(last).Duration(); d > 0 {
			least = min(least, d)
		}
		last = next
	}
	return exponent(least)
}

// exponent is the smallest power of two of seconds that is not below d, which is
// from 1 ns to 1 s.
func exponent(d time.Duration) ntptime.Exponent {
	return -ntptime.Exponent(bits.Len64(uint64(time.Second/d)) - 1)
}

// Listen opens a UDP port on the wildcard addresses of both families, n sockets
// each. It wraps the system's error and says what to do about it. Sockets that
// were given are served in their stead where they are for this port, and as
// many others beside them as the system lets share their address.
func Listen(port uint16, n int, c *Clock, given []*os.File) ([]*Port, error) {
	// The workers' sockets share the port, and with them those of peers.
	config := udp.ListenConfig{Now: c.steered.KernelWall, ReusePort: true, ReceiveBuffer: receiveQueue}
	lock, err := claim(port)
	if err != nil {
		return nil, err
	}
	sockets, err := open(port, n, config, given)
	if err != nil {
		for _, s := range sockets {
			_ = s.Close()
		}
		if lock != nil {
			_ = lock.Close()
		}
		return nil, explain(err)
	}
	var ports []*Port
	for _, s := range sockets {
		ports = append(ports, &Port{socket: s, batch: udp.NewBatch()})
	}
	ports[0].lock = lock
	return ports, nil
}

// ListenLocal opens a UDP port on the loopback address of each family that the
// system has.
func ListenLocal(port uint16, c *Clock) ([]*Port, error) {
	var ports []*Port
	for _, a := range []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()} {
		s, err := udp.Listen(netip.AddrPortFrom(a, port), udp.ListenConfig{Now: c.steered.KernelWall})
		switch {
		case err == nil:
			ports = append(ports, &Port{socket: s, batch: udp.NewBatch()})
		case errors.Is(err, syscall.EAFNOSUPPORT), errors.Is(err, syscall.EADDRNOTAVAIL):
			continue // IPv6 may be switched off, also on one interface
		default:
			for _, p := range ports {
				_ = p.Close()
			}
			return nil, explain(err)
		}
	}
	if len(ports) == 0 {
		return nil, errors.New("serving: no loopback address")
	}
	return ports, nil
}

// open returns the sockets of a port; also those that are open when an error
// occurs.
func open(port uint16, n int, config udp.ListenConfig, given []*os.File) (all []*udp.Server, err error) {
	beside := make(map[netip.Addr]int)
	for _, f := range given {
		if at, ok := udp.Bound(int(f.Fd())); ok && at.Port() == port {
			s, err := udp.Adopt(int(f.Fd()), config)
			if err != nil {
				return all, err
			}
			all = append(all, s)
			beside[at.Addr()]++
		}
	}
	for addr, have := range beside {
		for range n - have {
			// Sockets of another user, as systemd's, share with nobody: then
			// this worker has nothing to do.
			if s, err := udp.Listen(netip.AddrPortFrom(addr, port), config); err == nil {
				all = append(all, s)
			}
		}
	}
	if len(all) > 0 {
		return all, nil
	}
	for range n {
		sockets, err := udp.ListenAll(port, config)
		if err != nil {
			return all, err
		}
		all = append(all, sockets...)
	}
	return all, nil
}

func explain(err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w; ports below 1024 need root or CAP_NET_BIND_SERVICE", err)
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w; another time server runs here", err)
	}
	return err
}

// Port is one socket with the batch that it is read into. It belongs to one
// goroutine, but for Close.
type Port struct {
	socket *udp.Server
	batch  *udp.Batch
	lock   net.Listener // of the first socket of a port; may be nil
}

// Read waits for requests and returns how many there are.
func (p *Port) Read() (int, error) { return p.socket.ReadBatch(p.batch) }

// Request returns the i-th as it arrived, on the kernel's scale, and whether it
// was the kernel that noted the time. Data is nil if it was too long.
func (p *Port) Request(i int) (req server.Request, kernel bool) {
	data, r := p.batch.Request(i)
	return server.Request{
		Data: data, From: r.From, Local: r.Local, Interface: r.IfIndex, Received: r.Rx.Wall,
	}, r.Rx.Kind == udp.Kernel
}

// Buffer returns an empty slice to append a reply to.
func (p *Port) Buffer() []byte { return p.batch.Buffer() }

// Reply answers the i-th request; a tag that is not 0 asks when it leaves.
func (p *Port) Reply(i int, reply []byte, tag uint64) { p.batch.SetReply(i, reply, tag) }

// Send answers a request beside the batches. One other goroutine may do so.
func (p *Port) Send(req *server.Request, reply []byte) error {
	return p.socket.WriteTo(reply, udp.Request{From: req.From, Local: req.Local, IfIndex: req.Interface})
}

// Write sends the replies and returns how many left.
func (p *Port) Write() (int, error) { return p.socket.WriteBatch(p.batch) }

// EachSent calls f for each tagged reply of which it is known by now when it
// left, on the kernel's scale.
func (p *Port) EachSent(f func(tag uint64, at clock.Wall)) {
	for _, s := range p.batch.Sent() {
		f(s.Tag, s.Tx.Wall)
	}
}

// Close ends Read with os.ErrClosed.
func (p *Port) Close() error {
	err := p.socket.Close()
	if p.lock != nil {
		err = errors.Join(err, p.lock.Close())
	}
	return err
}

// Interfaces calls f for each network interface that is up.
func Interfaces(f func(name string, index uint32, subnets []netip.Prefix)) error {
	all, err := net.Interfaces()
	if err != nil {
		return err
	}
	for _, i := range all {
		addrs, err := i.Addrs()
		if err != nil || i.Flags&net.FlagUp == 0 {
			continue // it went away meanwhile, or is not in use
		}
		var subnets []netip.Prefix
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				subnets = append(subnets, p.Masked())
			}
		}
		f(i.Name, uint32(i.Index), subnets)
	}
	return nil
}

// Addresses returns the addresses of the interfaces that are up and wanted,
// link-local ones with their zone.
func Addresses(wanted func(name string) bool) ([]netip.Addr, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var found []netip.Addr
	for _, i := range all {
		if i.Flags&net.FlagUp == 0 || !wanted(i.Name) {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue // it went away meanwhile
		}
		for _, a := range addrs {
			p, err := netip.ParsePrefix(a.String())
			if err != nil {
				continue
			}
			addr := p.Addr()
			if addr.IsLinkLocalUnicast() && addr.Is6() {
				addr = addr.WithZone(i.Name)
			}
			found = append(found, addr)
		}
	}
	return found, nil
}

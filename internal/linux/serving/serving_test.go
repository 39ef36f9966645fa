//go:build linux

package serving

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/linux/sysclock"
	"ntsd/internal/ntptime"
	"ntsd/internal/server"
	"ntsd/internal/smooth"
	"ntsd/internal/wire"
)

func dryRun(t testing.TB, ahead clock.Offset) *sysclock.DryRun {
	t.Helper()
	d, err := sysclock.OpenDryRun(ahead)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A clock of our own is read as it is, and the kernel's timestamps are put on
// its scale, also after a step.
func TestOwnClock(t *testing.T) {
	const ahead = clock.Offset(3 * time.Hour)
	d := dryRun(t, ahead)
	c := NewClock(d, true)
	check := func(want clock.Offset) {
		t.Helper()
		before := d.Read().Wall
		now, shift := c.Now()
		after := d.Read().Wall
		const close = time.Millisecond
		if (shift - want).Abs() > close {
			t.Errorf("shift: got %v, want %v", shift.Duration(), want.Duration())
		}
		if now.Wall.Before(before.Add(-close)) || after.Add(close).Before(now.Wall) {
			t.Errorf("now: got %v, want from %v to %v", now.Wall, before, after)
		}
	}
	check(ahead)
	if err := d.Step(clock.Offset(time.Hour)); err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); time.Since(start) <= 2*shiftFor; { // until the shift is measured anew
	}
	check(ahead + clock.Offset(time.Hour))
}

func TestKernelClock(t *testing.T) {
	d := dryRun(t, clock.Offset(time.Hour)) // stands for the kernel's: only KernelWall counts
	c := NewClock(d, false)
	before := d.KernelWall()
	now, shift := c.Now()
	after := d.KernelWall()
	if shift != 0 || now.Wall.Before(before) || after.Before(now.Wall) {
		t.Errorf("got %v, shift %v; want from %v to %v, no shift", now.Wall, shift, before, after)
	}
	later, _ := c.Now()
	if later.Mono < now.Mono || now.Mono < 0 {
		t.Errorf("local time: got %d, then %d", now.Mono, later.Mono)
	}
	for known, want := range map[time.Duration]ntptime.Exponent{time.Second: 0, 4 * time.Millisecond: -7, time.Microsecond: -19, 1: -29} {
		if p := c.Precision(known); p != want || p.Duration() < known {
			t.Errorf("precision of %v: 2^%d s, want 2^%d", known, p, want)
		}
	}
	if p := c.Precision(0); p > -6 || p < -30 {
		t.Errorf("precision: got %d", p)
	}
}

// While a plan is served, Now tells its time, and the shift puts timestamps of
// the kernel on the same scale.
func TestPlanIsServed(t *testing.T) {
	const ahead, served = clock.Offset(time.Hour), 20 * time.Minute
	for _, own := range []bool{true, false} {
		d := dryRun(t, 0)
		if own {
			d = dryRun(t, ahead)
		}
		c := NewClock(d, own)
		now := d.Read()
		var s smooth.Smoother
		s.HandleConfig(now, smooth.Config{MaxRate: 1e-4, MaxWander: 1e-9})
		s.Activate(clock.Reading{Mono: now.Mono, Wall: now.Wall.Add(served)}, clock.Line{At: now})
		c.Serve(s.Plan())
		before := d.Read().Wall.Add(served)
		got, shift := c.Now()
		after := d.Read().Wall.Add(served)
		const close = time.Millisecond
		if got.Wall.Before(before.Add(-close)) || after.Add(close).Before(got.Wall) {
			t.Errorf("own %v: got %v, want from %v to %v", own, got.Wall, before, after)
		}
		kernel, _ := NewClock(d, false).Now()
		if d := kernel.Wall.Add(shift.Duration()).Sub(got.Wall); d < 0 || d.Abs() > 100*time.Millisecond {
			t.Errorf("own %v: shift %v puts the kernel's time %v off", own, shift.Duration(), d.Duration())
		}
		c.Serve(smooth.Plan{})
		if got, _ := c.Now(); got.Wall.Sub(after).Abs() < served/2 {
			t.Errorf("own %v: after the plan is withdrawn its time is still told", own)
		}
	}
}

func freePort(t *testing.T) uint16 {
	t.Helper()
	conn, err := net.ListenUDP("udp", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()
}

// What is sent to any of the sockets is answered from the address that was
// asked, and a second listener is refused.
func TestListen(t *testing.T) {
	port := freePort(t)
	c := NewClock(dryRun(t, 0), true)
	ports, err := Listen(port, 2, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, len(ports))
	for _, p := range ports {
		go func() { ended <- answer(p) }()
	}
	for _, to := range []string{"127.0.0.1", "127.0.0.77", "::1"} {
		addr := netip.AddrPortFrom(netip.MustParseAddr(to), port)
		conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(addr)) // takes replies from addr only
		if err != nil {
			t.Logf("%s: %v", to, err) // no IPv6 here
			continue
		}
		if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		request := wire.Header{Version: 4, Mode: wire.ModeClient, Transmit: 5}.Append(nil)
		if _, err := conn.Write(request); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 100)
		n, err := conn.Read(buf)
		if reply, parseErr := wire.ParseHeader(buf[:n]); err != nil || parseErr != nil || reply.Origin != 5 {
			t.Errorf("%s: got %+v, %v, %v", to, reply, err, parseErr)
		}
		conn.Close()
	}
	if _, err := Listen(port, 2, c, nil); err == nil || !strings.Contains(err.Error(), "another ntsd") {
		t.Errorf("second listener: got %v, want another ntsd", err)
	}
	if _, err := Listen(port, 1, c, nil); err == nil || !strings.Contains(err.Error(), "another ntsd") {
		t.Errorf("second listener, one socket: got %v, want another ntsd", err)
	}
	foreign, err := net.ListenUDP("udp4", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer foreign.Close()
	taken := foreign.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	if _, err := Listen(taken, 1, c, nil); err == nil || !strings.Contains(err.Error(), "another time server") {
		t.Errorf("beside another program: got %v, want another time server", err)
	}
	for _, p := range ports {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, os.ErrClosed) {
			t.Errorf("reader ended with %v, want closed", err)
		}
	}
	again, err := Listen(port, 2, c, nil)
	if err != nil {
		t.Fatalf("after closing: %v", err)
	}
	for _, p := range again {
		_ = p.Close()
	}
}

// answer serves a socket until it is closed.
func answer(p *Port) error {
	s := server.New(server.Config{})
	for {
		n, err := p.Read()
		if err != nil {
			return err
		}
		for i := range n {
			req, _ := p.Request(i)
			if reply, v := s.Reply(p.Buffer(), req, req.Received, server.System{}); v.Replies() {
				p.Reply(i, reply, 0)
			}
		}
		if _, err := p.Write(); err != nil {
			return err
		}
	}
}

func TestInterfaces(t *testing.T) {
	found := false
	err := Interfaces(func(name string, index uint32, subnets []netip.Prefix) {
		for _, p := range subnets {
			if p != p.Masked() || index == 0 || name == "" {
				t.Errorf("got %q, %d, %v", name, index, p)
			}
			found = found || p == netip.MustParsePrefix("127.0.0.0/8")
		}
	})
	if err != nil {
		t.Skipf("netlink does not work here: %v", err) // an emulator's
	}
	if !found {
		t.Error("no loopback interface")
	}
}

func BenchmarkNow(b *testing.B) {
	for name, own := range map[string]bool{"kernel": false, "own": true} {
		b.Run(name, func(b *testing.B) {
			c := NewClock(dryRun(b, 0), own)
			b.ReportAllocs()
			for b.Loop() {
				c.Now()
			}
		})
	}
}

// A socket that was given is served, with as many beside it as workers are
// wanted, on its address alone; it outlives them.
func TestListenGiven(t *testing.T) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	f, err := conn.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	port := conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	c := NewClock(dryRun(t, 0), true)
	for range 2 {
		ports, err := Listen(port, 3, c, []*os.File{f})
		if err != nil {
			t.Fatal(err)
		}
		if len(ports) != 3 {
			t.Errorf("got %d sockets, want 3", len(ports))
		}
		if _, err := Listen(port, 3, c, []*os.File{f}); err == nil {
			t.Error("a second server shares the given socket")
		}
		for _, p := range ports {
			if got := p.socket.Addr(); got != netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port) {
				t.Errorf("serves %v, want 127.0.0.1 alone", got)
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	// On another port it is of no use.
	free, err := net.ListenUDP("udp", nil)
	if err != nil {
		t.Fatal(err)
	}
	other := free.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	free.Close()
	ports, err := Listen(other, 1, c, []*os.File{f})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range ports {
		if p.socket.Addr().Port() != other {
			t.Errorf("serves %v, want port %d", p.socket.Addr(), other)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

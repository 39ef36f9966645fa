//go:build linux

package udp

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

func TestBatchClose(t *testing.T) {
	for _, busy := range []bool{false, true} {
		s := listen(t, netip.MustParseAddr("127.0.0.1"))
		s.busy = busy
		var wg sync.WaitGroup
		var err error
		started := make(chan struct{})
		wg.Go(func() { close(started); _, err = s.ReadBatch(NewBatch()) })
		<-started
		_ = s.Close()
		wg.Wait()
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("busy %v: got %v, want os.ErrClosed", busy, err)
		}
		if _, err := s.WriteBatch(filled(t)); !errors.Is(err, os.ErrClosed) {
			t.Errorf("write when closed: got %v, want os.ErrClosed", err)
		}
		if err := s.Close(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("close when closed: got %v, want os.ErrClosed", err)
		}
	}
}

// filled returns a batch with a reply in it.
func filled(t *testing.T) *Batch {
	t.Helper()
	b := NewBatch()
	b.SetReply(0, append(b.Buffer(), 'x'), 0)
	return b
}

// TestWait: a packet that comes before and after the reader sleeps, under load
// and without.
func TestWait(t *testing.T) {
	const packets = 50
	for _, busy := range []bool{false, true} {
		s := listen(t, netip.MustParseAddr("127.0.0.1"))
		c := open(t, s.Addr())
		got := make(chan error, packets)
		go func() {
			b := NewBatch()
			for range packets {
				s.busy = busy
				n, err := s.ReadBatch(b)
				if err == nil && n != 1 {
					err = fmt.Errorf("%d packets", n)
				}
				got <- err
			}
		}()
		for i := range packets {
			if err := c.Send([]byte("x")); err != nil {
				t.Fatal(err)
			}
			if err := <-got; err != nil {
				t.Fatalf("busy %v, packet %d: %v", busy, i, err)
			}
		}
	}
}

// TestBusy: several packets at once make a reader wait without sleeping, and a
// moment without any ends that.
func TestBusy(t *testing.T) {
	s := listen(t, netip.MustParseAddr("127.0.0.1"))
	c, b := open(t, s.Addr()), NewBatch()
	read := func(packets int, want bool) {
		t.Helper()
		for range packets {
			if err := c.Send([]byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := s.ReadBatch(b); err != nil || n != packets || s.busy != want {
			t.Errorf("got %d packets, %v, busy %v; want %d, busy %v", n, err, s.busy, packets, want)
		}
	}
	read(1, false)
	read(3, true)
	read(1, true)
	go func() { _ = s.close() }() // the wait that is not brief
	if _, err := s.ReadBatch(b); !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v, want os.ErrClosed", err)
	}
}

// TestNeverFragment: what leaves has "don't fragment" set, whatever ICMP says.
func TestNeverFragment(t *testing.T) {
	options := map[bool][3]int{
		true:  {unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE},
		false: {unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE},
	}
	for _, addr := range loopbacks(t) {
		s, o := listen(t, addr), options[addr.Is4()]
		if got, err := unix.GetsockoptInt(s.fd, o[0], o[1]); err != nil || got != o[2] {
			t.Errorf("%v: got %d %v, want %d", addr, got, err, o[2])
		}
	}
}

// needStamp skips the test unless a stamp waits in the error queue.
func needStamp(t *testing.T, s *Server) {
	t.Helper()
	fds := []unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}}
	if _, err := unix.Poll(fds, 0); err != nil || fds[0].Revents&unix.POLLERR == 0 || !s.txStamps {
		t.Skip("no transmit stamps here")
	}
}

// TestStrayStamp: a stamp that nobody awaits, or awaits any more, must not keep a
// sleeping reader awake: it is taken out of the error queue.
func TestStrayStamp(t *testing.T) {
	s, c, b, _ := answered(t)
	needStamp(t, s)
	s.outstanding, s.tags = 0, [pendingStamps]uint64{} // as after a stamp that came twice
	park, naps := s.park, 0
	s.park = func(epoll uintptr) bool {
		if !s.parked { // about to sleep
			if naps++; naps == 3 { // enough: a packet ends it
				if err := c.Send([]byte("x")); err != nil {
					t.Error(err)
				}
			}
		}
		return park(epoll)
	}
	if _, err := s.ReadBatch(b); err != nil {
		t.Fatal(err)
	}
	var m message
	if _, err := m.receive(uintptr(s.fd), nil, unix.MSG_ERRQUEUE); !again(err) {
		t.Errorf("after %d wake-ups the stamp is still there (%v): the reader never sleeps", naps, err)
	}
}

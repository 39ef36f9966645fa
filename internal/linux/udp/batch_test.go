//go:build linux

package udp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"ntsd/internal/clock"
)

// echo answers every request of the batch with its own bytes, with the tags
// that tag gives, and returns how many replies left.
func echo(t testing.TB, s *Server, b *Batch, n int, tag func(i int) uint64) int {
	for i := range n {
		packet, _ := b.Request(i)
		if packet == nil {
			continue
		}
		b.SetReply(i, append(b.Buffer(), packet...), tag(i))
	}
	sent, err := s.WriteBatch(b)
	if err != nil {
		t.Fatal(err)
	}
	return sent
}

// answered is a server that has read a batch of n, one request, and replied under tag 1.
func answered(t *testing.T) (s *Server, c *Conn, b *Batch, n int) {
	t.Helper()
	s = listen(t, netip.MustParseAddr("127.0.0.1"))
	c, b = open(t, s.Addr()), NewBatch()
	if err := c.Send([]byte("x")); err != nil {
		t.Fatal(err)
	}
	n, err := s.ReadBatch(b)
	if err != nil {
		t.Fatal(err)
	}
	echo(t, s, b, n, func(int) uint64 { return 1 })
	return s, c, b, n
}

func untagged(int) uint64 { return 0 }

func TestBatch(t *testing.T) {
	for _, a := range loopbacks(t) {
		s := listen(t, a)
		var clients []*Conn
		t0 := now()
		for i := range 5 {
			c := open(t, s.Addr())
			clients = append(clients, c)
			if err := c.Send(bytes.Repeat([]byte{byte(i)}, 10+i)); err != nil {
				t.Fatal(err)
			}
		}
		// One too long, from the last client.
		if err := clients[4].Send(make([]byte, MaxDatagram+1)); err != nil {
			t.Fatal(err)
		}
		b := NewBatch()
		for seen := 0; seen < 6; { // at once or in parts, as the machine likes
			n, err := s.ReadBatch(b)
			if err != nil {
				t.Fatal(err)
			}
			for i := range n {
				packet, r := b.Request(i)
				if seen+i == 5 {
					if packet != nil || r.From != clients[4].Local() {
						t.Errorf("%v: too long: got %d bytes from %v, want none", a, len(packet), r.From)
					}
					continue
				}
				if len(packet) != 10+seen+i || packet[0] != byte(seen+i) || r.From != clients[seen+i].Local() || r.Local != a || r.IfIndex == 0 {
					t.Errorf("%v: request %d: %d bytes, %+v", a, seen+i, len(packet), r)
				}
				between(t, "batch", r.Rx, t0, now())
			}
			echo(t, s, b, n, untagged)
			seen += n
		}
		buf := make([]byte, MaxDatagram)
		for i, c := range clients {
			if n, _, err := c.Receive(buf); err != nil || n != 10+i {
				t.Errorf("%v: client %d got %d bytes %v, want %d", a, i, n, err, 10+i)
			}
		}
	}
}

// TestBatchSent asks for the stamps of some replies, over several passes.
func TestBatchSent(t *testing.T) {
	s := listen(t, netip.MustParseAddr("127.0.0.1"))
	c := open(t, s.Addr())
	b := NewBatch()
	want := map[uint64]clock.Wall{}
	got := map[uint64]Sent{}
	buf := make([]byte, MaxDatagram)
	pass := func(tag uint64) {
		t.Helper()
		if err := c.Send([]byte("x")); err != nil {
			t.Fatal(err)
		}
		n, err := s.ReadBatch(b)
		for err == nil && n == 0 { // stamps alone
			for _, sent := range b.Sent() {
				got[sent.Tag] = sent
			}
			n, err = s.ReadBatch(b)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, sent := range b.Sent() {
			got[sent.Tag] = sent
		}
		want[tag] = now()
		echo(t, s, b, n, func(int) uint64 { return tag })
		if _, _, err := c.Receive(buf); err != nil {
			t.Fatal(err)
		}
	}
	const passes = 3 * pendingStamps / 2 // the numbers wrap round the memory
	for tag := uint64(1); tag <= passes; tag++ {
		pass(tag)
		if tag%3 == 0 {
			pass(0) // a reply that nobody wants to know of
		}
	}
	pass(0)
	if !s.txStamps || len(got) == 0 {
		t.Skip("no transmit stamps here")
	}
	for tag := uint64(1); tag <= passes; tag++ {
		sent, ok := got[tag]
		if !ok || sent.Tx.Kind != Kernel {
			t.Fatalf("tag %d: got %+v, want a kernel stamp", tag, sent)
		}
		next := want[tag+1]
		if tag == passes {
			next = now()
		}
		between(t, "sent", sent.Tx, want[tag], next)
	}
	if s.outstanding != 0 {
		t.Errorf("%d stamps still awaited, want 0", s.outstanding)
	}
}

// TestBatchAfterRefusal sends a reply that the kernel refuses between two
// others: they leave, and stamps are not mixed up afterwards.
func TestBatchAfterRefusal(t *testing.T) {
	s := listen(t, netip.MustParseAddr("127.0.0.1"))
	c := open(t, s.Addr())
	b := NewBatch()
	for range 3 {
		if err := c.Send([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	n, err := s.ReadBatch(b)
	if err != nil || n == 0 {
		t.Fatalf("read %d %v, want some", n, err)
	}
	for n < 3 { // whatever came, three replies
		b.in[n], b.names[n], b.requests[n] = b.in[0], b.names[0], b.requests[0]
		n++
	}
	for i := range 3 {
		b.SetReply(i, append(b.Buffer(), 'y'), uint64(1+i))
	}
	binary.BigEndian.PutUint16(b.names[1][2:], 0) // nobody has port 0
	sent, err := s.WriteBatch(b)
	if sent != 2 || !errors.Is(err, unix.EINVAL) {
		t.Errorf("%d left, %v; want 2 and EINVAL", sent, err)
	}
	buf := make([]byte, 64)
	for range 2 {
		if _, _, err := c.Receive(buf); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Send([]byte("x")); err != nil {
		t.Fatal(err)
	}
	for n, err = 0, nil; n == 0 && err == nil; {
		n, err = s.ReadBatch(b)
		for _, sent := range b.Sent() {
			if sent.Tag != 3 {
				t.Errorf("stamp of tag %d; only the third can still be told apart", sent.Tag)
			}
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestTxQueue(t *testing.T) {
	q := &txQueue{txStamps: true}
	if q.take(0) != 0 || q.take(1<<31) != 0 {
		t.Error("a stamp that nobody awaits has a tag")
	}
	q.next = 1<<32 - 2 // the numbers wrap
	for tag := uint64(1); tag <= pendingStamps+3; tag++ {
		q.await(tag)
	}
	if q.outstanding != pendingStamps {
		t.Errorf("%d outstanding, want the bound %d", q.outstanding, pendingStamps)
	}
	for i := range uint32(pendingStamps + 3) {
		want := uint64(i + 1)
		if i < 3 {
			want = 0 // given up
		}
		if got := q.take(1<<32 - 2 + i); got != want {
			t.Errorf("packet %d: tag %d, want %d", i, got, want)
		}
		if got := q.take(1<<32 - 2 + i); got != 0 {
			t.Errorf("packet %d again: tag %d, want 0", i, got)
		}
	}
	if q.outstanding != 0 {
		t.Errorf("%d outstanding, want 0", q.outstanding)
	}
}

func TestStampWish(t *testing.T) {
	for _, c := range []struct {
		name string
		l    layout
		want string
	}{
		{"amd64", amd64, "1400000000000000 01000000 25000000 02000000 00000000"},
		{"mips", mips, "00000010 0000ffff 00000025 00000002"},
		{"arm", arm, "10000000 01000000 25000000 02000000"},
	} {
		if got := c.l.appendStampWish(nil); !bytes.Equal(got, unhex(t, c.want)) {
			t.Errorf("%s: got %x, want %s", c.name, got, c.want)
		}
	}
	longest := amd64.appendStampWish(amd64.appendPacketInfo(nil, netip.IPv6Loopback(), 1))
	if len(longest) > maxReplyControl {
		t.Errorf("%d bytes of control messages, room for %d", len(longest), maxReplyControl)
	}
}

// TestEveryStampOption receives with each of the four options alone: what old
// kernels have is tried on new ones.
func TestEveryStampOption(t *testing.T) {
	hold, err := Hold()
	if err != nil {
		t.Fatal(err)
	}
	defer hold.Close()
	awaitStamps(t)
	for _, o := range []struct {
		name          string
		option, value int
	}{
		{"TIMESTAMPING_NEW", unix.SO_TIMESTAMPING_NEW, sofRxSoftware | sofSoftware},
		{"TIMESTAMPING_OLD", unix.SO_TIMESTAMPING_OLD, sofRxSoftware | sofSoftware},
		{"TIMESTAMPNS_NEW", unix.SO_TIMESTAMPNS_NEW, 1},
		{"TIMESTAMPNS_OLD", unix.SO_TIMESTAMPNS_OLD, 1},
	} {
		s := listen(t, netip.MustParseAddr("127.0.0.1"))
		if err := errors.Join(
			unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPING_OLD, 0),
			unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS_OLD, 0),
			unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, o.option, o.value),
		); err != nil {
			t.Logf("%s: not here: %v", o.name, err)
			continue
		}
		c := open(t, s.Addr())
		t0 := now()
		if err := c.Send([]byte("x")); err != nil {
			t.Fatal(err)
		}
		_, r, err := s.ReadFrom(make([]byte, 64))
		if err != nil || r.Rx.Kind != Kernel {
			t.Errorf("%s: got %+v %v, want a kernel stamp", o.name, r.Rx, err)
			continue
		}
		between(t, o.name, r.Rx, t0, now())
	}
}

// batches runs passes of size packets from one socket to a batching one and
// back.
func batches(t testing.TB, tag uint64) (pass func(size int)) {
	t.Helper()
	s, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"), ListenConfig{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	c, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"), ListenConfig{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(); _ = c.Close() })
	b, back := NewBatch(), NewBatch()
	packet := make([]byte, 48)
	to := Request{From: s.Addr()}
	tags := func(int) uint64 { return tag }
	return func(size int) {
		for range size {
			if err := c.WriteTo(packet, to); err != nil {
				t.Fatal(err)
			}
		}
		for answered := 0; answered < size; {
			n, err := s.ReadBatch(b)
			if err != nil {
				t.Fatal(err)
			}
			answered += echo(t, s, b, n, tags)
		}
		for got := 0; got < size; {
			n, err := c.ReadBatch(back)
			if err != nil {
				t.Fatal(err)
			}
			got += n
		}
	}
}

func TestBatchDoesNotAllocate(t *testing.T) {
	for _, tag := range []uint64{0, 7} {
		pass := batches(t, tag)
		if n := testing.AllocsPerRun(100, func() { pass(8) }); n != 0 {
			t.Errorf("tag %d: %v allocations per pass, want 0", tag, n)
		}
	}
}

func BenchmarkBatch(b *testing.B) {
	for name, tag := range map[string]uint64{"plain": 0, "stamped": 7} {
		b.Run(name, func(b *testing.B) {
			pass := batches(b, tag)
			for b.Loop() {
				pass(MaxBatch)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*MaxBatch), "ns/packet")
		})
	}
}

// BenchmarkDecode is what a packet costs beside its system calls: control
// messages in and out, and the sender's address.
func BenchmarkDecode(b *testing.B) {
	in := unhex(b, "1c00000000000000 00000000 08000000 03000000 0a000001 0a0000ff 00000000"+
		"4000000000000000 01000000 41000000 00286bee00000000 15cd5b0700000000"+
		"0000000000000000 0000000000000000 0000000000000000 0000000000000000")
	name := appendSockaddr(nil, netip.MustParseAddrPort("192.0.2.1:123"), 0)
	var out [maxReplyControl]byte
	if native().word != 8 {
		b.Skip("the packet is a 64-bit machine's")
	}
	for b.Loop() {
		c := native().parse(in)
		if !parseSockaddr(name).IsValid() || len(native().appendPacketInfo(out[:0], c.local, c.ifIndex)) == 0 {
			b.Fatal("not decoded")
		}
	}
}

// TestRenumber: a stamp under an old number is not taken for that of a reply
// under the same new one.
func TestRenumber(t *testing.T) {
	s, _, b, n := answered(t)
	s.renumber(uintptr(s.fd))
	between := now()
	echo(t, s, b, n, func(int) uint64 { return 2 })
	needStamp(t, s)
	if n, err := s.ReadBatch(b); err != nil || n != 0 {
		t.Fatalf("read %d %v, want a stamp alone", n, err)
	}
	if all := b.Sent(); len(all) != 1 || all[0].Tag != 2 || all[0].Tx.Wall < between {
		t.Errorf("got %+v, want one stamp, of the second reply, after %v", all, between)
	}
}

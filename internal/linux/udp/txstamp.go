//go:build linux

package udp

import "golang.org/x/sys/unix"

// The kernel numbers the packets that wish for a transmit stamp (OPT_ID) and
// puts the stamps, with those numbers, into the socket's error queue. Server
// remembers which tag each number stands for.

// txQueue is a Server's memory of replies whose stamp is awaited.
type txQueue struct {
	txStamps    bool   // the kernel gives such stamps
	next        uint32 // the number of the next reply that wishes for one
	outstanding int    // replies without their stamp, at most pendingStamps
	tags        [pendingStamps]uint64

	errs   [MaxBatch]unix.Mmsghdr
	ctlErr [MaxBatch][maxControl]byte
}

// await remembers that a reply with tag has left.
func (q *txQueue) await(tag uint64) {
	if tag == 0 || !q.txStamps {
		return
	}
	slot := &q.tags[q.next%pendingStamps]
	if *slot == 0 { // else its stamp never came: this one takes its place
		q.outstanding++
	}
	*slot = tag
	q.next++
}

// take returns the tag of packet key, once; 0 for one that is not awaited.
func (q *txQueue) take(key uint32) uint64 {
	if age := q.next - key; age == 0 || age > pendingStamps {
		return 0
	}
	tag := q.tags[key%pendingStamps]
	q.tags[key%pendingStamps] = 0
	if tag != 0 {
		q.outstanding--
	}
	return tag
}

// collect moves stamps from the error queue to b.
func (q *txQueue) collect(fd uintptr, b *Batch) {
	room := min(len(b.sent)-b.stamped, MaxBatch)
	if room == 0 {
		return
	}
	n := q.read(fd, room)
	l := native()
	for i := range n {
		c := l.parse(q.ctlErr[i][:min(int(q.errs[i].Hdr.Controllen), maxControl)])
		if !c.queued || c.stamp == 0 {
			continue
		}
		if tag := q.take(c.key); tag != 0 {
			b.sent[b.stamped] = Sent{tag, Stamp{c.stamp, Kernel}}
			b.stamped++
		}
	}
}

// read takes up to room messages, at most MaxBatch, out of the error queue.
func (q *txQueue) read(fd uintptr, room int) int {
	for i := range room {
		q.errs[i].Hdr = unix.Msghdr{Control: &q.ctlErr[i][0]}
		q.errs[i].Hdr.SetControllen(maxControl)
	}
	n, _ := mmsg(unix.SYS_RECVMMSG, fd, q.errs[:room], unix.MSG_ERRQUEUE)
	return n
}

// renumber starts the numbers again at 0, after a failed send that may or may
// not have used one up. What is awaited is given up, and what has come under the
// old numbers: better no stamp than another packet's.
func (q *txQueue) renumber(fd uintptr) {
	for range pendingStamps / MaxBatch {
		if q.read(fd, MaxBatch) < MaxBatch {
			break
		}
	}
	q.next, q.outstanding = 0, 0
	clear(q.tags[:])
	q.txStamps = enableServerStamps(int(fd), 0) && enableServerStamps(int(fd), sofOptID|sofOptTSOnly)
}

// enableServerStamps asks for receive stamps on every packet and transmit
// stamps on those that wish for one, and reports whether the latter are to be
// had. Switching OPT_ID on sets the numbers to 0.
func enableServerStamps(fd, more int) bool {
	flags := sofRxSoftware | sofSoftware | more
	for _, option := range [...]int{unix.SO_TIMESTAMPING_NEW, unix.SO_TIMESTAMPING_OLD} {
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, flags) == nil {
			return true
		}
	}
	enableStamps(fd, false)
	return false
}

// appendStampWish appends the control message that asks for the transmit stamp
// of this one packet (Linux 4.6): a u32 of SO_TIMESTAMPING's flags.
func (l layout) appendStampWish(b []byte) []byte {
	b = l.appendHeader(b, uint32(l.solSocket), unix.SO_TIMESTAMPING_OLD, 4)
	b = l.append32(b, sofTxSoftware)
	for len(b)%l.word != 0 {
		b = append(b, 0)
	}
	return b
}

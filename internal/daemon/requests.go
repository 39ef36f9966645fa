package daemon

import (
	"bytes"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/wording"
)

// Implementation constants.
const (
	// maxReplies is how many datagrams one request's socket hands on: the
	// reply, and room for duplicates and forgeries. Whoever guesses the port
	// must send more than that to hide the reply.
	maxReplies = 64
	// maxByItself is how many datagrams a second the socket of a peer hands on,
	// which hears it whenever it likes: who floods it in the peer's name must not
	// keep the daemon busy. Two hosts that agree exchange one in a while.
	maxByItself = 16
	// maxFailures end the reader of a socket; of a peer's, in a row.
	maxFailures = 16
	// maxDatagram is the largest reply that is read. No NTP packet that we ask
	// for is longer than an Ethernet frame.
	maxDatagram = 2048
)

// requests owns the sockets of the requests under way, at most one per source.
type requests struct {
	network  Network
	sockets  map[event.SourceID]*line
	received chan event.Received
	failed   chan event.SendFailed
	readers  sync.WaitGroup
}

// line is a socket with the number of the request that it sent last.
type line struct {
	Socket
	request atomic.Uint64
}

func newRequests(n Network) *requests {
	return &requests{
		network: n, sockets: make(map[event.SourceID]*line),
		// Unbuffered: a reader waits for the loop or for the end of done.
		received: make(chan event.Received), failed: make(chan event.SendFailed),
	}
}

// send carries out one Send. A request that cannot leave is reported like one
// that the network refused.
func (r *requests) send(done <-chan struct{}, s event.Send) {
	if l := r.sockets[s.Source]; l != nil && s.LocalPort != 0 && !s.Fresh {
		l.request.Store(s.Request)
		if l.Send(s.Data) == nil {
			return
		}
	}
	r.close(s.Source)
	socket, err := r.network.Open(s)
	unsent := err != nil
	if err == nil {
		if err = socket.Send(s.Data); err != nil {
			socket.Close()
		}
	}
	if err != nil {
		r.readers.Go(func() { r.fail(done, s, err, unsent) })
		return
	}
	l := &line{Socket: socket}
	l.request.Store(s.Request)
	r.sockets[s.Source] = l
	if s.LocalPort != 0 {
		r.readers.Go(func() { r.listen(done, l, s) })
	} else {
		r.readers.Go(func() { r.read(done, l, s) })
	}
}

// close gives up the source's socket; its reader ends by itself.
func (r *requests) close(id event.SourceID) {
	if socket, ok := r.sockets[id]; ok {
		socket.Close()
		delete(r.sockets, id)
	}
}

// closeAll ends every reader and waits for them. The caller has closed done.
func (r *requests) closeAll() {
	for id := range r.sockets {
		r.close(id)
	}
	r.readers.Wait()
}

// read hands on what arrives until the socket is closed. It reports an error
// of the network (an ICMP message), which is not the end: it may be forged, or
// about another way, and the reply may follow. The engine ignores what comes for a
// request that it no longer waits for.
func (r *requests) read(done <-chan struct{}, l *line, s event.Send) {
	buf := make([]byte, maxDatagram)
	failures := 0
	for range maxReplies {
		dgram, err := l.Receive(buf)
		switch {
		case errors.Is(err, os.ErrClosed):
			return // nobody waits any more
		case err != nil:
			r.fail(done, s, err, false)
			if failures++; failures == maxFailures {
				return
			}
		case !r.handOn(done, l, s, dgram, buf):
			return
		}
	}
}

// listen is read for a peer, which sends when it likes: what it sends beyond a
// rate is dropped, and an error is not the end.
func (r *requests) listen(done <-chan struct{}, l *line, s event.Send) {
	buf := make([]byte, maxDatagram)
	var second clock.Mono // when the count began
	count := 0
	for failures := 0; failures < maxFailures; {
		dgram, err := l.Receive(buf)
		switch {
		case errors.Is(err, os.ErrClosed):
			return
		case err != nil:
			failures++
			s.Request = l.request.Load()
			r.fail(done, s, err, false)
			continue
		}
		failures = 0
		if at := dgram.Received.At; at.Sub(second) >= time.Second {
			second, count = at, 0
		}
		if count++; count <= maxByItself && !r.handOn(done, l, s, dgram, buf) {
			return
		}
	}
}

// handOn gives a datagram to the loop, or returns false when that has ended.
func (r *requests) handOn(done <-chan struct{}, l *line, s event.Send, dgram Datagram, buf []byte) bool {
	ev := event.Received{
		Source: s.Source, Request: l.request.Load(), From: dgram.From, Local: dgram.Local,
		Sent: dgram.Sent, Received: dgram.Received, Data: bytes.Clone(buf[:dgram.Length]),
	}
	select {
	case r.received <- ev:
		return true
	case <-done:
		return false
	}
}

func (r *requests) fail(done <-chan struct{}, s event.Send, err error, unsent bool) {
	select {
	case r.failed <- event.SendFailed{
		Source: s.Source, Request: s.Request, Reason: wording.Of(err), Unsent: unsent, Moved: errors.Is(err, ErrMoved),
	}:
	case <-done:
	}
}

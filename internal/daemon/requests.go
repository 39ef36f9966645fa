package daemon

import (
	"bytes"
	"errors"
	"os"
	"sync"

	"ntsd/internal/event"
)

// Implementation constants.
const (
	// maxReplies is how many datagrams one request's socket hands on: the
	// reply, and room for duplicates and forgeries. Whoever guesses the port
	// must send more than that to hide the reply.
	maxReplies = 64
	// maxDatagram is the largest reply that is read. No NTP packet that we ask
	// for is longer than an Ethernet frame.
	maxDatagram = 2048
)

// requests owns the sockets of the requests under way, at most one per source.
type requests struct {
	network  Network
	sockets  map[event.SourceID]Socket
	received chan event.Received
	failed   chan event.SendFailed
	readers  sync.WaitGroup
}

func newRequests(n Network) *requests {
	return &requests{
		network: n, sockets: make(map[event.SourceID]Socket),
		// Unbuffered: a reader waits for the loop or for the end of done.
		received: make(chan event.Received), failed: make(chan event.SendFailed),
	}
}

// send carries out one Send. A request that cannot leave is reported like one
// that the network refused.
func (r *requests) send(done <-chan struct{}, s event.Send) {
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
	r.sockets[s.Source] = socket
	r.readers.Go(func() { r.read(done, socket, s) })
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
// of the network (an ICMP message); the engine ignores what comes for a
// request that it no longer waits for.
func (r *requests) read(done <-chan struct{}, socket Socket, s event.Send) {
	buf := make([]byte, maxDatagram)
	for range maxReplies {
		dgram, err := socket.Receive(buf)
		if errors.Is(err, os.ErrClosed) {
			return // nobody waits any more
		}
		if err != nil {
			r.fail(done, s, err, false)
			return
		}
		ev := event.Received{
			Source: s.Source, Request: s.Request, From: dgram.From, Local: dgram.Local,
			Sent: dgram.Sent, Received: dgram.Received, Data: bytes.Clone(buf[:dgram.Length]),
		}
		select {
		case r.received <- ev:
		case <-done:
			return
		}
	}
}

func (r *requests) fail(done <-chan struct{}, s event.Send, err error, unsent bool) {
	select {
	case r.failed <- event.SendFailed{
		Source: s.Source, Request: s.Request, Reason: err.Error(), Unsent: unsent, Moved: errors.Is(err, ErrMoved),
	}:
	case <-done:
	}
}

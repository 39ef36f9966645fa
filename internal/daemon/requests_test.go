package daemon

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/wording"
)

// refusing is a network that opens no socket.
type refusing struct{ err error }

func (r refusing) Open(event.Send) (Socket, error) { return nil, r.err }

// TestRefusedRequests: that our own address has changed is told apart from what
// the network refuses.
func TestRefusedRequests(t *testing.T) {
	for _, c := range []struct {
		err   error
		moved bool
	}{{errors.New("no route"), false}, {fmt.Errorf("open: %w", ErrMoved), true}} {
		r := newRequests(refusing{c.err})
		done := make(chan struct{})
		r.send(done, event.Send{Source: 3, Request: 9})
		want := event.SendFailed{Source: 3, Request: 9, Reason: wording.Of(c.err), Unsent: true, Moved: c.moved}
		if got := <-r.failed; got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		close(done)
		r.closeAll()
	}
}

// wire is a network of sockets whose other side is the test.
type wire struct{ opened []*wireSocket }

func (w *wire) Open(event.Send) (Socket, error) {
	s := &wireSocket{in: make(chan any), done: make(chan struct{})}
	w.opened = append(w.opened, s)
	return s, nil
}

type wireSocket struct {
	sent   []string
	broken bool
	in     chan any // error or Datagram
	done   chan struct{}
}

func (s *wireSocket) Send(b []byte) error {
	if s.broken {
		return errors.New("broken")
	}
	s.sent = append(s.sent, string(b))
	return nil
}

func (s *wireSocket) Receive([]byte) (Datagram, error) {
	select {
	case <-s.done:
		return Datagram{}, os.ErrClosed
	case x := <-s.in:
		if err, ok := x.(error); ok {
			return Datagram{}, err
		}
		return x.(Datagram), nil
	}
}

func (s *wireSocket) Close() error {
	close(s.done)
	return nil
}

// TestForgedErrors: what a network says of a request by ICMP may be forged, or be
// about another way to the server: the reply that comes after it counts. A socket
// that gives nothing but errors is given up.
func TestForgedErrors(t *testing.T) {
	w, done := new(wire), make(chan struct{})
	r := newRequests(w)
	r.send(done, event.Send{Source: 3, Request: 9})
	socket := w.opened[0]
	for _, x := range []any{errors.New("port unreachable"), Datagram{Length: 7}, errors.New("host unreachable")} {
		select {
		case socket.in <- x:
		case <-time.After(10 * time.Second):
			t.Fatalf("%v: nobody reads any more", x)
		}
		if err, ok := x.(error); ok {
			if ev := <-r.failed; ev.Request != 9 || ev.Reason != err.Error() {
				t.Errorf("got %+v, want %v", ev, err)
			}
		} else if ev := <-r.received; ev.Request != 9 || len(ev.Data) != 7 {
			t.Errorf("got %+v, want the reply", ev)
		}
	}
	ended := make(chan struct{})
	go func() {
		r.readers.Wait()
		close(ended)
	}()
	for errs := 0; ; errs++ {
		select {
		case socket.in <- errors.New("broken"):
			<-r.failed
			if errs > maxReplies {
				t.Fatalf("%d errors are not enough", errs)
			}
			continue
		case <-ended:
		}
		break
	}
	close(done)
	r.closeAll()
}

// TestPeersKeepTheirSocket: packets of a peer's association leave by one socket,
// what comes is told by the number of the latest, and neither an error nor many
// datagrams are the end of it; a fresh one is opened when that is asked for, or
// the old one is broken.
func TestPeersKeepTheirSocket(t *testing.T) {
	w, done := new(wire), make(chan struct{})
	r := newRequests(w)
	send := func(n uint64, fresh bool) {
		r.send(done, event.Send{Source: 3, Request: n, LocalPort: 123, Fresh: fresh, Data: fmt.Append(nil, n)})
	}
	send(1, false)
	send(2, false)
	first := w.opened[0]
	if len(w.opened) != 1 || fmt.Sprint(first.sent) != "[1 2]" {
		t.Fatalf("%d sockets, sent %v", len(w.opened), first.sent)
	}
	for i := range 3 * maxReplies {
		at := clock.Mono(i) * clock.Mono(time.Second)
		first.in <- Datagram{Received: event.Stamp{At: at, Kind: event.StampKernel}}
		if ev := <-r.received; ev.Request != 2 || ev.Source != 3 || ev.Received.At != at {
			t.Fatalf("got %+v", ev)
		}
	}
	first.in <- errors.New("refused")
	if ev := <-r.failed; ev.Request != 2 || ev.Reason != "refused" {
		t.Errorf("got %+v", ev)
	}
	first.in <- Datagram{}
	<-r.received
	send(3, true)
	if len(w.opened) != 2 {
		t.Errorf("%d sockets, want a fresh one", len(w.opened))
	}
	<-first.done
	w.opened[1].broken = true
	send(4, false)
	if len(w.opened) != 3 || fmt.Sprint(w.opened[2].sent) != "[4]" {
		t.Errorf("%d sockets, want one for the broken one", len(w.opened))
	}
	r.close(3)
	<-w.opened[2].done
	close(done)
	r.closeAll()
}

// TestPeersAreBounded: who floods a peer's socket keeps the daemon busy for so
// many datagrams a second at most, and a socket that only fails is given up.
func TestPeersAreBounded(t *testing.T) {
	w, done := new(wire), make(chan struct{})
	r := newRequests(w)
	r.send(done, event.Send{Source: 3, Request: 1, LocalPort: 123})
	s := w.opened[0]
	handed := make(chan int)
	go func() {
		n := 0
		for range r.received {
			n++
		}
		handed <- n
	}()
	const seconds = 5
	for i := range seconds * 1000 {
		s.in <- Datagram{Received: event.Stamp{At: clock.Mono(time.Hour) + clock.Mono(i)*clock.Mono(time.Millisecond)}}
	}
	for range maxFailures {
		s.in <- errors.New("refused")
		<-r.failed
	}
	r.readers.Wait() // though nobody closed it
	close(done)
	close(r.received)
	if n := <-handed; n != seconds*maxByItself {
		t.Errorf("%d datagrams in %d s, want %d", n, seconds, seconds*maxByItself)
	}
	r.closeAll()
}

package daemon

import (
	"errors"
	"fmt"
	"testing"

	"ntsd/internal/event"
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
		want := event.SendFailed{Source: 3, Request: 9, Reason: c.err.Error(), Unsent: true, Moved: c.moved}
		if got := <-r.failed; got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		close(done)
		r.closeAll()
	}
}

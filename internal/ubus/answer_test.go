package ubus

import (
	"io"
	"testing"
)

// TestAnswerBeforeTheEnd: an answer counts also where ubusd hung up right
// after it and both are seen at once.
func TestAnswerBeforeTheEnd(t *testing.T) {
	for range 100 { // a select among ways that are open takes any of them
		c := &Conn{closed: make(chan struct{}), err: io.EOF}
		r := &request{done: make(chan struct{}), data: [][]byte{{1}}}
		close(r.done)
		close(c.closed)
		if got, err := c.answer(t.Context(), r); err != nil || len(got) != 1 {
			t.Fatalf("got %v, %v, want the answer", got, err)
		}
	}
}

// TestEndBeforeTheAnswer: without an answer the end is told.
func TestEndBeforeTheAnswer(t *testing.T) {
	c := &Conn{closed: make(chan struct{}), err: io.EOF}
	close(c.closed)
	if got, err := c.answer(t.Context(), &request{done: make(chan struct{})}); err == nil || got != nil {
		t.Errorf("got %v, %v, want an error", got, err)
	}
}

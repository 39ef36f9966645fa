package ubus

import (
	"io"
	"net"
	"strings"
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

// TestLongAnswer: an answer that is longer than a message may be is refused, and
// the connection stays.
func TestLongAnswer(t *testing.T) {
	ours, bus := net.Pipe()
	defer bus.Close()
	long := true
	c := &Conn{socket: ours, waiting: make(map[uint16]*request), closed: make(chan struct{}), objects: map[uint32]*Object{
		7: {Path: "ntsd", Methods: map[string]Table{"m": {}}, Handle: func(string, Table) (Table, error) {
			if long {
				return Table{"x": strings.Repeat("x", maxMessage)}, nil
			}
			return Table{"x": "x"}, nil
		}},
	}}
	go c.listen()
	other := &Conn{socket: bus} // reads and writes messages
	call := appendAttr(appendText(appendNumber(nil, attrObjID, 7), attrMethod, "m"), attrData, nil)
	for _, want := range []Status{StatusUnknownError, statusOK} {
		if err := other.send(msgInvoke, 1, 2, call); err != nil {
			t.Fatal(err)
		}
		typ, _, _, body, err := other.read()
		if typ == msgData && want == statusOK {
			typ, _, _, body, err = other.read()
		}
		if status, ok := number(body, attrStatus); err != nil || typ != msgStatus || !ok || Status(status) != want {
			t.Fatalf("got a message of type %d, %v, status %v; want %v", typ, err, Status(status), want)
		}
		long = false
	}
}

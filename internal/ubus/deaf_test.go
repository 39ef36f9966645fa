package ubus

import (
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// TestDeafBus: a bus that does not read is hung up on in time, by whoever asks and
// by whoever answers.
func TestDeafBus(t *testing.T) {
	for name, use := range map[string]func(c *Conn, bus *Conn) error{
		"question": func(c, _ *Conn) error { return c.Add(t.Context(), &Object{Path: "ntsd"}) },
		"answer": func(c, bus *Conn) error {
			err := bus.send(msgInvoke, 1, 2, appendText(appendNumber(nil, attrObjID, 7), attrMethod, "m"))
			<-c.Closed()
			return err
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := net.Pipe()
			c := &Conn{socket: ours, waiting: make(map[uint16]*request), closed: make(chan struct{}), objects: make(map[uint32]*Object)}
			go c.listen()
			begin := time.Now()
			err := use(c, &Conn{socket: theirs})
			<-c.Closed()
			if took := time.Since(begin); took != answerTime || (err == nil) != (name == "answer") {
				t.Errorf("%s: hung up after %v with %v, want %v", name, took, err, answerTime)
			}
		})
	}
}

package ubus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Message types.
const (
	msgHello       = 0
	msgStatus      = 1
	msgData        = 2
	msgLookup      = 4
	msgInvoke      = 5
	msgAddObject   = 6
	msgSubscribe   = 8
	msgUnsubscribe = 9
)

// Ids of the attributes of a message.
const (
	attrStatus    = 1
	attrObjPath   = 2
	attrObjID     = 3
	attrMethod    = 4
	attrSignature = 6
	attrData      = 7
	attrTarget    = 8
	attrNoReply   = 10
)

// eventObject is ubusd's own object for events.
const eventObject = 1

// answerTime bounds the wait for the answer to a request.
const answerTime = 5 * time.Second

// Conn is a connection to ubusd. Its methods may be called from any goroutine;
// handlers run one after the other and may not call them.
type Conn struct {
	socket net.Conn

	write sync.Mutex

	mu      sync.Mutex
	seq     uint16
	waiting map[uint16]*request
	objects map[uint32]*Object
	err     error
	closed  chan struct{}
}

// request is a question that has no last answer yet.
type request struct {
	data   [][]byte // contents of the data messages
	status Status
	done   chan struct{}
	object *Object // that is being added
}

// Object is one of ours that others call or notify.
type Object struct {
	// Path is its name on the bus; without one it only hears.
	Path string
	// Methods names the parameters of each method and their types, which is
	// documentation: "ubus -v list" shows it.
	Methods map[string]Table
	// Handle answers a call, or takes a notification or an event, whose answer
	// nobody reads.
	Handle func(method string, args Table) (Table, error)
	// Lost is called when an object that it subscribed to has gone.
	Lost func()

	id uint32
}

// Dial connects to ubusd and waits for its greeting.
func Dial(ctx context.Context, path string) (*Conn, error) {
	var d net.Dialer
	socket, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("ubus: %w", err)
	}
	c := &Conn{
		socket: socket, waiting: make(map[uint16]*request), objects: make(map[uint32]*Object), closed: make(chan struct{}),
	}
	_ = socket.SetReadDeadline(time.Now().Add(answerTime))
	typ, _, _, _, err := c.read()
	if err == nil && typ != msgHello {
		err = fmt.Errorf("%w: greeting of type %d", ErrFormat, typ)
	}
	if err != nil {
		_ = socket.Close()
		return nil, fmt.Errorf("ubus: no greeting: %w", err)
	}
	_ = socket.SetReadDeadline(time.Time{})
	go c.listen()
	return c, nil
}

// Close ends the connection, and waits for the handler that runs.
func (c *Conn) Close() error {
	err := c.socket.Close()
	<-c.closed
	return err
}

// Closed is closed when the connection has ended, by Close or by ubusd.
func (c *Conn) Closed() <-chan struct{} { return c.closed }

// read returns the next message.
func (c *Conn) read() (typ uint8, seq uint16, peer uint32, body []byte, err error) {
	var head [8 + headerSize]byte
	if _, err := io.ReadFull(c.socket, head[:]); err != nil {
		return 0, 0, 0, nil, err
	}
	typ, seq, peer = head[1], binary.BigEndian.Uint16(head[2:]), binary.BigEndian.Uint32(head[4:])
	n := int(binary.BigEndian.Uint32(head[8:]) & lengthMask)
	if n < headerSize || n > maxMessage {
		return 0, 0, 0, nil, fmt.Errorf("%w: message of %d bytes", ErrFormat, n)
	}
	body = make([]byte, (n+3)&^3-headerSize)
	if _, err := io.ReadFull(c.socket, body); err != nil {
		return 0, 0, 0, nil, err
	}
	return typ, seq, peer, body[:n-headerSize], nil
}

// errTooLong is about a message that was not sent: the connection is as it was.
var errTooLong = errors.New("ubus: message too long")

// send writes one message.
func (c *Conn) send(typ uint8, seq uint16, peer uint32, attrs []byte) error {
	b := make([]byte, 0, 12+len(attrs))
	b = append(b, 0, typ)
	b = binary.BigEndian.AppendUint16(b, seq)
	b = binary.BigEndian.AppendUint32(b, peer)
	b = appendAttr(b, 0, attrs)
	if len(b) > maxMessage {
		return fmt.Errorf("%w: %d bytes, more than %d", errTooLong, len(b), maxMessage)
	}
	c.write.Lock()
	defer c.write.Unlock()
	_ = c.socket.SetWriteDeadline(time.Now().Add(answerTime))
	if _, err := c.socket.Write(b); err != nil {
		_ = c.socket.Close() // half a message cannot be mended
		return fmt.Errorf("ubus: %w", err)
	}
	return nil
}

// listen takes messages until the connection ends.
func (c *Conn) listen() {
	for {
		typ, seq, peer, body, err := c.read()
		if err == nil {
			err = c.take(typ, seq, peer, body)
		}
		if err != nil {
			_ = c.socket.Close()
			c.mu.Lock()
			c.err = err
			c.mu.Unlock()
			close(c.closed)
			return
		}
	}
}

// take does what a message says. An error ends the connection: ubusd does not
// send nonsense, so what follows could not be understood either.
func (c *Conn) take(typ uint8, seq uint16, peer uint32, body []byte) error {
	switch typ {
	case msgStatus, msgData:
		return c.answered(typ, seq, body)
	case msgInvoke:
		return c.invoked(seq, peer, body)
	case msgUnsubscribe:
		attrs, err := attributes(body)
		if err != nil {
			return err
		}
		if o := c.object(attrs); o != nil && o.Lost != nil {
			o.Lost()
		}
	}
	return nil
}

// answered takes what comes back to a request of ours.
func (c *Conn) answered(typ uint8, seq uint16, body []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.waiting[seq]
	if r == nil {
		return nil // nobody waits any more
	}
	if typ == msgData {
		if len(r.data) == maxAnswers {
			return fmt.Errorf("%w: more than %d answers", ErrFormat, maxAnswers)
		}
		r.data = append(r.data, body)
		if r.object != nil {
			// Calls may follow at once.
			if id, ok := number(body, attrObjID); ok {
				r.object.id = id
				c.objects[id] = r.object
			}
		}
		return nil
	}
	status, ok := number(body, attrStatus)
	if !ok {
		return fmt.Errorf("%w: status without a number", ErrFormat)
	}
	r.status = Status(status)
	delete(c.waiting, seq)
	close(r.done)
	return nil
}

// maxAnswers bounds the messages that one request can bring.
const maxAnswers = 64

// number returns a numeric attribute.
func number(body []byte, id uint8) (uint32, bool) {
	attrs, err := attributes(body)
	if err != nil || len(attrs[id]) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(attrs[id]), true
}

// object returns the one of ours that a message is about.
func (c *Conn) object(attrs map[uint8][]byte) *Object {
	if len(attrs[attrObjID]) != 4 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.objects[binary.BigEndian.Uint32(attrs[attrObjID])]
}

// invoked answers a call, or takes a notification or an event.
func (c *Conn) invoked(seq uint16, peer uint32, body []byte) error {
	attrs, err := attributes(body)
	if err != nil {
		return err
	}
	var answer Table
	status := StatusNotFound
	if o := c.object(attrs); o != nil {
		answer, status = o.call(attrs)
	}
	if quiet := attrs[attrNoReply]; len(quiet) == 1 && quiet[0] != 0 {
		return nil
	}
	id := appendAttr(nil, attrObjID, attrs[attrObjID])
	if status == statusOK && answer != nil {
		contents, err := appendTable(nil, answer)
		if err != nil {
			status = StatusUnknownError
		} else if err := c.send(msgData, seq, peer, appendAttr(id, attrData, contents)); errors.Is(err, errTooLong) {
			status = StatusUnknownError // no reason to hang up on everybody
		} else if err != nil {
			return err
		}
	}
	return c.send(msgStatus, seq, peer, appendAttr(appendNumber(nil, attrStatus, uint32(status)), attrObjID, attrs[attrObjID]))
}

// call hands a call to its handler.
func (o *Object) call(attrs map[uint8][]byte) (Table, Status) {
	method := text(attrs[attrMethod])
	if o.Path != "" && o.Methods[method] == nil {
		return nil, StatusMethodNotFound
	}
	args, err := parseTable(attrs[attrData], 0)
	if err != nil {
		return nil, StatusInvalidArgument
	}
	answer, err := o.Handle(method, args)
	var status Status
	switch {
	case err == nil:
		return answer, statusOK
	case errors.As(err, &status):
		return nil, status
	}
	return nil, StatusUnknownError
}

// text returns what stands before the zero.
func text(b []byte) string {
	if n := len(b); n > 0 && b[n-1] == 0 {
		return string(b[:n-1])
	}
	return string(b)
}

func appendNumber(b []byte, id uint8, n uint32) []byte {
	return appendAttr(b, id, binary.BigEndian.AppendUint32(nil, n))
}

func appendText(b []byte, id uint8, s string) []byte {
	return appendAttr(b, id, append([]byte(s), 0))
}

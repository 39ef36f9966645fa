package ubus

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ask sends a request and waits for its last answer. It returns the contents of
// the data that came before.
func (c *Conn) ask(ctx context.Context, typ uint8, peer uint32, attrs []byte, object *Object) ([][]byte, error) {
	r := &request{done: make(chan struct{}), object: object}
	seq, err := c.enter(r)
	if err != nil {
		return nil, err
	}
	defer c.leave(seq)
	if err := c.send(typ, seq, peer, attrs); errors.Is(err, errTooLong) {
		return nil, err
	} else if err != nil {
		<-c.closed // send has hung up: whoever looks shall see it
		return nil, err
	}
	return c.answer(ctx, r)
}

// answer waits for the last answer to a request. What has come before the
// connection ended, or before the time was up, counts: a select with several
// ways open takes any of them.
func (c *Conn) answer(ctx context.Context, r *request) ([][]byte, error) {
	timer := time.NewTimer(answerTime)
	defer timer.Stop()
	var err error
	select {
	case <-r.done:
	case <-c.closed:
		err = c.ended()
	case <-timer.C:
		err = fmt.Errorf("ubus: no answer within %v", answerTime)
	case <-ctx.Done():
		err = ctx.Err()
	}
	select {
	case <-r.done:
	default:
		return nil, err
	}
	if r.status != statusOK {
		return nil, r.status
	}
	return r.data, nil
}

// maxRequests bounds the requests that wait for an answer.
const maxRequests = 64

// enter gives a request the next number that is free.
func (c *Conn) enter(r *request) (uint16, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) >= maxRequests {
		return 0, fmt.Errorf("ubus: %d requests wait for an answer", maxRequests)
	}
	for c.seq++; c.waiting[c.seq] != nil; c.seq++ {
	}
	c.waiting[c.seq] = r
	return c.seq, nil
}

func (c *Conn) leave(seq uint16) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, seq)
}

// ended says why the connection is no more.
func (c *Conn) ended() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Errorf("ubus: the connection ended: %w", c.err)
}

// lookup returns the number of an object. The error is StatusNotFound where
// there is none, or none of whose methods we may call any.
func (c *Conn) lookup(ctx context.Context, path string) (uint32, error) {
	data, err := c.ask(ctx, msgLookup, 0, appendText(nil, attrObjPath, path), nil)
	if err != nil {
		return 0, err
	}
	for _, d := range data {
		if id, ok := number(d, attrObjID); ok {
			return id, nil
		}
	}
	return 0, StatusNotFound
}

// Call calls a method of another's object and returns its last answer. It wraps
// a Status when the bus or the other refused.
func (c *Conn) Call(ctx context.Context, path, method string, args Table) (Table, error) {
	id, err := c.lookup(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	answer, err := c.invoke(ctx, id, method, args)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", path, method, err)
	}
	return answer, nil
}

func (c *Conn) invoke(ctx context.Context, id uint32, method string, args Table) (Table, error) {
	contents, err := appendTable(nil, args)
	if err != nil {
		return nil, err
	}
	attrs := appendNumber(nil, attrObjID, id)
	attrs = appendText(attrs, attrMethod, method)
	attrs = appendAttr(attrs, attrData, contents)
	data, err := c.ask(ctx, msgInvoke, id, attrs, nil)
	if err != nil || len(data) == 0 {
		return nil, err
	}
	fields, err := attributes(data[len(data)-1])
	if err != nil {
		return nil, err
	}
	return parseTable(fields[attrData], 0)
}

// Add puts an object of ours on the bus. It stays there until the connection
// ends.
func (c *Conn) Add(ctx context.Context, o *Object) error {
	var attrs []byte
	if o.Path != "" {
		attrs = appendText(attrs, attrObjPath, o.Path)
		signature := make(Table, len(o.Methods))
		for name, parameters := range o.Methods {
			signature[name] = parameters
		}
		contents, err := appendTable(nil, signature)
		if err != nil {
			return err
		}
		attrs = appendAttr(attrs, attrSignature, contents)
	}
	if _, err := c.ask(ctx, msgAddObject, 0, attrs, o); err != nil {
		return fmt.Errorf("ubus: add object %s: %w", o.Path, err)
	}
	return nil
}

// Subscribe makes o, which was added, hear the notifications of another's
// object.
func (c *Conn) Subscribe(ctx context.Context, o *Object, path string) error {
	target, err := c.lookup(ctx, path)
	if err == nil {
		attrs := appendNumber(appendNumber(nil, attrObjID, o.id), attrTarget, target)
		_, err = c.ask(ctx, msgSubscribe, 0, attrs, nil)
	}
	if err != nil {
		return fmt.Errorf("ubus: subscribe to %s: %w", path, err)
	}
	return nil
}

// Listen makes o, which was added, hear the events whose name fits the pattern,
// which may end in an asterisk.
func (c *Conn) Listen(ctx context.Context, o *Object, pattern string) error {
	if _, err := c.invoke(ctx, eventObject, "register", Table{"object": int64(int32(o.id)), "pattern": pattern}); err != nil {
		return fmt.Errorf("ubus: listen to %s: %w", pattern, err)
	}
	return nil
}

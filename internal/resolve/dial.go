package resolve

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"
)

// dialer makes the connections of one lookup, and remembers whether anything
// came back: package net drops the errno that would tell.
type dialer struct {
	config Config
	server netip.AddrPort // invalid: what package net says
	failed atomic.Uint32  // connections that met a network error
	lived  atomic.Uint32  // connections that did not
}

// unreachable reports whether the network refused every attempt.
func (d *dialer) unreachable() bool { return d.failed.Load() > 0 && d.lived.Load() == 0 }

// note counts err, or its absence.
func (d *dialer) note(err error) {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		d.failed.Add(1)
		return
	}
	d.lived.Add(1)
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if d.server.IsValid() {
		address = d.server.String()
	}
	dial := d.config.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	c, err := dial(ctx, network, address)
	if err != nil {
		d.note(err)
		return nil, err
	}
	q := query{Conn: c, dialer: d}
	if p, ok := c.(net.PacketConn); ok {
		return &packetQuery{query: q, PacketConn: p}, nil
	}
	q.prefix = 2
	return &q, nil
}

// query is a connection to a name server that sets the CD bit on the way out
// and notes what comes back. Package net writes each message in one call, on
// a stream behind two bytes of length.
type query struct {
	net.Conn
	dialer *dialer
	prefix int
}

// flagsLow is where the CD bit is in a message, and cdBit what it is (RFC 4035
// §3.2.2, RFC 6895 §2).
const (
	flagsLow = 3
	cdBit    = 0x10
)

func (q *query) Write(b []byte) (int, error) {
	if q.dialer.config.CheckingDisabled && len(b) > q.prefix+flagsLow {
		b = bytes.Clone(b) // the caller's is not ours to change
		b[q.prefix+flagsLow] |= cdBit
	}
	return q.Conn.Write(b)
}

func (q *query) Read(b []byte) (int, error) {
	n, err := q.Conn.Read(b)
	q.dialer.note(err)
	return n, err
}

// packetQuery is a query over datagrams: package net tells the two apart by
// the methods of net.PacketConn.
type packetQuery struct {
	query
	net.PacketConn
}

// Every method that both parts have is the connection's.

func (p *packetQuery) Close() error                       { return p.query.Close() }
func (p *packetQuery) LocalAddr() net.Addr                { return p.query.LocalAddr() }
func (p *packetQuery) SetDeadline(t time.Time) error      { return p.query.SetDeadline(t) }
func (p *packetQuery) SetReadDeadline(t time.Time) error  { return p.query.SetReadDeadline(t) }
func (p *packetQuery) SetWriteDeadline(t time.Time) error { return p.query.SetWriteDeadline(t) }

package main

import (
	"crypto/rand"
	"errors"
	"net"
	"os"
	"time"

	"ntsd/internal/ntptime"
	"ntsd/internal/nts"
	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

// client sends one request after the other.
type client struct {
	conn        *net.UDPConn
	interleaved bool
	last        wire.Header // the latest reply

	c2s, s2c     siv.AEAD // nil: no NTS
	cookie       []byte
	uid          nts.UniqueID
	placeholders int

	sequence uint64
	tally    tally
}

// secure takes the keys and a cookie of a session.
func (c *client) secure(s *nts.Session) (err error) {
	cookie, ok := s.TakeCookie()
	if !ok {
		return errors.New("no cookie")
	}
	c.cookie = cookie
	if c.c2s, err = siv.New(s.AEAD, s.C2S); err != nil {
		return err
	}
	c.s2c, err = siv.New(s.AEAD, s.S2C)
	return err
}

// ask sends requests until the end.
func (c *client) ask(end time.Time) {
	out, in := make([]byte, 0, 2048), make([]byte, 2048)
	for {
		now := time.Now()
		if now.After(end) {
			return
		}
		h := c.header()
		if _, err := c.conn.Write(c.request(out, h)); err != nil {
			c.tally.lost++
			time.Sleep(time.Millisecond) // refused: nobody listens yet
			continue
		}
		if err := c.conn.SetReadDeadline(now.Add(patience)); err != nil {
			return
		}
		switch err := c.receive(in, h); {
		case err == nil:
			c.tally.reply(time.Since(now))
		case errors.Is(err, errWrong):
			c.tally.wrong++
		default:
			c.tally.lost++
			c.last = wire.Header{}
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				time.Sleep(time.Millisecond)
			}
		}
	}
}

// errWrong is said of a reply that answers the request, but not as it should.
var errWrong = errors.New("wrong reply")

// receive waits for the reply to the request with the header h. One that comes
// late, for an earlier request, is passed over.
func (c *client) receive(in []byte, h wire.Header) error {
	for {
		n, err := c.conn.Read(in)
		if err != nil {
			return err
		}
		reply, err := wire.ParseHeader(in[:n])
		if err != nil || reply.Mode != wire.ModeServer {
			return errWrong
		}
		if reply.Origin == h.Transmit || c.interleaved && reply.Origin == h.Receive {
			return c.accept(in[:n], reply, h)
		}
		c.tally.late++
	}
}

func (c *client) header() wire.Header {
	c.sequence++
	h := wire.Header{Version: 4, Mode: wire.ModeClient, Transmit: ntptime.Timestamp(c.sequence << 8)}
	if c.interleaved {
		h.Origin, h.Receive = c.last.Receive, h.Transmit+1
	}
	return h
}

func (c *client) request(out []byte, h wire.Header) []byte {
	if c.c2s == nil {
		return h.Append(out)
	}
	random := make([]byte, nts.UniqueIDLen+c.c2s.Algorithm().NonceSize())
	_, _ = rand.Read(random) // it never fails
	copy(c.uid[:], random)
	return nts.AppendClientRequest(out, h, c.uid, c.cookie, c.placeholders, c.c2s, random[nts.UniqueIDLen:])
}

// accept verifies a reply.
func (c *client) accept(pkt []byte, reply, h wire.Header) error {
	if reply.Origin != h.Transmit {
		c.tally.interleaved++
	}
	if c.c2s != nil {
		r, err := nts.OpenResponse(pkt, &c.uid, c.s2c)
		if err != nil || len(r.Cookies) != 1+c.placeholders {
			return errWrong
		}
		c.cookie = r.Cookies[0]
	}
	c.last = reply
	return nil
}

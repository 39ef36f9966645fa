package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"time"

	"ntsd/internal/ntptime"
	"ntsd/internal/nts"
	"ntsd/internal/ntske"
	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

// errWrong is said of a reply that answers the request, but not as it should.
var errWrong = errors.New("wrong reply")

// client is one of those that the server sees: an address, and a session of
// its own or shared with others.
type client struct {
	addr    netip.Addr        // invalid: as the routes want it
	last    ntptime.Timestamp // receive timestamp of the latest reply, for interleaved mode
	session *session          // nil: no NTS
}

// session is the keys of NTS clients and the newest cookie.
type session struct {
	c2s, s2c siv.AEAD
	cookie   []byte
}

// establishTries is how often a key establishment is tried.
const establishTries = 3

// establish runs one key establishment.
func establish(o *options) (x *session, err error) {
	for range establishTries {
		if x, err = establishOnce(o); err == nil {
			return x, nil
		}
	}
	return nil, err
}

func establishOnce(o *options) (*session, error) {
	r, err := ntske.NewClient().Exchange(context.Background(), ntske.Request{
		Name: o.name, Addr: netip.AddrPortFrom(o.server.Addr(), uint16(o.kePort)),
		AEADs: []siv.Algorithm{o.algorithm()}, NoVal: true,
	})
	if err != nil {
		return nil, err
	}
	x := new(session)
	var ok bool
	if x.cookie, ok = r.Session.TakeCookie(); !ok {
		return nil, errors.New("no cookie")
	}
	if x.c2s, err = siv.New(r.Session.AEAD, r.Session.C2S); err != nil {
		return nil, err
	}
	x.s2c, err = siv.New(r.Session.AEAD, r.Session.S2C)
	return x, err
}

// slot is a request under way.
type slot struct {
	client *client
	header wire.Header
	uid    nts.UniqueID
	sent   time.Duration // 0: none is
}

// A transmit timestamp is a number and the slot's, so that a reply finds back;
// the lowest bits tell the receive timestamp of interleaved mode from it.
const (
	slotShift  = 4
	slotBits   = 16
	countShift = slotShift + slotBits
)

// slotOf returns the slot that a reply belongs to, if it is ours.
func slotOf(origin ntptime.Timestamp) int { return int(origin >> slotShift & (1<<slotBits - 1)) }

// ask makes slot number i a request of c, appended to dst.
func (s *slot) ask(dst []byte, i int, c *client, o *options, count uint64, random *rand.ChaCha8) []byte {
	h := wire.Header{
		Version: 4, Mode: wire.ModeClient,
		Transmit: ntptime.Timestamp(count<<countShift | uint64(i)<<slotShift),
	}
	if o.mode == modeInterleaved {
		h.Origin, h.Receive = c.last, h.Transmit|1
	}
	s.client, s.header = c, h
	if c.session == nil {
		return h.Append(dst)
	}
	// Fast rather than secret: these keys protect nothing.
	var fresh [nts.UniqueIDLen + 16]byte
	_, _ = random.Read(fresh[:]) // it never fails
	copy(s.uid[:], fresh[:])
	nonce := fresh[nts.UniqueIDLen:][:c.session.c2s.Algorithm().NonceSize()]
	return nts.AppendClientRequest(dst, h, s.uid, c.session.cookie, o.placeholders, c.session.c2s, nonce)
}

// accept verifies a reply. interleaved says that it is one of that mode.
func (s *slot) accept(packet []byte, reply *wire.Header, o *options) (interleaved bool, err error) {
	if x := s.client.session; x != nil {
		r, err := nts.OpenResponse(packet, &s.uid, x.s2c)
		if err != nil || len(r.Cookies) != 1+o.placeholders {
			return false, errWrong
		}
		x.cookie = r.Cookies[0]
	}
	s.client.last = reply.Receive
	return reply.Origin != s.header.Transmit, nil
}

// answers reports whether reply belongs to the request.
func (s *slot) answers(reply *wire.Header, o *options) bool {
	return s.sent != 0 && (reply.Origin == s.header.Transmit ||
		o.mode == modeInterleaved && reply.Origin == s.header.Receive)
}

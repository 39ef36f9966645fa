package ntske

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ntsd/internal/nts"
	"ntsd/internal/siv"
)

// CookieSource makes cookies for clients. Several goroutines call it.
type CookieSource interface {
	// AppendCookie appends one cookie, valid now, that holds alg and the keys.
	// The keys are erased after the call: it must copy what it keeps.
	AppendCookie(dst []byte, alg siv.Algorithm, c2s, s2c []byte) ([]byte, error)
}

// ServerConfig is what a Server needs to know.
type ServerConfig struct {
	// Certificate returns the chain and key for a client; it is asked for each
	// connection, so a renewed certificate needs no restart.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	Cookies     CookieSource
	// AEADs are the algorithms to offer; empty: all. 15 is always among them:
	// RFC 8915 §4.1.5: servers "MUST support AEAD_AES_SIV_CMAC_256".
	AEADs []siv.Algorithm
	// NTPServer and NTPPort are sent where they differ from this host and 123:
	// an address, or a name that is fully qualified.
	NTPServer string
	NTPPort   uint16
	// Admit is asked before anything is spent on a client: access and rate
	// limits. nil admits everybody.
	Admit func(netip.AddrPort) bool
	// Time is the wall clock for crypto/tls; nil: time.Now.
	Time func() time.Time
	// MaxConnections are served at a time, each for at most Timeout; 0: the
	// constants of these names.
	MaxConnections int
	Timeout        time.Duration
}

// Counters counts what became of the connections. They only grow; a connection
// has one of those below Accepted when it has ended, or one of those below
// Dropped at once.
type Counters struct {
	Accepted  uint64 // connections that were served in some way
	Good      uint64 // got cookies
	Bad       uint64 // answered with an error, or broken off after TLS
	Handshake uint64 // failed in TLS, or without ALPN
	Slow      uint64 // had not asked when the time was up
	Displaced uint64 // had to make room for another client

	Dropped uint64 // closed at once
	Refused uint64 // by Admit
	Crowded uint64 // for want of room: this client's, or all of it
}

// Server answers key establishments. Make one with NewServer.
type Server struct {
	cfg    ServerConfig
	tls    *tls.Config
	guests *guests
	slots  chan struct{} // one element per connection being served

	accepted, refused, crowded             atomic.Uint64
	good, bad, handshake, slow, displacing atomic.Uint64
}

// NewServer returns a server that listens to nothing yet.
func NewServer(cfg ServerConfig) (*Server, error) {
	if cfg.Certificate == nil || cfg.Cookies == nil {
		return nil, errors.New("ntske: server without certificate or cookies")
	}
	all := []siv.Algorithm{siv.AESSIVCMAC256, siv.AESSIVCMAC384, siv.AESSIVCMAC512, siv.AES128GCMSIV}
	if len(cfg.AEADs) == 0 {
		cfg.AEADs = all
	}
	for _, a := range cfg.AEADs {
		if !a.Known() {
			return nil, errors.New("ntske: " + a.String() + " is not supported")
		}
	}
	if !slices.Contains(cfg.AEADs, siv.AESSIVCMAC256) {
		cfg.AEADs = append(slices.Clone(cfg.AEADs), siv.AESSIVCMAC256)
	}
	if cfg.NTPServer != "" && !nts.ValidServer(cfg.NTPServer) {
		return nil, fmt.Errorf("ntske: %q is neither an address nor a name", cfg.NTPServer)
	}
	if cfg.NTPPort == defaultNTPPort {
		cfg.NTPPort = 0
	}
	if cfg.MaxConnections == 0 {
		cfg.MaxConnections = MaxConnections
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = ServerTimeout
	}
	return &Server{cfg: cfg, guests: newGuests(cfg.MaxConnections), slots: make(chan struct{}, cfg.MaxConnections), tls: &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             []string{nts.ALPN},
		GetCertificate:         cfg.Certificate,
		SessionTicketsDisabled: true,
		Time:                   cfg.Time,
	}}, nil
}

// Counters returns the counters as they stand.
func (s *Server) Counters() Counters {
	c := Counters{
		Accepted: s.accepted.Load(), Good: s.good.Load(), Bad: s.bad.Load(), Handshake: s.handshake.Load(),
		Slow: s.slow.Load(), Displaced: s.displacing.Load(), Refused: s.refused.Load(), Crowded: s.crowded.Load(),
	}
	c.Dropped = c.Refused + c.Crowded
	return c
}

// Serve accepts connections until ctx ends or the listener fails for good. It
// closes the listener and returns when every connection is done; the error is
// nil if ctx ended. Several listeners may be served at a time.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	defer ln.Close()
	for {
		conn, err := ln.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil:
			// Out of descriptors, or a client that left early.
			if !pause(ctx, acceptPause) {
				return nil
			}
			continue
		}
		g := s.admit(ctx, conn)
		if g == nil {
			conn.Close()
			continue
		}
		wg.Go(func() {
			defer func() { <-s.slots }()
			s.serveConn(ctx, g)
		})
	}
}

// admit takes a client in if it may come and there is room for it.
func (s *Server) admit(ctx context.Context, conn net.Conn) *guest {
	from := remote(conn)
	if s.cfg.Admit != nil && !s.cfg.Admit(from) {
		s.refused.Add(1)
		return nil
	}
	g, _ := s.guests.enter(conn, from.Addr())
	if g == nil {
		s.crowded.Add(1)
		return nil
	}
	s.accepted.Add(1)
	// There are never more goroutines than guests: one that was displaced ends
	// now, its connection is closed.
	select {
	case s.slots <- struct{}{}:
		return g
	case <-ctx.Done():
		s.guests.leave(g)
		return nil
	}
}

func remote(conn net.Conn) netip.AddrPort {
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		ap := a.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}

// pause waits for d; it reports false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// serveConn answers one client and counts what became of it.
func (s *Server) serveConn(ctx context.Context, g *guest) {
	defer g.conn.Close()
	stop := context.AfterFunc(ctx, func() { g.conn.Close() })
	defer stop()
	fate := s.converse(g.conn)
	if !s.guests.leave(g) && fate != &s.good {
		fate = &s.displacing
	}
	fate.Add(1)
}

// converse shakes hands, reads a request and answers it; it returns the counter
// of how that went.
func (s *Server) converse(raw net.Conn) *atomic.Uint64 {
	// Deadlines of package net run on the monotonic clock.
	_ = raw.SetDeadline(time.Now().Add(s.cfg.Timeout))
	out := &corked{Conn: raw}
	conn := tls.Server(out, s.tls)
	// It ends with the connection: a context would cost a goroutine.
	if err := handshake(context.Background(), conn); errors.Is(err, os.ErrDeadlineExceeded) {
		return &s.slow
	} else if err != nil {
		return &s.handshake
	}
	msg, err := readMessage(conn, nts.MaxRequestMessage)
	resp, good := s.answer(conn, msg, err)
	if resp != nil {
		_ = raw.SetDeadline(time.Now().Add(drainTimeout))
		// The response and close_notify leave in one packet.
		out.hold = true
		_, writeErr := conn.Write(resp)
		if writeErr == nil {
			_ = conn.CloseWrite()
			writeErr = out.flush()
		}
		if writeErr != nil {
			good = false
		} else {
			drain(conn)
		}
	}
	switch {
	case good:
		return &s.good
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &s.slow
	}
	return &s.bad
}

// corked is a connection that keeps back what is written while it holds.
type corked struct {
	net.Conn
	hold bool
	kept []byte
}

// Write implements net.Conn.
func (c *corked) Write(b []byte) (int, error) {
	if !c.hold {
		return c.Conn.Write(b)
	}
	c.kept = append(c.kept, b...)
	return len(b), nil
}

// SetWriteDeadline implements net.Conn. crypto/tls lets it pass at once after
// close_notify, which has not left yet.
func (c *corked) SetWriteDeadline(t time.Time) error {
	if c.hold {
		return nil
	}
	return c.Conn.SetWriteDeadline(t)
}

// flush sends what was kept back.
func (c *corked) flush() error {
	c.hold = false
	_, err := c.Conn.Write(c.kept)
	c.kept = nil
	return err
}

// drain reads what a client still sends, until its end or the deadline: a
// socket closed over unread bytes resets the connection, and the reset may
// overtake our response.
func drain(conn *tls.Conn) {
	var scratch [512]byte
	for range nts.MaxRequestMessage / len(scratch) {
		if _, err := conn.Read(scratch[:]); err != nil {
			return
		}
	}
}

// answer returns the response to a request, or nil when there is nobody to
// answer; good means that it carries cookies.
func (s *Server) answer(conn *tls.Conn, msg []byte, readErr error) (resp []byte, good bool) {
	switch {
	case readErr == nil:
	case errors.Is(readErr, os.ErrDeadlineExceeded), errors.Is(readErr, errTooLong):
		// RFC 8915 §4.1.3: Bad Request also when "upon the expiration of an
		// implementation-defined timeout, it has not yet received such a
		// request".
		return nts.AppendError(nil, nts.CodeBadRequest), false
	case errors.Is(readErr, nts.ErrResponse): // ended inside the request
		return nts.AppendError(nil, nts.CodeBadRequest), false
	default:
		return nil, false
	}
	req, err := nts.ParseRequest(msg)
	if err != nil {
		code := nts.CodeBadRequest
		var re *nts.RequestError
		if errors.As(err, &re) {
			code = re.Code
		}
		return nts.AppendError(nil, code), false
	}
	if !req.OffersNTPv4() {
		return nts.AppendRefusal(nil, true), false
	}
	alg, id, ok := req.Choose(s.cfg.AEADs)
	if !ok {
		return nts.AppendRefusal(nil, false), false
	}
	grant, err := s.grant(conn, alg, id)
	if err != nil {
		// RFC 8915 §4.1.3: "unable to respond properly due to an internal
		// condition".
		return nts.AppendError(nil, nts.CodeInternal), false
	}
	grant.Server = s.ntpServer(req, conn.LocalAddr())
	// Echoed where it means something: the keys are exported as RFC 8915 says.
	grant.CompliantGCMSIV = req.CompliantGCMSIV && alg == siv.AES128GCMSIV
	return nts.AppendResponse(nil, grant), true
}

// grant exports the client's keys and seals them into cookies.
func (s *Server) grant(conn *tls.Conn, alg, id siv.Algorithm) (nts.Response, error) {
	cs := conn.ConnectionState()
	c2s, s2c, err := exportKeys(&cs, alg, id)
	if err != nil {
		return nts.Response{}, err
	}
	// RFC 8915 §1.3: the server "discards all associated state".
	defer clear(c2s)
	defer clear(s2c)
	r := nts.Response{AEAD: alg, Port: s.cfg.NTPPort}
	// RFC 8915 §4.1.6: "SHOULD send eight of them".
	for range nts.MaxCookies {
		c, err := s.cfg.Cookies.AppendCookie(nil, alg, c2s, s2c)
		if err != nil {
			return nts.Response{}, err
		}
		r.Cookies = append(r.Cookies, c)
	}
	return r, nil
}

// ntpServer returns what the answer says about the NTP server. RFC 8915 §4.1.7:
// the server "SHOULD reply with the same record" as the client's "if it is valid
// and the server is able to supply cookies for it": if it names the host that
// the answer means anyway.
func (s *Server) ntpServer(req nts.Request, local net.Addr) string {
	ours := s.cfg.NTPServer
	if req.Server == "" {
		return ours
	}
	if ours != "" {
		if strings.EqualFold(strings.TrimSuffix(req.Server, "."), strings.TrimSuffix(ours, ".")) {
			return req.Server
		}
		return ours
	}
	asked, err := netip.ParseAddr(req.Server)
	here, ok := local.(*net.TCPAddr)
	if err == nil && ok && asked.Unmap() == here.AddrPort().Addr().Unmap().WithZone("") {
		return req.Server
	}
	return ""
}

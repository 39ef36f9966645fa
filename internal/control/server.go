package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"
)

// Implementation constants.
const (
	// maxConns bounds the clients served at once: a person, LuCI, a script and
	// their live views. More are told to come back.
	maxConns = 16
	// idleTimeout is how long a client may hold a connection without asking.
	idleTimeout = 30 * time.Second
	// handleTimeout bounds the daemon's thinking.
	handleTimeout = 10 * time.Second
	// writeTimeout bounds a client that does not read.
	writeTimeout = 5 * time.Second
	// acceptPause is the wait for whoever has taken all files or memory.
	acceptPause = time.Second
)

// Handler answers one request. It is called from several goroutines at once
// and must give up when ctx ends.
type Handler func(ctx context.Context, req Request) Response

// Server answers on a listener. Make it with NewServer; Serve may be called
// once.
type Server struct {
	handle Handler
	slots  chan struct{} // one token per connection; a full channel means busy
	conns  sync.WaitGroup
}

// NewServer returns a server that lets h answer.
func NewServer(h Handler) *Server {
	return &Server{handle: h, slots: make(chan struct{}, maxConns)}
}

// Serve accepts clients until ctx ends; then it closes the listener and every
// connection, waits for them and returns nil. Any other end is an error.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer s.conns.Wait()
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			if !passes(err) {
				return fmt.Errorf("control: accept: %w", err)
			}
			select {
			case <-time.After(acceptPause):
			case <-ctx.Done():
			}
			continue
		}
		select {
		case s.slots <- struct{}{}:
			s.conns.Go(func() {
				defer func() { <-s.slots }()
				s.ServeConn(ctx, conn)
			})
		default:
			_ = send(conn, Fail(CodeBusy, "too many clients, try again"))
			_ = conn.Close()
		}
	}
}

// passes reports whether an error of Accept is about the moment, not about the
// listener.
func passes(err error) bool {
	for _, moment := range [...]error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, moment) {
			return true
		}
	}
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// ServeConn answers one client until it leaves, misbehaves or ctx ends, and
// closes conn.
func (s *Server) ServeConn(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	lines := bufio.NewScanner(conn)
	lines.Buffer(make([]byte, 0, 512), MaxRequest)
	for {
		if conn.SetReadDeadline(time.Now().Add(idleTimeout)) != nil {
			return
		}
		if !lines.Scan() {
			if errors.Is(lines.Err(), bufio.ErrTooLong) {
				_ = send(conn, Fail(CodeMalformed, "request too long"))
			}
			return
		}
		req, err := ParseRequest(lines.Bytes())
		if err != nil {
			// What follows such a line cannot be trusted to be a line.
			_ = send(conn, Fail(CodeMalformed, err.Error()))
			return
		}
		if send(conn, s.answer(ctx, req)) != nil {
			return
		}
	}
}

func (s *Server) answer(ctx context.Context, req Request) Response {
	ctx, cancel := context.WithTimeout(ctx, handleTimeout)
	defer cancel()
	return s.handle(ctx, req)
}

// send writes one line.
func send(conn net.Conn, r Response) error {
	line, err := json.Marshal(r)
	if err == nil && len(line) >= MaxResponse { // no client reads more
		line, err = json.Marshal(Fail(CodeFailed, "the answer is too long: ask for less"))
	}
	if err != nil {
		return fmt.Errorf("control: encode: %w", err)
	}
	if err := conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return fmt.Errorf("control: %w", err)
	}
	if _, err := conn.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("control: %w", err)
	}
	return nil
}

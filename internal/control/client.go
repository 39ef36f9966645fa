package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"syscall"
)

// clientTimeout bounds one exchange: longer than the server's own bounds, so
// that its answer, not our patience, tells what went wrong.
const clientTimeout = handleTimeout + writeTimeout

// Errors of Client.Do.
var (
	ErrNotRunning = errors.New("control: the daemon does not answer")
	ErrPermission = errors.New("control: no permission to talk to the daemon")
	ErrProtocol   = errors.New("control: answer not understood")
)

// Client talks to the daemon whose socket is at Path. It holds no connection,
// so it survives a restart of the daemon; concurrent use is fine.
type Client struct {
	Path string
}

// Do carries out one request. The error wraps ErrNotRunning, ErrPermission or
// ErrProtocol, or is the context's; that the daemon refused is not an error
// but Response.OK.
func (c Client) Do(ctx context.Context, req Request) (Response, error) {
	ctx, cancel := context.WithTimeout(ctx, clientTimeout)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", c.Path)
	if err != nil {
		return Response{}, dialError(err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	resp, err := exchange(conn, req)
	if err != nil && ctx.Err() != nil {
		return Response{}, fmt.Errorf("control: %w", ctx.Err())
	}
	return resp, err
}

// exchange writes the request and reads the answer.
func exchange(conn net.Conn, req Request) (Response, error) {
	line, err := json.Marshal(req)
	if err != nil {
		return Response{}, fmt.Errorf("control: encode: %w", err)
	}
	// A refused connection may be answered and closed before we write: the
	// answer matters more than the failed write.
	_, writeErr := conn.Write(append(line, '\n'))
	lines := bufio.NewScanner(conn)
	lines.Buffer(make([]byte, 0, 16<<10), MaxResponse)
	if !lines.Scan() {
		err := lines.Err()
		if err == nil {
			err = writeErr
		}
		if err == nil || !errors.Is(err, bufio.ErrTooLong) {
			return Response{}, fmt.Errorf("%w: it closed the connection", ErrNotRunning)
		}
		return Response{}, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	var resp Response
	if err := json.Unmarshal(lines.Bytes(), &resp); err != nil {
		return Response{}, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return resp, nil
}

// dialError sorts the reasons for which a socket cannot be reached.
func dialError(err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", ErrPermission, err)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: %w", ErrNotRunning, err)
	}
	return fmt.Errorf("control: %w", err)
}

package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"golang.org/x/sys/unix"
)

// echo answers with the request itself.
func echo(_ context.Context, r Request) Response { return Reply(r) }

// serve runs a server on a temporary socket until the test ends.
func serve(t *testing.T, h Handler) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "ntsd.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- NewServer(h).Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: got %v, want nil after cancel", err)
		}
	})
	return path
}

func TestExchange(t *testing.T) {
	path := serve(t, echo)
	want := Request{Cmd: "burst", Args: []string{"4/8", "192.0.2.1"}}
	resp, err := Client{Path: path}.Do(t.Context(), want)
	if err != nil || !resp.OK {
		t.Fatalf("Do: %+v, %v", resp, err)
	}
	var got Request
	if err := json.Unmarshal(resp.Body, &got); err != nil || got.Cmd != want.Cmd || len(got.Args) != 2 {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestRefusal(t *testing.T) {
	path := serve(t, func(context.Context, Request) Response { return Fail(CodeNoSource, "no source x") })
	resp, err := Client{Path: path}.Do(t.Context(), Request{Cmd: CmdOnline, Args: []string{"x"}})
	if err != nil || resp.OK || resp.Code != CodeNoSource || resp.Message != "no source x" {
		t.Errorf("got %+v, %v", resp, err)
	}
}

func TestNotRunning(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "ntsd.sock")
	if _, err := (Client{Path: missing}).Do(t.Context(), Request{Cmd: "report"}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("missing socket: got %v, want ErrNotRunning", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: missing, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close() // the file stays, as after a crash
	if _, err := (Client{Path: missing}).Do(t.Context(), Request{Cmd: "report"}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("dead socket: got %v, want ErrNotRunning", err)
	}
}

func TestPermission(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0); err != nil {
		t.Fatal(err)
	}
	result := make(chan error)
	go func() {
		if err := becomeNobody(); err != nil {
			result <- err
			return
		}
		_, err := Client{Path: filepath.Join(dir, "ntsd.sock")}.Do(t.Context(), Request{Cmd: "report"})
		result <- err
	}()
	if err := <-result; !errors.Is(err, ErrPermission) {
		t.Errorf("got %v, want ErrPermission", err)
	}
}

// becomeNobody takes root's rights, who may enter every folder, from this
// goroutine's thread; both end together.
func becomeNobody() error {
	if os.Geteuid() != 0 {
		return nil
	}
	runtime.LockOSThread()
	const nobody, keep = 65534, ^uintptr(0)
	if _, _, errno := syscall.RawSyscall(unix.SYS_SETRESUID, keep, nobody, keep); errno != 0 {
		return errno
	}
	return nil
}

// pipe serves one end of a net.Pipe and returns the other.
func pipe(t *testing.T, h Handler) net.Conn {
	t.Helper()
	client, server := net.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		NewServer(h).ServeConn(ctx, server)
	}()
	t.Cleanup(func() { cancel(); <-done; _ = client.Close() })
	return client
}

// ask writes a line and reads one.
func ask(t *testing.T, conn net.Conn, r *bufio.Reader, line string) (Response, error) {
	t.Helper()
	written := make(chan struct{})
	go func() { defer close(written); _, _ = conn.Write([]byte(line)) }()
	defer func() { _ = conn.SetWriteDeadline(longAgo()); <-written }()
	answer, err := r.ReadBytes('\n')
	if err != nil {
		return Response{}, err
	}
	var resp Response
	if err := json.Unmarshal(answer, &resp); err != nil {
		t.Fatalf("answer %q: %v", answer, err)
	}
	return resp, nil
}

func TestSeveralRequestsOnOneConnection(t *testing.T) {
	conn := pipe(t, echo)
	r := bufio.NewReader(conn)
	for range 3 {
		if resp, err := ask(t, conn, r, "{\"cmd\":\"report\"}\n"); err != nil || !resp.OK {
			t.Fatalf("got %+v, %v", resp, err)
		}
		_ = conn.SetWriteDeadline(noDeadline())
	}
}

func TestBadLinesEndTheConnection(t *testing.T) {
	for name, line := range map[string]string{
		"not JSON": "hello\n",
		"too long": "{\"cmd\":\"report\",\"x\":\"" + strings.Repeat("a", MaxRequest) + "\"}\n",
	} {
		conn := pipe(t, echo)
		r := bufio.NewReader(conn)
		if resp, err := ask(t, conn, r, line); err != nil || resp.OK || resp.Code != CodeMalformed {
			t.Errorf("%s: got %+v, %v; want code %q", name, resp, err, CodeMalformed)
		}
		if _, err := r.ReadByte(); err == nil {
			t.Errorf("%s: the connection is still open", name)
		}
	}
}

func TestTooManyClients(t *testing.T) {
	path := serve(t, echo)
	for range maxConns {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if resp, err := ask(t, conn, bufio.NewReader(conn), "{\"cmd\":\"report\"}\n"); err != nil || !resp.OK {
			t.Fatalf("got %+v, %v", resp, err)
		}
	}
	resp, err := Client{Path: path}.Do(t.Context(), Request{Cmd: "report"})
	if err != nil || resp.OK || resp.Code != CodeBusy {
		t.Errorf("got %+v, %v; want code %q", resp, err, CodeBusy)
	}
}

func TestClientGivesUp(t *testing.T) {
	started := make(chan struct{})
	path := serve(t, func(ctx context.Context, _ Request) Response {
		close(started)
		<-ctx.Done()
		return Fail(CodeFailed, "stopped")
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-started; cancel() }()
	if _, err := (Client{Path: path}).Do(ctx, Request{Cmd: "report"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestReplyWithoutJSONForm(t *testing.T) {
	if r := Reply(func() {}); r.OK || r.Code != CodeFailed {
		t.Errorf("got %+v, want code %q", r, CodeFailed)
	}
}

// starved is a listener whose process has run out of files for a while.
type starved struct {
	net.Listener
	refusals int
	calls    chan struct{}
}

func (s *starved) Accept() (net.Conn, error) {
	s.calls <- struct{}{}
	if s.refusals--; s.refusals >= 0 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return s.Listener.Accept()
}

func TestServesAgainAfterRunningOutOfFiles(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "ntsd.sock"))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := &starved{Listener: l, refusals: 3, calls: make(chan struct{}, 8)}
		done := make(chan error, 1)
		go func() { done <- NewServer(echo).Serve(ctx, s) }()
		for range 4 {
			<-s.calls
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: got %v, want nil after cancel", err)
		}
	})
}

// TestLongAnswer: what no client would read to its end is not sent, but said.
func TestLongAnswer(t *testing.T) {
	path := serve(t, func(context.Context, Request) Response { return Reply(strings.Repeat("x", MaxResponse)) })
	resp, err := Client{Path: path}.Do(t.Context(), Request{Cmd: CmdReport})
	if err != nil || resp.OK || resp.Code != CodeFailed {
		t.Errorf("got %.100v, %v; want a refusal", resp, err)
	}
}

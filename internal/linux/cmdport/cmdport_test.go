//go:build linux

package cmdport

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience ends a test whose reply never comes.
const patience = 10 * time.Second

// echo answers with what was asked, in capitals; "nothing" gets no reply.
func echo(request, room []byte) []byte {
	if string(request) == "nothing" {
		return nil
	}
	return append(room, bytes.ToUpper(request)...)
}

// serve opens a socket in a folder of its own.
func serve(t *testing.T) (*Socket, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "chrony", "chronyd.sock")
	s, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	run(t, s.Serve, s.Close)
	return s, path
}

// run serves until the test ends.
func run(t *testing.T, serve func(func(request, room []byte) []byte) error, stop func() error) {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- serve(echo) }()
	t.Cleanup(func() {
		_ = stop()
		if err := <-ended; err != nil {
			t.Errorf("serve ended with %v", err)
		}
	})
}

// client binds a socket of its own and connects it to the server's, as chronyc
// does.
func client(t *testing.T, own, server string) *net.UnixConn {
	t.Helper()
	c, err := net.DialUnix("unixgram", &net.UnixAddr{Name: own, Net: "unixgram"}, &net.UnixAddr{Name: server, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

// exchange sends a request and reads the reply.
func exchange(t *testing.T, c net.Conn, request string) string {
	t.Helper()
	if _, err := c.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	n, err := c.Read(buf)
	if err != nil {
		t.Fatalf("%q: %v", request[:min(len(request), 20)], err)
	}
	return string(buf[:n])
}

// TestSocket: a program with a socket beside ours, or in a folder of its own
// below, gets its replies; a folder that is made is open to the group.
func TestSocket(t *testing.T) {
	_, path := serve(t)
	dir := filepath.Dir(path)
	for name, want := range map[string]fs.FileMode{dir: fs.ModeDir | 0o770, path: fs.ModeSocket | 0o660} {
		if info, err := os.Lstat(name); err != nil || info.Mode() != want {
			t.Errorf("%s: got %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
	deep := filepath.Join(dir, "chronyc.1", "random")
	if err := os.MkdirAll(deep, 0o711); err != nil {
		t.Fatal(err)
	}
	for _, own := range []string{filepath.Join(dir, "client.sock"), filepath.Join(deep, "sock")} {
		if got := exchange(t, client(t, own, path), "hello"); got != "HELLO" {
			t.Errorf("%s: got %q", own, got)
		}
	}
}

// TestModes: whatever the mask of this process is, and it stays so.
func TestModes(t *testing.T) {
	for _, mask := range []int{0o077, 0, 0o777} {
		dir := t.TempDir() // before the mask is set
		func() {
			old := unix.Umask(mask)
			defer unix.Umask(old)
			s, err := Listen(filepath.Join(dir, "chrony", "chronyd.sock"))
			if err != nil {
				t.Errorf("mask %03o: %v", mask, err)
				return
			}
			defer s.Close()
			for name, want := range map[string]fs.FileMode{s.folder: 0o770, s.path: 0o660} {
				if info, err := os.Lstat(name); err != nil || info.Mode().Perm() != want {
					t.Errorf("mask %03o: %s: got %v, %v; want mode %o", mask, name, info, err, want)
				}
			}
			if after := unix.Umask(mask); after != mask {
				t.Errorf("the mask was %03o, is %03o", mask, after)
			}
		}()
	}
}

// TestSocketByAnotherName: the folder may be reached by a link, as /var/run is.
func TestSocketByAnotherName(t *testing.T) {
	_, path := serve(t)
	other := filepath.Join(t.TempDir(), "run")
	if err := os.Symlink(filepath.Dir(path), other); err != nil {
		t.Fatal(err)
	}
	c := client(t, filepath.Join(other, "client.sock"), filepath.Join(other, "chronyd.sock"))
	if got := exchange(t, c, "hello"); got != "HELLO" {
		t.Errorf("got %q", got)
	}
}

// TestSocketOfOthers: replies go into our folder only, and to nobody without a
// name; who asks next is answered.
func TestSocketOfOthers(t *testing.T) {
	_, path := serve(t)
	dir, elsewhere := filepath.Dir(path), t.TempDir()
	outside := client(t, filepath.Join(elsewhere, "sock"), path)
	beside := filepath.Join(filepath.Dir(dir), "chrony-not")
	if err := os.Mkdir(beside, 0o700); err != nil {
		t.Fatal(err)
	}
	neighbour := client(t, filepath.Join(beside, "sock"), path)
	abstract := client(t, "@ntsd-test-"+filepath.Base(elsewhere), path)
	// The name of a client that is a link to somebody's socket by now.
	victim, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(elsewhere, "victim"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer victim.Close()
	moved := client(t, filepath.Join(dir, "moved"), path)
	if err := errors.Join(os.Remove(filepath.Join(dir, "moved")), os.Symlink(filepath.Join(elsewhere, "victim"), filepath.Join(dir, "moved"))); err != nil {
		t.Fatal(err)
	}
	nameless, err := net.Dial("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer nameless.Close()
	silent := map[string]syscall.Conn{
		"in another folder": outside, "in a folder of a longer name": neighbour, "with an abstract name": abstract,
		"with a link for a name": moved, "without a name": nameless.(*net.UnixConn),
	}
	for _, c := range silent {
		if _, err := c.(net.Conn).Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
	}
	// Requests are answered in their order: this reply comes after those.
	if got := exchange(t, client(t, filepath.Join(dir, "ours"), path), "hello"); got != "HELLO" {
		t.Errorf("the next client: got %q", got)
	}
	silent["whose socket a link leads to"] = victim
	for what, c := range silent {
		raw, err := c.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		if err := raw.Control(func(fd uintptr) {
			if n, _, err := unix.Recvfrom(int(fd), make([]byte, 100), unix.MSG_DONTWAIT); err == nil {
				t.Errorf("a client %s got %d bytes", what, n)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestClientThatDoesNotRead: its queue gets full, or it takes all the memory
// that replies may have. Nobody else waits for it.
func TestClientThatDoesNotRead(t *testing.T) {
	_, path := serve(t)
	dir := filepath.Dir(path)
	deaf := client(t, filepath.Join(dir, "deaf"), path)
	for range 2000 {
		if _, err := deaf.Write(make([]byte, maxDatagram)); err != nil {
			break // its socket was replaced
		}
	}
	for begin, i := time.Now(), 0; ; i++ {
		c := client(t, filepath.Join(dir, fmt.Sprint("other", i)), path)
		_, err := c.Write([]byte("hello"))
		if err == nil {
			if err = c.SetReadDeadline(time.Now().Add(patience / 50)); err != nil {
				t.Fatal(err)
			}
			_, err = c.Read(make([]byte, 100))
		}
		c.Close()
		if err == nil {
			return
		}
		if time.Since(begin) > patience {
			t.Fatalf("nobody else is answered: %v", err)
		}
	}
}

// TestLongRequests: one that is longer than any is no request.
func TestLongRequests(t *testing.T) {
	_, path := serve(t)
	c := client(t, filepath.Join(filepath.Dir(path), "c"), path)
	for _, request := range []string{strings.Repeat("x", maxDatagram+1), strings.Repeat("x", 8*maxDatagram), "nothing"} {
		if _, err := c.Write([]byte(request)); err != nil {
			t.Fatal(err)
		}
	}
	if got := exchange(t, c, strings.Repeat("y", maxDatagram)); got != strings.Repeat("Y", maxDatagram) {
		t.Errorf("got %d bytes", len(got))
	}
}

// TestListen: what a dead program left is replaced, what a living one or no
// socket holds is left alone, and what Close removes is ours.
func TestListen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "chronyd.sock")
	dead, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	dead.Close()
	if _, err := os.Lstat(path); err != nil {
		t.Fatal(err)
	}
	first, err := Listen(path)
	if err != nil {
		t.Fatalf("in the place of a dead one: %v", err)
	}
	if _, err := Listen(path); !errors.Is(err, ErrInUse) {
		t.Errorf("in the place of a living one: got %v", err)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Close: %v", err)
	}
	stream, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path); !errors.Is(err, ErrInUse) {
		t.Errorf("in the place of a socket of streams: got %v", err)
	}
	stream.Close() // removes it
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path); !errors.Is(err, ErrNotSocket) {
		t.Errorf("in the place of a file: got %v", err)
	}
	if err := errors.Join(os.Remove(path), os.Symlink("/etc/passwd", path)); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path); !errors.Is(err, ErrNotSocket) {
		t.Errorf("in the place of a link: got %v", err)
	}
	for bad, want := range map[string]error{"chronyd.sock": ErrPath, "/" + strings.Repeat("x", 100): ErrLongPath, "": ErrPath} {
		if _, err := Listen(bad); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", bad, err, want)
		}
	}
	if _, err := Listen(filepath.Join(dir, "no", "such", "folder")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a folder of a folder that is not there: got %v", err)
	}
	left, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(left) != 1 {
		t.Errorf("left are %v", left)
	}
}

// TestLoopback: both families are answered at one port, which is given back.
func TestLoopback(t *testing.T) {
	port := freeUDP(t)
	u, err := ListenLoopback(port)
	if err != nil {
		t.Fatal(err)
	}
	run(t, u.Serve, u.Close)
	if _, err := ListenLoopback(port); !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "chronyd") {
		t.Errorf("a second time: got %v", err)
	}
	for _, conn := range u.conns {
		c, err := net.Dial("udp", conn.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if got := exchange(t, c, "hello"); got != "HELLO" {
			t.Errorf("%v: got %q", conn.LocalAddr(), got)
		}
	}
	if len(u.conns) == 0 || !u.conns[0].LocalAddr().(*net.UDPAddr).AddrPort().Addr().IsLoopback() {
		t.Errorf("open are %v", u.conns)
	}
}

func freeUDP(t *testing.T) uint16 {
	t.Helper()
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Port()
}

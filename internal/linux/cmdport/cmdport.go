//go:build linux

// Package cmdport is how local programs reach this daemon: Unix sockets in a
// folder, of streams or of datagrams, and a UDP port on the loopback addresses. It
// belongs to layer 4.
//
// A program that asks on the Unix socket of datagrams binds one of its own in the same
// folder, and its reply goes there. Nothing ever waits for a program to read:
// a reply that its queue has no room for is dropped.
//
// Not its business: what is asked and answered.
package cmdport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Implementation constants.
const (
	// maxDatagram is the longest request that is told from an even longer one.
	maxDatagram = 2048
	// dirMode is that of a folder made for the socket: the group may enter, and
	// bind sockets of its own. Whoever may do that may command.
	dirMode = 0o770
)

// ErrPath says that a path does not begin at the root: the folders of those who ask
// could not be compared with it.
var ErrPath = errors.New("cmdport: a socket of datagrams needs an absolute path")

// Socket is a Unix socket of datagrams. Serve may be called once.
type Socket struct {
	path   string
	folder string // that of path, without symbolic links

	mu     sync.Mutex
	conn   *net.UnixConn
	closed bool
}

// Listen opens the socket at path. A missing folder is made, with mode 0770;
// what is above it is not. A socket that a dead program left is replaced, one
// that is answered is ErrInUse.
func Listen(path string) (*Socket, error) {
	path = filepath.Clean(path)
	switch {
	case len(path) > maxPath:
		return nil, fmt.Errorf("%w: %s", ErrLongPath, path)
	case !filepath.IsAbs(path):
		return nil, fmt.Errorf("%w: %s", ErrPath, path)
	}
	if err := makeFolder(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("cmdport: %w", err)
	}
	folder, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("cmdport: %w", err)
	}
	if err := probe("unixgram", path); err != nil {
		return nil, err
	}
	conn, err := bind(path)
	if err != nil {
		return nil, err
	}
	return &Socket{conn: conn, path: path, folder: folder}, nil
}

// makeFolder makes the folder unless it is there.
func makeFolder(dir string) error {
	err := masked(0, func() error { return os.Mkdir(dir, dirMode) })
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// bind puts a socket of datagrams at path.
func bind(path string) (conn *net.UnixConn, err error) {
	err = place(path, func(temp string) error {
		return masked(0o777&^socketMode, func() (err error) {
			conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: temp, Net: "unixgram"})
			return err
		})
	})
	if err != nil && conn != nil {
		_ = conn.Close()
	}
	return conn, err
}

// masked runs f on a thread that has its own file mode creation mask, so that
// what f makes has its mode from the first moment. To change it afterwards, by
// its name, would be an invitation to those who may write in the folder: to put
// a link to a file of ours in its place.
func masked(mask int, f func() error) error {
	done := make(chan error)
	go func() {
		// Not unlocked: the thread and its mask end with the goroutine.
		runtime.LockOSThread()
		// Some containers forbid it; the mask of the process does then, and the
		// folder keeps out whom it keeps out.
		if unix.Unshare(unix.CLONE_FS) == nil {
			unix.Umask(mask)
		}
		done <- f()
	}()
	return <-done
}

// Serve answers requests until the socket is closed; then it returns nil.
// answer may return what it appended to room, or nothing for no reply.
func (s *Socket) Serve(answer func(request, room []byte) []byte) error {
	for {
		err := s.serve(answer)
		if !errors.Is(err, errClogged) {
			return err
		}
		if err := s.renew(); err != nil {
			return err
		}
	}
}

// errClogged says that replies which nobody reads take all the room that this
// socket may have in the kernel, so that nobody else can be answered.
var errClogged = errors.New("cmdport: replies are not read")

func (s *Socket) serve(answer func(request, room []byte) []byte) error {
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return fmt.Errorf("cmdport: %w", err)
	}
	buf, room := make([]byte, maxDatagram+1), make([]byte, 0, maxDatagram)
	for {
		n, from, err := s.conn.ReadFromUnix(buf)
		if err != nil {
			return ended(err)
		}
		if n > maxDatagram || from == nil || !s.inside(from.Name) {
			continue // there is nowhere to send a reply to
		}
		out := answer(buf[:n], room)
		if len(out) > 0 && send(raw, out, &unix.SockaddrUnix{Name: from.Name}) == unix.EAGAIN && clogged(raw) {
			return errClogged
		}
	}
}

// clogged reports whether replies that wait to be read take half of the room or
// more: then it is not only one queue that is full.
func clogged(raw syscall.RawConn) bool {
	var waiting, room int
	err := raw.Control(func(fd uintptr) {
		waiting, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
		room, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF)
	})
	return err == nil && waiting >= room/2
}

// renew puts a new socket in the place of the one that is clogged. Programs
// that talk to that one have to begin anew.
func (s *Socket) renew() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil // and the next read says so
	}
	conn, err := bind(s.path)
	if err != nil {
		return err
	}
	_ = s.conn.Close()
	s.conn = conn
	return nil
}

// inside reports whether a program's socket lies in our folder or below. One
// elsewhere gets no reply: we may write to sockets that the program may not,
// and would do it in its name.
func (s *Socket) inside(path string) bool {
	if !filepath.IsAbs(path) {
		return false
	}
	folder, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil || folder != s.folder && !strings.HasPrefix(folder, s.folder+"/") {
		return false
	}
	info, err := os.Lstat(path)
	return err == nil && info.Mode().Type() == fs.ModeSocket
}

// Close closes the socket and removes it, unless another one took its place.
func (s *Socket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	err := s.conn.Close()
	if probe("unixgram", s.path) == nil {
		_ = os.Remove(s.path)
	}
	return err
}

// UDP is a UDP port on the addresses of loopback.
type UDP struct{ conns []*net.UDPConn }

// ListenLoopback opens a port on 127.0.0.1 and ::1, or on the one of them that
// this machine has.
func ListenLoopback(port uint16) (*UDP, error) {
	u := new(UDP)
	var failed error
	for _, at := range []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()} {
		config := net.ListenConfig{}
		conn, err := config.ListenPacket(context.Background(), "udp", netip.AddrPortFrom(at, port).String())
		switch {
		case err == nil:
			u.conns = append(u.conns, conn.(*net.UDPConn))
		case errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT):
			failed = errors.Join(failed, err) // the family is switched off
		default:
			_ = u.Close()
			return nil, fmt.Errorf("cmdport: %w", hint(err))
		}
	}
	if len(u.conns) == 0 {
		return nil, fmt.Errorf("cmdport: %w", failed)
	}
	return u, nil
}

// hint adds what to do.
func hint(err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w; another program, perhaps chronyd, has the port", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w; ports below 1024 need root or CAP_NET_BIND_SERVICE", err)
	}
	return err
}

// Serve answers requests until the port is closed; then it returns nil. answer
// is called from two goroutines.
func (u *UDP) Serve(answer func(request, room []byte) []byte) error {
	errs := make([]error, len(u.conns))
	var all sync.WaitGroup
	for i, conn := range u.conns {
		all.Go(func() {
			if errs[i] = serveUDP(conn, answer); errs[i] != nil {
				_ = u.Close()
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func serveUDP(conn *net.UDPConn, answer func(request, room []byte) []byte) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return fmt.Errorf("cmdport: %w", err)
	}
	buf, room := make([]byte, maxDatagram+1), make([]byte, 0, maxDatagram)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return ended(err)
		}
		// The kernel lets no such packet in from outside, unless it is told to.
		if n > maxDatagram || !from.Addr().IsLoopback() {
			continue
		}
		if out := answer(buf[:n], room); len(out) > 0 {
			_ = send(raw, out, sockaddr(from))
		}
	}
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

// Close closes the port.
func (u *UDP) Close() error {
	var err error
	for _, conn := range u.conns {
		err = errors.Join(err, conn.Close())
	}
	return err
}

// send sends a datagram if that can be done at once. Where it cannot, whoever
// asked will ask again.
func send(raw syscall.RawConn, b []byte, to unix.Sockaddr) (err error) {
	closed := raw.Write(func(fd uintptr) bool {
		err = unix.Sendto(int(fd), b, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, to)
		return true
	})
	return cmp.Or(closed, err)
}

// ended is nil for the end that Close brings.
func ended(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return fmt.Errorf("cmdport: %w", err)
}

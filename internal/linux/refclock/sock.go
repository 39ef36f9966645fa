//go:build linux

package refclock

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"ntsd/internal/clock"
	"ntsd/internal/refdata"
)

// maxDatagrams bounds what one reading takes from a socket.
const maxDatagrams = 256

// socket is one that other programs send samples to.
type socket struct {
	fd   int
	path string
	node node
}

// node tells whether the path is still ours.
type node struct{ dev, ino uint64 }

func nodeOf(path string) (n node, isSocket bool, err error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return n, false, err
	}
	return node{uint64(st.Dev), st.Ino}, st.Mode&unix.S_IFMT == unix.S_IFSOCK, nil
}

// openSocket makes the socket, for its owner only. One that an earlier run left
// there makes room, anything else does not. It gets its name when its
// permissions are right.
func openSocket(s refdata.Spec) (_ device, err error) {
	path, err := destination(s.Path)
	if err != nil {
		return nil, err
	}
	if _, is, err := nodeOf(path); err == nil && !is {
		return nil, errors.New("something other than a socket is there")
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("make a socket: %w", err)
	}
	fresh := path + "~"
	defer func() {
		if err != nil {
			_ = unix.Unlink(fresh)
			_ = unix.Close(fd)
		}
	}()
	if err := unix.Unlink(fresh); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove an old socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: fresh}); err != nil {
		return nil, fmt.Errorf("bind the socket: %w", err)
	}
	if err := unix.Chmod(fresh, 0o600); err != nil {
		return nil, fmt.Errorf("protect the socket: %w", err)
	}
	if err := unix.Rename(fresh, path); err != nil {
		return nil, fmt.Errorf("name the socket: %w", err)
	}
	n, _, err := nodeOf(path)
	if err != nil {
		return nil, err
	}
	return &socket{fd, path, n}, nil
}

// destination is where the socket of that path belongs: root may have put a link
// there, into a folder in which we may make it. Nobody else's link is followed.
func destination(path string) (string, error) {
	var st unix.Stat_t
	if unix.Lstat(path, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFLNK {
		return path, nil
	}
	if st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return "", errors.New("somebody else's link is there")
	}
	to, err := os.Readlink(path)
	if err == nil && !filepath.IsAbs(to) {
		err = errors.New("a link that is no absolute path is there")
	}
	return to, err
}

// Read takes what has come. A socket whose name somebody has taken away gets no
// more: then it is opened again.
func (s *socket) Read(now clock.Wall) ([]measurement, error) {
	var found []measurement
	var b [refdata.MaxSock + 1]byte
	for range maxDatagrams {
		n, err := unix.Read(s.fd, b[:])
		if err == unix.EAGAIN {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("receive: %w", err)
		}
		if m, err := refdata.ParseSock(b[:n], binary.NativeEndian, now); err == nil {
			found = append(found, measurement{Measurement: m})
		}
	}
	if n, _, err := nodeOf(s.path); err != nil || n != s.node {
		return nil, errors.New("the socket was removed")
	}
	return found, nil
}

// Close closes the socket and takes its name away.
func (s *socket) Close() error {
	if n, _, err := nodeOf(s.path); err == nil && n == s.node {
		_ = unix.Unlink(s.path)
	}
	return unix.Close(s.fd)
}

//go:build linux

package serving

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// claim takes the name that stands for a port: our sockets would share it with
// those of a second daemon. The name lives and dies with the network namespace, as
// ports do. It is anybody's to take, but sockets share a port with those of the
// same user only; so who has it as another user keeps nobody from serving, and
// then there is no lock.
func claim(port uint16) (net.Listener, error) {
	name := fmt.Sprintf("@ntsd/udp/%d", port)
	lock, err := net.Listen("unix", name)
	switch {
	case err == nil:
		return lock, nil
	case holder(name) == os.Geteuid():
		return nil, errors.New("another ntsd serves the port")
	}
	return nil, nil
}

// holder is the user who listens under that name, -1 if there is none, or none
// who can be asked.
func holder(name string) int {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1
	}
	defer unix.Close(fd)
	if unix.Connect(fd, &unix.SockaddrUnix{Name: name}) != nil {
		return -1
	}
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return -1
	}
	return int(cred.Uid)
}

//go:build linux

// Package links tells when network interfaces or their addresses change, as
// the kernel says over rtnetlink(7). It belongs to layer 4.
//
// Not its business: what has changed. Whoever wants to know reads the
// interfaces anew: a message more or less then does no harm, so neither what
// the kernel dropped for want of room nor what somebody else sent matters.
package links

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// bufferSize is what is read at a time. What does not fit is lost, and not
// needed.
const bufferSize = 4096

// Watcher waits for changes. It belongs to one goroutine, but for Close.
type Watcher struct {
	socket *os.File
	buf    [bufferSize]byte
}

// Watch begins. The error is the system's: in a sandbox the sockets may be
// forbidden.
func Watch() (*Watcher, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("links: open: %w", err)
	}
	groups := uint32(unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		_ = unix.Close(fd) // the error of Bind says it all
		return nil, fmt.Errorf("links: subscribe: %w", err)
	}
	return &Watcher{socket: os.NewFile(uintptr(fd), "rtnetlink")}, nil
}

// Wait returns when something may have changed since the last Wait. Its error
// is os.ErrClosed after Close.
func (w *Watcher) Wait() error {
	_, err := w.socket.Read(w.buf[:])
	if err == nil || errors.Is(err, unix.ENOBUFS) { // so much has changed that the kernel gave up telling
		return nil
	}
	return fmt.Errorf("links: %w", err)
}

// Close ends Wait.
func (w *Watcher) Close() error { return w.socket.Close() }

//go:build linux

package cmdport

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Implementation constants.
const (
	socketMode = 0o660
	// ownDirMode is that of a folder made for a socket of streams: whoever may
	// enter may command.
	ownDirMode = 0o700
	// probeTimeout bounds the question whether an existing socket is alive.
	probeTimeout = time.Second
	// maxPath is the longest path that a socket address holds (unix(7)), less
	// what the name has at first: a dot and a process id.
	maxPath = 107 - 11
)

// Errors of Listen and ListenStream.
var (
	ErrInUse     = errors.New("cmdport: another program answers on the socket")
	ErrNotSocket = errors.New("cmdport: something that is not a socket is in the way, remove it")
	ErrLongPath  = errors.New("cmdport: the socket's path is too long, choose a shorter folder")
)

// ListenStream opens a socket of streams at path. A missing folder is made, with
// mode 0700. A socket that a dead program left is replaced; one that is answered
// is ErrInUse. Closing the listener leaves the file: see Remove.
func ListenStream(path string) (l *net.UnixListener, err error) {
	if len(path) > maxPath {
		return nil, fmt.Errorf("%w: %s", ErrLongPath, path)
	}
	if err := os.MkdirAll(filepath.Dir(path), ownDirMode); err != nil {
		return nil, fmt.Errorf("cmdport: %w", err)
	}
	if err := probe("unix", path); err != nil {
		return nil, err
	}
	err = place(path, func(temp string) (err error) {
		if l, err = net.ListenUnix("unix", &net.UnixAddr{Name: temp, Net: "unix"}); err != nil {
			return err
		}
		l.SetUnlinkOnClose(false)
		return os.Chmod(temp, socketMode)
	})
	if err != nil && l != nil {
		_ = l.Close()
	}
	return l, err
}

// Remove removes the socket at stop. That it is gone already is no error.
func Remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cmdport: %w", err)
	}
	return nil
}

// place puts a socket at path. It is made under another name, where it gets its
// mode, and then moved into place: so there always is one, never open to more
// people than it should be.
func place(path string, open func(temp string) error) error {
	temp := path + "." + strconv.Itoa(os.Getpid())
	_ = os.Remove(temp) // from a crash of a process with our number
	err := open(temp)
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		_ = os.Remove(temp)
		return fmt.Errorf("cmdport: %w", err)
	}
	return nil
}

// probe finds out whether path is free or holds a socket that nobody answers.
func probe(network, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("cmdport: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%w: %s", ErrNotSocket, path)
	}
	conn, err := net.DialTimeout(network, path, probeTimeout)
	switch {
	case err == nil:
		_ = conn.Close()
		return fmt.Errorf("%w: %s", ErrInUse, path)
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, syscall.EPROTOTYPE): // of the other kind, and alive
		return fmt.Errorf("%w: %s", ErrInUse, path)
	}
	return fmt.Errorf("cmdport: %w", err)
}

package control

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
	dirMode    = 0o700
	socketMode = 0o660
	// probeTimeout bounds the question whether an existing socket is alive.
	probeTimeout = time.Second
	// maxPath is the longest path that a socket address holds (unix(7)), less
	// what the name has at first: a dot and a process id.
	maxPath = 107 - 11
)

// Errors of Listen.
var (
	ErrInUse     = errors.New("control: another daemon answers on the socket")
	ErrNotSocket = errors.New("control: the path is taken by something that is not a socket")
	ErrLongPath  = errors.New("control: the socket's path is too long, choose a shorter folder")
)

// Listen opens the socket at path. A missing folder is made, with mode 0700. A
// socket that a dead daemon left is replaced; one that is answered is
// ErrInUse. Closing the listener leaves the file: see Remove.
//
// The socket is made under another name, gets its mode and is then moved into
// place, so that it is never open to more people than it should be.
func Listen(path string) (*net.UnixListener, error) {
	if len(path) > maxPath {
		return nil, fmt.Errorf("%w: %s", ErrLongPath, path)
	}
	if err := os.MkdirAll(filepath.Dir(path), dirMode); err != nil {
		return nil, fmt.Errorf("control: %w", err)
	}
	if err := probe(path); err != nil {
		return nil, err
	}
	temp := path + "." + strconv.Itoa(os.Getpid())
	_ = os.Remove(temp) // from a crash of a process with our number
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: temp, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("control: %w", err)
	}
	l.SetUnlinkOnClose(false)
	err = os.Chmod(temp, socketMode)
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		_ = l.Close()
		_ = os.Remove(temp)
		return nil, fmt.Errorf("control: %w", err)
	}
	return l, nil
}

// probe finds out whether path is free or holds a socket that nobody answers.
func probe(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("control: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%w: %s", ErrNotSocket, path)
	}
	conn, err := net.DialTimeout("unix", path, probeTimeout)
	if err == nil {
		_ = conn.Close()
		return fmt.Errorf("%w: %s", ErrInUse, path)
	}
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("control: %w", err)
}

// Remove removes the socket at stop. That it is gone already is no error.
func Remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("control: %w", err)
	}
	return nil
}

//go:build linux

package main

import (
	"fmt"
	"os"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// serial is the line to the test. Its methods may be called from any goroutine.
type serial struct {
	file *os.File
	mu   sync.Mutex
}

// openSerial opens the line without the terminal's echo and editing.
func openSerial() (*serial, error) {
	// O_NONBLOCK would make of it a file of the poller, which ttys do not need.
	fd, err := unix.Open(serialPort, unix.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("guest: open %s: %w", serialPort, err)
	}
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("guest: read terminal: %w", err)
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, t); err != nil {
		return nil, fmt.Errorf("guest: set terminal: %w", err)
	}
	return &serial{file: os.NewFile(uintptr(fd), serialPort)}, nil
}

// line writes one whole line.
func (s *serial) line(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Nobody is left to be told about an error.
	_, _ = s.file.WriteString(text + "\n")
}

// reply answers a command.
func (s *serial) reply(text string, err error) {
	if err != nil {
		s.line("@@ error " + strconv.Quote(err.Error()))
		return
	}
	s.line("@@ ok " + strconv.Quote(text))
}

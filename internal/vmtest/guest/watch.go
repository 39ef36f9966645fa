//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// watch counts the files that others put into a folder by renaming, and those
// that they remove: what costs flash its life, counted without asking them.
type watch struct{ count atomic.Int64 }

// own makes a folder that belongs to a user alone, as the router's init script
// does, and counts from then on what happens in it.
func (m *machine) own(args []string) (string, error) {
	path := args[0]
	uid, err := strconv.Atoi(args[1])
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return "", err
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return "", fmt.Errorf("guest: %s: %w", path, err)
	}
	if int(st.Uid) != uid { // a read-only flash may have it from before
		if err := os.Chown(path, uid, uid); err != nil {
			return "", err
		}
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		return "", fmt.Errorf("guest: watch %s: %w", path, err)
	}
	if _, err := unix.InotifyAddWatch(fd, path, unix.IN_MOVED_TO|unix.IN_DELETE); err != nil {
		return "", fmt.Errorf("guest: watch %s: %w", path, err)
	}
	w := new(watch)
	m.watches = append(m.watches, w)
	go w.run(os.NewFile(uintptr(fd), "inotify"))
	return "", nil
}

func (w *watch) run(f *os.File) {
	buf := make([]byte, 1<<14)
	for {
		n, err := f.Read(buf)
		if err != nil {
			return // the machine ends
		}
		for b := buf[:n]; len(b) >= unix.SizeofInotifyEvent; {
			size := int(binary.NativeEndian.Uint32(b[12:]))
			name := string(bytes.TrimRight(b[unix.SizeofInotifyEvent:unix.SizeofInotifyEvent+size], "\x00"))
			b = b[unix.SizeofInotifyEvent+size:]
			// A temporary file that was given up is not counted: its content
			// need not have reached the flash.
			if !strings.HasPrefix(name, ".") && !strings.Contains(name, "~") && !strings.HasSuffix(name, ".tmp") {
				w.count.Add(1)
			}
		}
	}
}

// watched answers how many changes there were in all watched folders.
func (m *machine) watched([]string) (string, error) {
	var sum int64
	for _, w := range m.watches {
		sum += w.count.Load()
	}
	return strconv.FormatInt(sum, 10), nil
}

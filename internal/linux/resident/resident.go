//go:build linux

// Package resident gives memory back to the kernel that a daemon needed only to
// start or for something rare. It belongs to layer 4.
//
// Not its business: the heap (debug.FreeOSMemory).
package resident

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// headers is how much of the binary is read to find its program headers.
const headers = 4096

// Release unmaps the pages of the binary's code and constants from this process.
// What is needed again comes back from the page cache, some pages at a time,
// without anything being read. It returns how many bytes the pages span.
func Release() (int, error) {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return 0, err
	}
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return 0, err
	}
	head, err := readHeaders("/proc/self/exe")
	if err != nil {
		return 0, err
	}
	total := 0
	for _, m := range constants(head, maps, exe, uintptr(os.Getpagesize())) {
		// Private and never written: dropping a page loses nothing.
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, m.start, m.length, unix.MADV_DONTNEED); errno != 0 {
			return total, fmt.Errorf("resident: %w", errno)
		}
		total += int(m.length)
	}
	return total, nil
}

func readHeaders(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, headers))
}

// mapping is a range of addresses.
type mapping struct{ start, length uintptr }

// constants returns what nobody has written to of the binary exe, by its headers
// and by the lines of /proc/PID/maps, which tell where it was loaded:
//
//	00400000-00760000 r-xp 00000000 08:01 1234      /usr/sbin/ntsd
//
// That something cannot be written now does not mean that it never was: in a
// binary that may be loaded anywhere (PIE) the addresses among the constants are
// filled in when it starts, and would be lost.
func constants(head, maps []byte, exe string, page uintptr) []mapping {
	loaded, ok := loadedAt(maps, exe)
	if !ok {
		return nil
	}
	found, first := segments(head, page)
	for i := range found {
		found[i].start += loaded - first
	}
	return found
}

// loadedAt returns the lowest address of the file exe.
func loadedAt(maps []byte, exe string) (uintptr, bool) {
	for line := range bytes.Lines(maps) {
		fields := bytes.Fields(line)
		if len(fields) != 6 || string(fields[5]) != exe {
			continue
		}
		from, _, _ := bytes.Cut(fields[0], []byte("-"))
		start, err := strconv.ParseUint(string(from), 16, strconv.IntSize)
		return uintptr(start), err == nil
	}
	return 0, false
}

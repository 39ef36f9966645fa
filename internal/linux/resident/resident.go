//go:build linux

// Package resident gives memory back to the kernel that a daemon needed only to
// start or for something rare. It belongs to layer 4.
//
// Not its business: the heap (debug.FreeOSMemory).
package resident

import (
	"bytes"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// maxMappings bounds the mappings of the binary that are looked at.
const maxMappings = 16

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
	total := 0
	for _, m := range mappings(maps, exe) {
		// Private and never written: dropping a page loses nothing.
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, m.start, m.length, unix.MADV_DONTNEED); errno != 0 {
			return total, fmt.Errorf("resident: %w", errno)
		}
		total += int(m.length)
	}
	return total, nil
}

// mapping is a range of addresses.
type mapping struct{ start, length uintptr }

// mappings returns those of the file exe that cannot be written, of the lines of
// /proc/PID/maps:
//
//	00400000-00760000 r-xp 00000000 08:01 1234      /usr/sbin/ntsd
func mappings(maps []byte, exe string) []mapping {
	var found []mapping
	for line := range bytes.Lines(maps) {
		fields := bytes.Fields(line)
		if len(fields) != 6 || string(fields[5]) != exe || len(found) == maxMappings {
			continue
		}
		if mode := string(fields[1]); mode != "r-xp" && mode != "r--p" {
			continue
		}
		from, to, ok := bytes.Cut(fields[0], []byte("-"))
		start, err1 := strconv.ParseUint(string(from), 16, strconv.IntSize)
		end, err2 := strconv.ParseUint(string(to), 16, strconv.IntSize)
		if ok && err1 == nil && err2 == nil && start < end {
			found = append(found, mapping{uintptr(start), uintptr(end - start)})
		}
	}
	return found
}

//go:build linux

package store

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// FlashWrites is how many files may be written to flash within a day: that of
// a router stands some 10,000 to 100,000 erasures of a block, and should not
// end before the router does.
const FlashWrites = 8

// flashDay is what FlashWrites counts for.
const flashDay = 24 * time.Hour

// ErrFlashBudget says that a file was not written because as many were within
// a day as the flash is to stand.
var ErrFlashBudget = errors.New("store: as many writes to flash as a day may have")

// Flash counts the files written to flash. All parts of the daemon share one;
// its methods may be called from any goroutine. The zero value has seen none.
type Flash struct {
	mu    sync.Mutex
	made  [FlashWrites]time.Time // when the latest were, on the monotonic clock
	total uint64
}

// Try calls write, which writes one file, unless fewer than spare+1 writes are
// left of this day: spare is what the caller leaves to others. Then it returns
// ErrFlashBudget. A write that fails counts, too: it may have worn the flash.
func (f *Flash) Try(spare int, write func() error) error {
	if !f.count(FlashWrites - spare) {
		return fmt.Errorf("%w (%d)", ErrFlashBudget, FlashWrites)
	}
	return write()
}

// Must calls write whatever has been written before, and counts it: for what
// must not be put off, as taking a cookie out of the reserve.
func (f *Flash) Must(write func() error) error {
	f.count(FlashWrites + 1)
	return write()
}

// count counts a write if there were fewer than limit within the last day.
func (f *Flash) count(limit int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.day() >= limit {
		return false
	}
	f.made[f.total%FlashWrites] = time.Now()
	f.total++
	return true
}

// Written returns how many writes there were within the last day, of which no
// more than FlashWrites are remembered, and since the start.
func (f *Flash) Written() (day int, total uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.day(), f.total
}

func (f *Flash) day() int {
	n := 0
	for _, at := range f.made {
		if !at.IsZero() && time.Since(at) < flashDay {
			n++
		}
	}
	return n
}

//go:build linux

package store

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// At most so many files a day go to flash; what must not wait is written and
// counted all the same, and a day later there is room again.
func TestFlash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f Flash
		writes := 0
		write := func() error { writes++; return nil }
		for i := range FlashWrites {
			if err := f.Try(0, write); err != nil {
				t.Fatalf("write %d: %v", i+1, err)
			}
			time.Sleep(time.Hour)
		}
		if err := f.Try(0, write); !errors.Is(err, ErrFlashBudget) || writes != FlashWrites {
			t.Errorf("one too many: %v after %d writes, want ErrFlashBudget after %d", err, writes, FlashWrites)
		}
		if err := f.Must(write); err != nil || writes != FlashWrites+1 {
			t.Errorf("what must be: %v after %d writes", err, writes)
		}
		if day, total := f.Written(); day != FlashWrites || total != FlashWrites+1 {
			t.Errorf("written: %d, %d; want %d, %d", day, total, FlashWrites, FlashWrites+1)
		}
		time.Sleep(18 * time.Hour) // the second and the third are a day old
		if err := f.Try(2, write); !errors.Is(err, ErrFlashBudget) {
			t.Errorf("two left, both for others: %v, want ErrFlashBudget", err)
		}
		if err := f.Try(1, write); err != nil {
			t.Errorf("two left, one for others: %v", err)
		}
		full := errors.New("full")
		if err := f.Try(0, func() error { return full }); !errors.Is(err, full) {
			t.Errorf("a write that fails: %v, want its error", err)
		}
		if _, total := f.Written(); total != FlashWrites+3 {
			t.Errorf("written: %d, want %d: a failed write counts", total, FlashWrites+3)
		}
	})
}

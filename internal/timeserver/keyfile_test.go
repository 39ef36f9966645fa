package timeserver

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/nts"
	"ntsd/internal/server"
	"ntsd/internal/store"
)

// rotation returns keys of which the current one has that number.
func rotation(id uint32) server.Rotation {
	return server.Rotation{Made: clock.WallUnix(1_900_000_000, 0), Keys: []nts.CookieKey{{ID: id}}}
}

// wantKeys loads the keys and compares the number of the current one.
func wantKeys(t *testing.T, f *keyFile, id uint32, when string) {
	t.Helper()
	if r, err := f.Load(""); err != nil || r.Keys[0].ID != id {
		t.Errorf("%s: got %v, %v; want key %d", when, r.Keys, err, id)
	}
}

// The run-time folder has every key; the flash has each where they rotate
// daily, and is spared where they rotate every minute; what it misses is
// written at the stop.
func TestKeysOnFlash(t *testing.T) {
	run, state := t.TempDir(), filepath.Join(t.TempDir(), "state")
	synctest.Test(t, func(t *testing.T) {
		var flash store.Flash
		f := newKeyFile(run, state, &flash, slog.New(slog.DiscardHandler))
		if _, err := f.Load(""); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("no keys yet: got %v", err)
		}
		boot := func() *keyFile { return newKeyFile(t.TempDir(), state, &flash, f.log) }
		save := func(id uint32) {
			t.Helper()
			if err := f.Save("", rotation(id)); err != nil {
				t.Fatal(err)
			}
			wantKeys(t, f, id, "restart")
		}
		for id := range uint32(4) {
			save(id + 1)
			wantKeys(t, boot(), id+1, "boot")
			time.Sleep(24 * time.Hour)
		}
		_, before := flash.Written()
		for id := range uint32(24 * 60) {
			save(100 + id)
			time.Sleep(time.Minute)
		}
		if _, after := flash.Written(); after-before > 4 {
			t.Errorf("got %d writes to flash in a day, want at most 4", after-before)
		}
		wantKeys(t, boot(), 100+18*60, "boot after a power cut")
		f.Flush()
		wantKeys(t, boot(), 100+24*60-1, "boot after a stop")
		_, stopped := flash.Written()
		f.Flush()
		if _, again := flash.Written(); again != stopped {
			t.Error("the same keys were written twice")
		}
	})
}

// A flash that cannot be written is told of once, and the keys survive a
// restart all the same.
func TestKeysWithoutFlash(t *testing.T) {
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		f := newKeyFile(t.TempDir(), filepath.Join(blocked, "state"), new(store.Flash), slog.New(slog.NewTextHandler(&out, nil)))
		for id := range uint32(5) {
			if err := f.Save("", rotation(id+1)); err != nil {
				t.Fatal(err)
			}
			wantKeys(t, f, id+1, "restart")
			time.Sleep(24 * time.Hour)
		}
		if n := strings.Count(out.String(), "cannot be kept over a reboot"); n != 1 {
			t.Errorf("said %d times, want once:\n%s", n, out.String())
		}
	})
}

// Keys in the run-time folder that are not to be trusted give way to those on
// flash.
func TestKeysRefused(t *testing.T) {
	var out bytes.Buffer
	f := newKeyFile(t.TempDir(), t.TempDir(), new(store.Flash), slog.New(slog.NewTextHandler(&out, nil)))
	if err := f.Save("", rotation(1)); err != nil {
		t.Fatal(err)
	}
	if err := f.Save("", rotation(2)); err != nil { // only in the run-time folder
		t.Fatal(err)
	}
	if err := os.Chmod(f.run, 0o644); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, f, 1, "others may read the newer ones")
	if !strings.Contains(out.String(), "permissions too open") {
		t.Errorf("log: got %s", out.String())
	}
}

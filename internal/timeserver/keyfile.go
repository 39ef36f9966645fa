package timeserver

import (
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"time"

	"ntsd/internal/server"
	"ntsd/internal/store"
)

// keysName is the file of the cookie keys, in the run-time folder and in that
// on flash.
const keysName = "ntskeys"

// Implementation constants.
const (
	// keysRest is how long the keys on flash may be behind those in use, where
	// they rotate more often: four writes a day. A reboot by order costs none,
	// for the end of the daemon writes them.
	keysRest = 6 * time.Hour
	// flashOfOthers is what the keys leave of the day's writes to flash.
	flashOfOthers = store.FlashWrites / 2
)

// keyFile is where a server's own cookie keys are kept: in the run-time folder
// for the next start, on flash for the next boot. It belongs to one goroutine.
type keyFile struct {
	run, state string
	flash      *store.Flash
	log        *slog.Logger

	written time.Time        // the latest attempt on flash
	pending *server.Rotation // newer than on flash
	said    bool             // that flash cannot be written
}

func newKeyFile(runDir, stateDir string, flash *store.Flash, log *slog.Logger) *keyFile {
	return &keyFile{run: filepath.Join(runDir, keysName), state: filepath.Join(stateDir, keysName), flash: flash, log: log}
}

// Load reads the keys: a fleet's from path, the own ones where that is empty.
func (f *keyFile) Load(path string) (server.Rotation, error) {
	if path != "" {
		return store.LoadCookieKeys(path)
	}
	r, err := store.LoadCookieKeys(f.run)
	if err == nil {
		return r, nil
	}
	kept, onFlash := store.LoadCookieKeys(f.state)
	switch {
	case onFlash == nil:
		if !errors.Is(err, fs.ErrNotExist) {
			f.log.Warn("saved cookie keys refused, an older copy does", "reason", err, "copy", f.state)
		}
		return kept, nil
	case errors.Is(err, fs.ErrNotExist):
		return server.Rotation{}, onFlash
	}
	return server.Rotation{}, err
}

// Save writes the keys: a fleet's at each rotation; the own ones to the
// run-time folder, and to flash as often as that may be.
func (f *keyFile) Save(path string, r server.Rotation) error {
	if path != "" {
		return f.flash.Must(func() error { return store.SaveCookieKeys(path, r) })
	}
	f.pending = &r
	if f.written.IsZero() || time.Since(f.written) >= keysRest {
		f.Flush()
	}
	return store.SaveCookieKeys(f.run, r)
}

// Written returns how many files of any kind were written to flash.
func (f *keyFile) Written() (day int, total uint64) { return f.flash.Written() }

// Flush writes to flash what is not there yet. That it cannot be written is
// said once: the daemon works, but its clients will need new keys after a
// reboot.
func (f *keyFile) Flush() {
	if f.pending == nil {
		return
	}
	f.written = time.Now()
	err := f.flash.Try(flashOfOthers, func() error {
		if err := store.MakeDir(filepath.Dir(f.state), store.StateDirPerm); err != nil {
			return err
		}
		return store.SaveCookieKeys(f.state, *f.pending)
	})
	switch {
	case err == nil:
		f.pending, f.said = nil, false
	case !errors.Is(err, store.ErrFlashBudget) && !f.said:
		f.said = true
		f.log.Warn("cookie keys cannot be kept over a reboot: clients will have to establish new ones", "reason", err)
	}
}

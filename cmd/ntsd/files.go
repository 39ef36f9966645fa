package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/leaplist"
	"ntsd/internal/nts"
	"ntsd/internal/statlog"
	"ntsd/internal/store"
)

// The files of the run-time folder beside the sessions and the socket.
const (
	driftName   = "drift"
	backoffName = "backoff"
	pidName     = "ntsd.pid"
)

// files is the daemon's store: a folder that survives a restart. It belongs to
// the daemon's goroutine.
type files struct {
	dir      string
	backoffs []store.Backoff
}

// Sessions returns the saved sessions.
func (f *files) Sessions() ([]nts.Session, []error) { return store.LoadSessions(f.dir) }

// SaveSession writes keys and unused cookies.
func (f *files) SaveSession(s nts.Session) error { return store.SaveSession(f.dir, s) }

// DropSession removes a saved session.
func (f *files) DropSession(addr netip.Addr, port uint16) error {
	return store.RemoveSession(f.dir, netip.AddrPortFrom(addr, port))
}

// Drift returns the correction to start with.
func (f *files) Drift() (rate, skew clock.Rate, found bool, err error) {
	d, err := store.LoadDrift(filepath.Join(f.dir, driftName))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, 0, false, nil
	}
	return d.Correction(), d.Skew, err == nil, err
}

// SaveDrift writes the correction in force, as the frequency of the oscillator.
func (f *files) SaveDrift(rate, skew clock.Rate) error {
	return store.SaveDrift(filepath.Join(f.dir, driftName), store.Drift{Frequency: -rate, Skew: skew})
}

// Backoffs returns the saved backoffs of key establishments.
func (f *files) Backoffs() ([]event.Backoff, []error) {
	saved, err := store.LoadBackoffs(filepath.Join(f.dir, backoffName))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, []error{err}
	}
	f.backoffs = saved
	var all []event.Backoff
	for _, b := range saved {
		all = append(all, event.Backoff{
			Addr: b.KE.Addr(), Port: b.KE.Port(), Failures: int(b.Retries), NotBefore: b.NotBefore,
		})
	}
	return all, nil
}

// SaveBackoff replaces the entry of one server; without failures it removes
// it. Only failures and recoveries come here, so the file is seldom written; where
// it is full, of addresses that have long been left, the oldest entry goes.
func (f *files) SaveBackoff(b event.Backoff) error {
	ke := netip.AddrPortFrom(b.Addr, b.Port)
	f.backoffs = slices.DeleteFunc(f.backoffs, func(o store.Backoff) bool { return o.KE == ke })
	if b.Failures > 0 {
		entry := store.Backoff{KE: ke, Retries: uint16(min(b.Failures, 1<<16-1)), NotBefore: b.NotBefore}
		f.backoffs = append(f.backoffs[max(0, len(f.backoffs)+1-store.MaxBackoffs):], entry)
	}
	return store.SaveBackoffs(filepath.Join(f.dir, backoffName), f.backoffs)
}

// readLeaps reads a list of leap seconds.
func readLeaps(path string) (*leaplist.List, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe must not hold us up
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, leaplist.MaxSize+1))
	if err != nil {
		return nil, err
	}
	list, err := leaplist.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return list, nil
}

// nothing is the store of a one-shot query, which leaves no trace.
type nothing struct{}

func (nothing) Sessions() ([]nts.Session, []error)                    { return nil, nil }
func (nothing) Backoffs() ([]event.Backoff, []error)                  { return nil, nil }
func (nothing) Drift() (rate, skew clock.Rate, found bool, err error) { return 0, 0, false, nil }
func (nothing) SaveSession(nts.Session) error                         { return nil }
func (nothing) DropSession(netip.Addr, uint16) error                  { return nil }
func (nothing) SaveBackoff(event.Backoff) error                       { return nil }
func (nothing) SaveDrift(clock.Rate, clock.Rate) error                { return nil }

// openFolder opens the folder of statistics.
func openFolder(dir string) (statlog.Folder, error) {
	f, err := store.OpenFolder(dir)
	if err != nil {
		return nil, err // not a Folder that is nil
	}
	return f, nil
}

package main

import (
	"net/netip"
	"path/filepath"

	"ntsd/internal/event"
	"ntsd/internal/nts"
	"ntsd/internal/store"
)

// The files of the folder on flash beside the cookie keys.
const (
	stateName   = "state"
	reserveName = "reserve"
)

// flashOfKeys is what state and reserve leave of the day's writes to the
// cookie keys.
const flashOfKeys = 1

// flashFiles is what the daemon keeps on flash; the count is shared.
type flashFiles struct {
	dir   string
	count *store.Flash
}

// Load reads state and reserve.
func (f *flashFiles) Load() (event.Boot, []nts.Session, []error) {
	var refused []error
	s, err := store.LoadState(filepath.Join(f.dir, stateName))
	if err != nil {
		refused = append(refused, err)
	}
	reserve, err := store.LoadReserve(filepath.Join(f.dir, reserveName))
	if err != nil {
		refused = append(refused, err)
	}
	b := event.Boot{
		Time: s.Time, TimeError: s.TimeError,
		Rate: s.Drift.Correction(), Skew: s.Drift.Skew, RateKnown: s.DriftKnown,
	}
	for _, h := range s.Hosts {
		b.Hosts = append(b.Hosts, event.Host(h))
	}
	for _, o := range s.Backoffs {
		b.Backoffs = append(b.Backoffs, event.Backoff{
			Addr: o.KE.Addr(), Port: o.KE.Port(), Failures: int(o.Retries), NotBefore: o.NotBefore,
		})
	}
	return b, reserve, refused
}

// TakeReserve leaves only rest on flash.
func (f *flashFiles) TakeReserve(rest []nts.Session) error {
	return f.count.Must(func() error { return store.SaveReserve(filepath.Join(f.dir, reserveName), rest) })
}

// Persist writes the state, and the reserve if it is to be filled.
func (f *flashFiles) Persist(p event.Persist) error {
	if err := store.MakeDir(f.dir, store.StateDirPerm); err != nil {
		return err
	}
	s := store.State{
		Drift: store.Drift{Frequency: -p.State.Rate, Skew: p.State.Skew}, DriftKnown: p.State.RateKnown,
		Time: p.State.Time, TimeError: p.State.TimeError,
	}
	for _, h := range p.State.Hosts {
		s.Hosts = append(s.Hosts, store.Host(h))
	}
	for _, b := range p.State.Backoffs {
		s.Backoffs = append(s.Backoffs, store.Backoff{
			KE: netip.AddrPortFrom(b.Addr, b.Port), Retries: uint16(min(b.Failures, 1<<16-1)), NotBefore: b.NotBefore,
		})
	}
	err := f.count.Try(flashOfKeys, func() error { return store.SaveState(filepath.Join(f.dir, stateName), s) })
	if err != nil || !p.Fill {
		return err
	}
	return f.count.Try(flashOfKeys, func() error {
		return store.SaveReserve(filepath.Join(f.dir, reserveName), p.Reserve)
	})
}

// Written returns how many files were written within a day, and since the
// start.
func (f *flashFiles) Written() (day int, total uint64) { return f.count.Written() }

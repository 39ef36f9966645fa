package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"ntsd/internal/control"
	"ntsd/internal/ctl"
	"ntsd/internal/linux/cmdport"
	"ntsd/internal/store"
)

// knockEvery is how often a run-time folder that could not be used is tried again.
const knockEvery = 30 * time.Second

// door is what the daemon has in the run-time folder: the lock that keeps a second
// daemon out, and the socket by which ntsctl comes in.
type door struct {
	run      string
	pid      *store.PIDFile
	instead  *os.File     // a lock while there is no pid
	listener net.Listener // nil: the folder cannot be used yet
}

// openDoor takes the folder. Where its file system takes nothing the daemon runs
// without, since time is worth more than a socket, and only the lock must be had.
func openDoor(run string, log *slog.Logger) (*door, error) {
	d := &door{run: run}
	err := d.open()
	switch {
	case err == nil:
		return d, nil
	case !passing(err):
		d.close()
		return nil, err
	case d.pid == nil:
		var other error
		if d.instead, other = store.LockInstead(d.pidPath()); other != nil {
			return nil, advised(other)
		}
	}
	log.Error("the folder of option 'run_dir' cannot be used: until it can, ntsctl does not work and nothing is kept for a restart", "reason", err)
	return d, nil
}

func (d *door) pidPath() string { return filepath.Join(d.run, pidName) }

func (d *door) socket() string { return filepath.Join(d.run, ctl.SocketName) }

// open takes what it has not got yet.
func (d *door) open() (err error) {
	if d.pid == nil {
		if err = store.MakeDir(d.run, 0o750); err == nil {
			d.pid, err = store.LockPID(d.pidPath())
		}
		if err != nil {
			return advised(err)
		}
	}
	l, err := cmdport.ListenStream(d.socket())
	if err != nil {
		return err
	}
	d.listener = l
	return nil
}

// passing reports whether err is of a file system that is full, read-only, ill or
// not ours, which others may mend while the daemon runs.
func passing(err error) bool {
	for _, errno := range [...]syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO, syscall.EACCES, syscall.EPERM} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// advised adds what to do.
func advised(err error) error {
	var other *store.RunningError
	switch {
	case errors.As(err, &other):
		return fmt.Errorf("%w; stop that one first, or let option 'run_dir' of section 'ntsd' name another folder", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w; run as root, or let option 'run_dir' of section 'ntsd' name a folder of this user", err)
	}
	return fmt.Errorf("%w; let option 'run_dir' of section 'ntsd' name a folder that can be written", err) // read-only, full, not a folder
}

// serve lets answer whoever comes in, until ctx ends. Where the folder cannot be
// used it tries again; fail ends the daemon if another one was faster.
func (d *door) serve(ctx context.Context, answer control.Handler, log *slog.Logger, fail func(error)) {
	knock := time.NewTicker(knockEvery)
	defer knock.Stop()
	for d.listener == nil {
		select {
		case <-knock.C:
		case <-ctx.Done():
			return
		}
		switch err := d.open(); {
		case err == nil:
			log.Info("the folder of option 'run_dir' can be used again")
		case !passing(err):
			fail(err)
			return
		}
	}
	if err := control.NewServer(answer).Serve(ctx, d.listener); err != nil {
		log.Error("the control socket is closed: ntsctl does not work until the next start", "reason", err)
	}
}

// close leaves the folder to the next daemon.
func (d *door) close() {
	if d.listener != nil {
		_ = cmdport.Remove(d.socket())
	}
	if d.pid != nil {
		_ = d.pid.Close()
	}
	if d.instead != nil {
		_ = d.instead.Close()
	}
}

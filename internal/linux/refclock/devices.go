//go:build linux

// Package refclock opens and reads reference clocks: segments of shared memory,
// sockets that other programs send to, devices that stamp pulses, clocks of
// network cards. It belongs to layer 4.
//
// Each is opened for its first reading and opened again when it fails, so that
// what comes later, or goes and comes back, works. What is read is on the
// kernel's timescale and put onto ours at once.
//
// Non-goals: which measurements count (the package refclock of layer 2), and
// their bytes (refdata).
package refclock

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/refdata"
)

// retryAfter is how long a clock that cannot be opened is left alone.
const retryAfter = 10 * time.Second

// Scale puts the kernel's times onto ours.
type Scale interface {
	Read() clock.Reading
	KernelWall() clock.Wall
	MonoAt(kernelRealtime clock.Wall) clock.Mono
}

// device is an open clock.
type device interface {
	// Read returns what was measured since the last time. Seconds of 32 bits
	// are those nearest to now.
	Read(now clock.Wall) ([]measurement, error)
	Close() error
}

// measurement is one with its own error.
type measurement struct {
	refdata.Measurement
	within time.Duration
}

// Devices are the reference clocks of a daemon. They are safe for concurrent use;
// make them with New.
type Devices struct {
	scale Scale
	open  func(refdata.Spec) (device, error)

	mu    sync.Mutex
	users map[event.SourceID]*user
}

// user is one source's device.
type user struct {
	mu     sync.Mutex
	device device
	closed bool
	failed error // of the last attempt to open it
	retry  clock.Mono
}

// New returns devices of which none is open.
func New(scale Scale) *Devices { return newDevices(scale, open) }

func newDevices(scale Scale, open func(refdata.Spec) (device, error)) *Devices {
	return &Devices{scale: scale, open: open, users: make(map[event.SourceID]*user)}
}

func open(s refdata.Spec) (device, error) {
	switch s.Driver {
	case refdata.SHM:
		return openSegment(s)
	case refdata.SOCK:
		return openSocket(s)
	case refdata.PPS:
		return openPPS(s)
	case refdata.PHC:
		return openPHC(s)
	}
	return nil, fmt.Errorf("no driver %v", s.Driver)
}

// Read reads one clock.
func (d *Devices) Read(ev event.ReadClock) event.ClockRead {
	u := d.user(ev.Source)
	u.mu.Lock()
	defer u.mu.Unlock()
	done := event.ClockRead{Source: ev.Source}
	if err := d.prepare(u, ev.Spec); err != nil {
		done.Reason = reason(ev.Spec, err)
		return done
	}
	found, err := u.device.Read(d.scale.KernelWall())
	if err != nil {
		u.device.Close()
		u.device, u.failed, u.retry = nil, err, d.scale.Read().Mono.Add(retryAfter)
		done.Reason = reason(ev.Spec, err)
		return done
	}
	for _, m := range found {
		done.Measurements = append(done.Measurements, event.Measurement{
			At: d.scale.MonoAt(m.Local), True: m.True, Error: m.within, Leap: m.Leap, Pulse: m.Pulse,
		})
	}
	return done
}

func (d *Devices) user(id event.SourceID) *user {
	d.mu.Lock()
	defer d.mu.Unlock()
	u := d.users[id]
	if u == nil {
		u = &user{}
		d.users[id] = u
	}
	return u
}

// prepare opens the user's device if need be.
func (d *Devices) prepare(u *user, s refdata.Spec) error {
	if u.closed {
		return os.ErrClosed
	}
	if u.device != nil {
		return nil
	}
	now := d.scale.Read().Mono
	if u.failed != nil && now.Before(u.retry) {
		return u.failed
	}
	if u.device, u.failed = d.open(s); u.failed != nil {
		u.device, u.retry = nil, now.Add(retryAfter)
	}
	return u.failed
}

// Close ends the use of a clock.
func (d *Devices) Close(id event.SourceID) {
	d.mu.Lock()
	u := d.users[id]
	delete(d.users, id)
	d.mu.Unlock()
	if u != nil {
		u.close()
	}
}

func (u *user) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.closed = true
	if u.device != nil {
		u.device.Close()
		u.device = nil
	}
}

// CloseAll ends the use of all clocks.
func (d *Devices) CloseAll() {
	d.mu.Lock()
	users := d.users
	d.users = make(map[event.SourceID]*user)
	d.mu.Unlock()
	for _, u := range users {
		u.close()
	}
}

// reason says in one line what is wrong with a clock, always in the same words.
func reason(s refdata.Spec, err error) string {
	switch {
	case errors.Is(err, os.ErrNotExist):
		return s.String() + " is not there"
	case errors.Is(err, os.ErrPermission):
		return s.String() + " may not be opened by the user that ntsd runs as"
	case errors.Is(err, syscall.ENOTTY):
		return s.String() + " is a device or file of another kind"
	}
	return s.String() + ": " + err.Error()
}

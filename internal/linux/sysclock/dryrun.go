//go:build linux

package sysclock

import (
	"sync"
	"time"

	"ntsd/internal/clock"
)

// DryRun is the twin of Kernel that changes nothing: a virtual wall clock on
// the real CLOCK_MONOTONIC_RAW. Rates and steps apply to it alone; whoever
// else steers the kernel clock does not move it. All methods are safe for
// concurrent use. The zero value is not usable: OpenDryRun makes one.
type DryRun struct {
	calls calls

	mu     sync.Mutex
	line   clock.Line
	status Status
	day    clock.Wall // the midnight before which the leap second of status comes
}

// OpenDryRun starts a virtual clock that reads the kernel's wall time plus
// start and advances at the kernel's present frequency. It needs no privilege.
func OpenDryRun(start clock.Offset) (*DryRun, error) { return openDryRun(kernelCalls(), start) }

func openDryRun(c calls, start clock.Offset) (*DryRun, error) {
	rate, err := kernelRate(c)
	if err != nil {
		return nil, err
	}
	at := readPair(c)
	at.Wall = at.Wall.Add(start.Duration())
	return &DryRun{calls: c, line: clock.Line{At: at, Rate: rate}}, nil
}

// Close does nothing: there is nothing to leave behind.
func (d *DryRun) Close() error { return nil }

// Read returns the local time and the virtual wall time, exactly at one
// instant.
func (d *DryRun) Read() clock.Reading {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.leap()
	m := d.calls.mono()
	return clock.Reading{Mono: m, Wall: d.line.WallAt(m)}
}

// leap makes the leap second that SetStatus armed, as the kernel would.
func (d *DryRun) leap() {
	m := d.calls.mono()
	w := d.line.WallAt(m)
	switch {
	case d.status.Leap == LeapInsert && w >= d.day:
		d.line.At.Wall = d.line.At.Wall.Add(-time.Second)
	case d.status.Leap == LeapDelete && w >= d.day.Add(-time.Second):
		d.line.At.Wall = d.line.At.Wall.Add(time.Second)
	default:
		return
	}
	d.status.Leap = LeapNone
}

// KernelWall returns the kernel's CLOCK_REALTIME, not the virtual one: the
// scale of socket timestamps.
func (d *DryRun) KernelWall() clock.Wall { return d.calls.wall() }

// Rate returns the correction in force on the virtual clock.
func (d *DryRun) Rate() (clock.Rate, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.line.Rate, nil
}

// SetRate rounds and limits r as the kernel would and applies it from now on.
func (d *DryRun) SetRate(r clock.Rate) (clock.Rate, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.line = d.line.From(d.calls.mono())
	d.line.Rate = joinRate(splitRate(r))
	return d.line.Rate, nil
}

// Step adds o to the virtual clock.
func (d *DryRun) Step(o clock.Offset) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.line = d.line.From(d.calls.mono())
	d.line.At.Wall = d.line.At.Wall.Add(o.Duration())
	return nil
}

// SetStatus keeps s, for Status.
func (d *DryRun) SetStatus(s Status) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.leap()
	d.status, d.day = s, d.line.WallAt(d.calls.mono()).Midnight()
	return nil
}

// Status returns what SetStatus was last told.
func (d *DryRun) Status() Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.status
}

// MonoAt returns the local time of a socket timestamp, which is on the kernel's
// scale and at most some seconds old. The kernel's frequency is read each
// time: somebody else may be steering that clock.
func (d *DryRun) MonoAt(kernelRealtime clock.Wall) clock.Mono {
	rate, _ := kernelRate(d.calls) // 0 when unreadable: some us of error
	return clock.Line{At: readPair(d.calls), Rate: rate}.MonoAt(kernelRealtime)
}

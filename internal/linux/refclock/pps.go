//go:build linux

package refclock

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"ntsd/internal/clock"
	"ntsd/internal/refdata"
)

// Modes of the kernel's pulse devices (linux/pps.h).
const (
	captureAssert = 0x01
	captureClear  = 0x02
	ppsAPI        = 1
)

// pps is /dev/ppsN.
type pps struct {
	kernel pulses
	clear  bool
	last   uint32 // number of the pulse that was taken last
}

// pulses is the door to the kernel; tests put a device of their own behind it.
type pulses interface {
	Capabilities() (mode int32, err error)
	Parameters() (unix.PPSKParams, error)
	SetParameters(unix.PPSKParams) error
	Fetch() (unix.PPSKInfo, error)
	Close() error
}

func openPPS(s refdata.Spec) (device, error) {
	f, err := os.OpenFile(s.Path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	p, err := newPPS(&ppsFile{f}, s.Clear)
	if err != nil {
		f.Close()
		return nil, err
	}
	return p, nil
}

// newPPS has the edge captured that is wanted, and leaves the rest as it is.
func newPPS(k pulses, clear bool) (*pps, error) {
	able, err := k.Capabilities()
	if err != nil {
		return nil, fmt.Errorf("what it can: %w", err)
	}
	edge := int32(captureAssert)
	if clear {
		edge = captureClear
	}
	if able&edge == 0 {
		return nil, errors.New("it cannot stamp that edge of the pulses")
	}
	params, err := k.Parameters()
	if err != nil {
		return nil, fmt.Errorf("its parameters: %w", err)
	}
	if params.Mode&edge == 0 {
		params.Api_version = ppsAPI
		params.Mode |= edge
		if err := k.SetParameters(params); err != nil {
			return nil, fmt.Errorf("set its parameters: %w", err)
		}
	}
	return &pps{kernel: k, clear: clear}, nil
}

// Read returns the latest pulse.
func (p *pps) Read(clock.Wall) ([]measurement, error) {
	info, err := p.kernel.Fetch()
	if err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	n, at := info.Assert_sequence, info.Assert_tu
	if p.clear {
		n, at = info.Clear_sequence, info.Clear_tu
	}
	if n == p.last || at.Sec == 0 && at.Nsec == 0 {
		return nil, nil
	}
	p.last = n
	return []measurement{{Measurement: refdata.Measurement{Local: clock.WallUnix(at.Sec, int64(at.Nsec)), Pulse: true}}}, nil
}

// Close closes the device.
func (p *pps) Close() error { return p.kernel.Close() }

// ppsFile is the kernel's device.
type ppsFile struct{ *os.File }

func (f *ppsFile) ioctl(request uint, arg unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), uintptr(request), uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}

func (f *ppsFile) Capabilities() (mode int32, err error) {
	return mode, f.ioctl(unix.PPS_GETCAP, unsafe.Pointer(&mode))
}

func (f *ppsFile) Parameters() (p unix.PPSKParams, err error) {
	return p, f.ioctl(unix.PPS_GETPARAMS, unsafe.Pointer(&p))
}

func (f *ppsFile) SetParameters(p unix.PPSKParams) error {
	return f.ioctl(unix.PPS_SETPARAMS, unsafe.Pointer(&p))
}

// Fetch does not wait: a timeout of zero is none.
func (f *ppsFile) Fetch() (unix.PPSKInfo, error) {
	var data unix.PPSFData
	err := f.ioctl(unix.PPS_FETCH, unsafe.Pointer(&data))
	return data.Info, err
}

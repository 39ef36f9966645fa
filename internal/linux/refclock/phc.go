//go:build linux

package refclock

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ntsd/internal/clock"
	"ntsd/internal/refdata"
)

// phcReadings are made at a time; that with the shortest window counts.
const phcReadings = 25

// phc is /dev/ptpN.
type phc struct {
	kernel hardware
	simple bool // precise cross timestamping is not wanted, or not offered
}

// hardware is the door to the kernel; tests put a device of their own behind it.
type hardware interface {
	// Precise reads both clocks at one instant, where the hardware can.
	Precise() (card, system clock.Wall, err error)
	// Windows reads the card's clock between two readings of the system's.
	Windows(n int) ([]window, error)
	Close() error
}

type window struct{ before, card, after clock.Wall }

func openPHC(s refdata.Spec) (device, error) {
	path := s.Path
	if !strings.HasPrefix(path, "/") {
		var err error
		if path, err = clockOf(path); err != nil {
			return nil, err
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &phc{kernel: &ptpFile{f}, simple: s.Simple}, nil
}

// clockOf returns the device of an interface's clock.
func clockOf(name string) (string, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	info, err := unix.IoctlGetEthtoolTsInfo(fd, name)
	if err != nil {
		return "", fmt.Errorf("what the card can: %w", err)
	}
	if info.Phc_index < 0 {
		return "", errors.New("the card has no clock")
	}
	return fmt.Sprintf("/dev/ptp%d", info.Phc_index), nil
}

// Read reads the card's clock beside the system's.
func (p *phc) Read(clock.Wall) ([]measurement, error) {
	if !p.simple {
		card, system, err := p.kernel.Precise()
		if err == nil {
			return []measurement{{Measurement: refdata.Measurement{Local: system, True: card}}}, nil
		}
		if errors.Is(err, unix.ENODEV) { // it was unplugged
			return nil, fmt.Errorf("read: %w", err)
		}
		p.simple = true
	}
	ws, err := p.kernel.Windows(phcReadings)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	best := -1
	width := func(i int) time.Duration { return ws[i].after.Sub(ws[i].before).Duration() }
	for i := range ws {
		// Negative where the system's clock was stepped meanwhile.
		if width(i) >= 0 && (best < 0 || width(i) < width(best)) {
			best = i
		}
	}
	if best < 0 {
		return nil, nil
	}
	half := width(best) / 2
	return []measurement{{
		Measurement: refdata.Measurement{Local: ws[best].before.Add(half), True: ws[best].card}, within: half,
	}}, nil
}

// Close closes the device.
func (p *phc) Close() error { return p.kernel.Close() }

// ptpFile is the kernel's device.
type ptpFile struct{ *os.File }

func ptpTime(t unix.PtpClockTime) clock.Wall { return clock.WallUnix(t.Sec, int64(t.Nsec)) }

func (f *ptpFile) Precise() (card, system clock.Wall, err error) {
	x, err := unix.IoctlPtpSysOffsetPrecise(int(f.Fd()))
	if err != nil {
		return 0, 0, err
	}
	return ptpTime(x.Device), ptpTime(x.Realtime), nil
}

func (f *ptpFile) Windows(n int) ([]window, error) {
	all, err := unix.IoctlPtpSysOffsetExtended(int(f.Fd()), uint(n))
	if err != nil {
		return nil, err
	}
	ws := make([]window, 0, n)
	for i := range min(n, len(all.Ts)) {
		t := &all.Ts[i]
		ws = append(ws, window{ptpTime(t[0]), ptpTime(t[1]), ptpTime(t[2])})
	}
	return ws, nil
}

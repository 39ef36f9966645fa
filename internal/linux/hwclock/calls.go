//go:build linux

package hwclock

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ntsd/internal/clock"
)

// calls is the door to the kernel; tests put devices of their own behind it.
type calls struct {
	able    func(name string) (ability, error)
	current func(name string) (config, error)
	enable  func(name string, filter int32) error
	openPHC func(index int32) (device, error)
	speed   func(name string) int64 // bits per second; 0: unknown
}

// ability is what a card can do (ethtool -T).
type ability struct {
	flags  uint32 // SOF_TIMESTAMPING_*
	tx, rx uint32 // bits: HWTSTAMP_TX_*, HWTSTAMP_FILTER_*
	phc    int32  // number of its clock; negative: none
}

// filter is what to ask of the card: stamps on all that comes, or on NTP.
func (a *ability) filter() int32 {
	if a.rx&(1<<unix.HWTSTAMP_FILTER_ALL) == 0 && a.rx&(1<<unix.HWTSTAMP_FILTER_NTP_ALL) != 0 {
		return unix.HWTSTAMP_FILTER_NTP_ALL
	}
	return unix.HWTSTAMP_FILTER_ALL
}

// stamps reports whether the card can stamp NTP's packets both ways. Cards that
// stamp PTP only are many.
func (a *ability) stamps() bool {
	const flags = unix.SOF_TIMESTAMPING_TX_HARDWARE | unix.SOF_TIMESTAMPING_RX_HARDWARE | unix.SOF_TIMESTAMPING_RAW_HARDWARE
	return a.flags&flags == flags && a.tx&(1<<unix.HWTSTAMP_TX_ON) != 0 && a.rx&(1<<a.filter()) != 0
}

// config is what a card is doing.
type config struct{ tx, rx int32 }

// all reports whether NTP's packets are stamped already, for others: then
// nothing is changed.
func (c config) all() bool {
	return c.tx == unix.HWTSTAMP_TX_ON && (c.rx == unix.HWTSTAMP_FILTER_ALL || c.rx == unix.HWTSTAMP_FILTER_NTP_ALL)
}

func kernelCalls() calls {
	return calls{able: able, current: current, enable: enable, openPHC: openPHC, speed: speed}
}

// socket runs f with a socket to ask through.
func socket(f func(fd int) error) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return f(fd)
}

func able(name string) (a ability, err error) {
	err = socket(func(fd int) error {
		info, err := unix.IoctlGetEthtoolTsInfo(fd, name)
		if err != nil {
			return err
		}
		a = ability{flags: info.So_timestamping, tx: info.Tx_types, rx: info.Rx_filters, phc: info.Phc_index}
		return nil
	})
	return a, err
}

func current(name string) (c config, err error) {
	err = socket(func(fd int) error {
		now, err := unix.IoctlGetHwTstamp(fd, name)
		if err != nil {
			return err
		}
		c = config{now.Tx_type, now.Rx_filter}
		return nil
	})
	return c, err
}

func enable(name string, filter int32) error {
	return socket(func(fd int) error {
		return unix.IoctlSetHwTstamp(fd, name, &unix.HwTstampConfig{Tx_type: unix.HWTSTAMP_TX_ON, Rx_filter: filter})
	})
}

// speed reads the link's speed from sysfs, which has it in Mb/s.
func speed(name string) int64 {
	text, err := os.ReadFile(filepath.Join("/sys/class/net", filepath.Base(name), "speed"))
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 32)
	if err != nil || n <= 0 {
		return 0
	}
	return n * 1e6
}

// ptp is /dev/ptpN.
type ptp struct{ f *os.File }

func openPHC(index int32) (device, error) {
	f, err := os.Open(fmt.Sprintf("/dev/ptp%d", index))
	if err != nil {
		return nil, err
	}
	return &ptp{f}, nil
}

// Close closes the device.
func (p *ptp) Close() error { return p.f.Close() }

// Read reads the clocks n times (Linux 5.0).
func (p *ptp) Read(n int) ([]reading, error) {
	all, err := unix.IoctlPtpSysOffsetExtended(int(p.f.Fd()), uint(n))
	if err != nil {
		return nil, err
	}
	rs := make([]reading, 0, n)
	for i := range min(n, len(all.Ts)) {
		t := all.Ts[i]
		rs = append(rs, reading{
			before: clock.WallUnix(t[0].Sec, int64(t[0].Nsec)), after: clock.WallUnix(t[2].Sec, int64(t[2].Nsec)),
			card: Time(t[1].Sec*1e9 + int64(t[1].Nsec)),
		})
	}
	return rs, nil
}

//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Where things are in the machine.
const (
	flashDevice = "/dev/vda"
	flashFolder = "/etc" // as on OpenWrt, where it is what remains of the overlay
	modules     = "/modules/*.ko"
)

// mountKernel mounts what the kernel itself provides.
func mountKernel() error {
	for _, m := range []struct{ source, target, kind string }{
		{"proc", "/proc", "proc"},
		{"sysfs", "/sys", "sysfs"},
		{"devtmpfs", "/dev", "devtmpfs"},
		{"tmpfs", "/tmp", "tmpfs"},
		{"tmpfs", "/var", "tmpfs"},
	} {
		if err := os.MkdirAll(m.target, 0o755); err != nil {
			return fmt.Errorf("guest: %w", err)
		}
		if err := unix.Mount(m.source, m.target, m.kind, 0, ""); err != nil {
			return fmt.Errorf("guest: mount %s: %w", m.target, err)
		}
	}
	if err := os.MkdirAll("/var/run", 0o755); err != nil {
		return fmt.Errorf("guest: %w", err)
	}
	return nil
}

// setUp loads the drivers and mounts the flash.
func setUp() error {
	// Only what is broken may come between our lines.
	if err := os.WriteFile("/proc/sys/kernel/printk", []byte("1"), 0o644); err != nil {
		return fmt.Errorf("guest: %w", err)
	}
	paths, err := filepath.Glob(modules)
	if err != nil {
		return fmt.Errorf("guest: %w", err)
	}
	for _, path := range paths {
		if err := loadModule(path); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(flashFolder, 0o755); err != nil {
		return fmt.Errorf("guest: %w", err)
	}
	if err := unix.Mount(flashDevice, flashFolder, "ext4", unix.MS_NOATIME, ""); err != nil {
		return fmt.Errorf("guest: mount %s: %w", flashFolder, err)
	}
	if err := link("lo", true); err != nil {
		return fmt.Errorf("guest: lo up: %w", err)
	}
	return nil
}

func loadModule(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("guest: %w", err)
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil {
		return fmt.Errorf("guest: load %s: %w", path, err)
	}
	return nil
}

// The network of qemu's "user" device (its manual, section Network emulation).
const (
	ownAddr = "\x0a\x00\x02\x0f" // 10.0.2.15
	gateway = "\x0a\x00\x02\x02"
	netmask = "\xff\xff\xff\x00"
)

// link switches a network interface.
func link(name string, up bool) error {
	return withSocket(func(fd int) error {
		req, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, req); err != nil {
			return err
		}
		flags := req.Uint16() &^ unix.IFF_UP
		if up {
			flags |= unix.IFF_UP
		}
		req.SetUint16(flags)
		return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req)
	})
}

// plugIn gives the machine its address and its way out. It answers the uptime.
func plugIn([]string) (string, error) {
	const name = "eth0"
	err := withSocket(func(fd int) error {
		for _, set := range []struct {
			request uint
			value   string
		}{{unix.SIOCSIFADDR, ownAddr}, {unix.SIOCSIFNETMASK, netmask}} {
			req, err := unix.NewIfreq(name)
			if err != nil {
				return err
			}
			if err := req.SetInet4Addr([]byte(set.value)); err != nil {
				return err
			}
			if err := unix.IoctlIfreq(fd, set.request, req); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("guest: set address: %w", err)
	}
	if err := link(name, true); err != nil {
		return "", fmt.Errorf("guest: %s up: %w", name, err)
	}
	if err := withSocket(addDefaultRoute); err != nil {
		return "", err
	}
	return uptime()
}

// rtentry is the kernel's struct of that name (uapi/linux/route.h); a C long
// is as wide as a pointer.
type rtentry struct {
	_               uintptr
	dst, gate, mask unix.RawSockaddrInet4
	flags           uint16
	_               int16
	_, _            uintptr
	metric          int16
	device          uintptr
	mtu, window     uintptr
	irtt            uint16
}

func addDefaultRoute(fd int) error {
	rt := rtentry{flags: unix.RTF_UP | unix.RTF_GATEWAY}
	for _, a := range []*unix.RawSockaddrInet4{&rt.dst, &rt.gate, &rt.mask} {
		a.Family = unix.AF_INET
	}
	copy(rt.gate.Addr[:], gateway)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCADDRT, uintptr(unsafe.Pointer(&rt)))
	if errno != 0 && errno != unix.EEXIST {
		return fmt.Errorf("guest: add route: %w", errno)
	}
	return nil
}

// withSocket gives f a socket to speak about interfaces with.
func withSocket(f func(fd int) error) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return f(fd)
}

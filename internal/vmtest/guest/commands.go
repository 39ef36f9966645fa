//go:build linux

package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// machine is what the commands work on. It belongs to the main goroutine.
type machine struct {
	port     *serial
	programs map[string]*program // by name, those that run beside us
	watches  []*watch
}

// glance is how often a state that is waited for is looked at.
const glance = 10 * time.Millisecond

var errUsage = errors.New("guest: wrong number of words")

// do carries out one command and returns the text of the answer.
func (m *machine) do(verb string, args []string) (string, error) {
	commands := map[string]struct {
		args int // how many at least
		do   func(args []string) (string, error)
	}{
		"clock":      {0, readClock},        // answers SECONDS.NANOSECONDS
		"await":      {1, awaitSync},        // SECONDS: until the clock is synchronised; answers the uptime
		"set":        {1, setClock},         // SECONDS since 1970
		"sysfixtime": {0, sysFixTime},       // as OpenWrt's script of that name
		"timex":      {0, readTimex},        // what the kernel says about its clock
		"tick":       {1, setTick},          // MICROSECONDS: 10001 is an oscillator 100 ppm fast
		"net":        {0, plugIn},           // the cable is plugged in; answers the uptime
		"own":        {2, m.own},            // PATH UID: a folder of that user, whose changes are counted
		"watched":    {0, m.watched},        // answers how many there were
		"run":        {1, m.run},            // PROGRAM ARGUMENT...: answers what it prints
		"start":      {2, m.start},          // NAME PROGRAM ARGUMENT...: runs beside us; answers the uptime
		"stop":       {1, m.stop},           // NAME: asked to end, and waited for
		"read":       {1, readFile},         // PATH: answers its base64
		"list":       {1, listFolder},       // PATH: answers "NAME MODE SIZE" lines
		"write":      {2, writeFile},        // PATH BASE64
		"fill":       {1, fillDisk},         // PATH: a file as large as there is room
		"remount":    {1, remount},          // ro or rw: the flash
		"poweroff":   {0, m.powerOffInTime}, // never answers
	}
	c, ok := commands[verb]
	switch {
	case !ok:
		return "", fmt.Errorf("guest: unknown command %q", verb)
	case len(args) < c.args:
		return "", errUsage
	}
	return c.do(args)
}

func readClock([]string) (string, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &t); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d.%09d", t.Sec, t.Nsec), nil
}

func setClock(args []string) (string, error) {
	sec, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil {
		return "", err
	}
	return "", setTime(time.Unix(sec, 0))
}

// sysFixTime moves the clock forward to the newest time of a file on the flash.
func sysFixTime([]string) (string, error) {
	var newest time.Time
	err := filepath.WalkDir(flashFolder, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		fi, err := d.Info()
		if err == nil && fi.ModTime().After(newest) {
			newest = fi.ModTime()
		}
		return err
	})
	if err != nil {
		return "", err
	}
	if newest.After(time.Now()) {
		err = setTime(newest)
	}
	return strconv.FormatInt(newest.Unix(), 10), err
}

func readTimex([]string) (string, error) {
	var t unix.Timex // no modes: nothing changes
	state, err := unix.ClockAdjtime(unix.CLOCK_REALTIME, &t)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("state %d status %d tick %d freq %d maxerror %d esterror %d tai %d offset %d",
		state, t.Status, t.Tick, t.Freq, t.Maxerror, t.Esterror, t.Tai, t.Offset), nil
}

func setTick(args []string) (string, error) {
	tick, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil {
		return "", err
	}
	t := unix.Timex{Modes: unix.ADJ_TICK}
	assign(&t.Tick, tick)
	_, err = unix.ClockAdjtime(unix.CLOCK_REALTIME, &t)
	return "", err
}

// assign sets a C long, which has another type on 32-bit machines.
func assign[T int32 | int64](long *T, v int64) { *long = T(v) }

// awaitSync waits until the kernel's clock counts as synchronised.
func awaitSync(args []string) (string, error) {
	limit, err := strconv.Atoi(args[0])
	if err != nil {
		return "", err
	}
	for range time.Duration(limit) * time.Second / glance {
		var t unix.Timex
		if _, err := unix.ClockAdjtime(unix.CLOCK_REALTIME, &t); err != nil {
			return "", err
		}
		if t.Status&unix.STA_UNSYNC == 0 {
			return uptime()
		}
		time.Sleep(glance)
	}
	return "", fmt.Errorf("guest: not synchronised after %d s", limit)
}

// uptime answers the seconds since the machine was started.
func uptime() (string, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d.%09d", t.Sec, t.Nsec), nil
}

func readFile(args []string) (string, error) {
	data, err := os.ReadFile(args[0])
	return base64.StdEncoding.EncodeToString(data), err
}

func listFolder(args []string) (string, error) {
	entries, err := os.ReadDir(args[0])
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, e := range entries {
		if fi, err := e.Info(); err == nil {
			fmt.Fprintf(&b, "%s %v %d\n", e.Name(), fi.Mode(), fi.Size())
		}
	}
	return b.String(), nil
}

func writeFile(args []string) (string, error) {
	data, err := base64.StdEncoding.DecodeString(args[1])
	if err != nil {
		return "", err
	}
	return "", os.WriteFile(args[0], data, 0o644)
}

// fillDisk writes until nothing fits any more.
func fillDisk(args []string) (string, error) {
	f, err := os.Create(args[0])
	if err != nil {
		return "", err
	}
	defer f.Close()
	for size := 1 << 16; size > 0; {
		_, err := f.Write(make([]byte, size))
		switch {
		case errors.Is(err, unix.ENOSPC):
			size /= 2
		case err != nil:
			return "", err
		}
	}
	return "", f.Sync()
}

func remount(args []string) (string, error) {
	flags := uintptr(unix.MS_REMOUNT | unix.MS_NOATIME)
	if args[0] == "ro" {
		flags |= unix.MS_RDONLY
	}
	return "", unix.Mount(flashDevice, flashFolder, "ext4", flags, "")
}

// powerOffInTime ends all programs as a router does on reboot.
func (m *machine) powerOffInTime([]string) (string, error) {
	for name := range m.programs {
		_, _ = m.stop([]string{name}) // on the way down nothing can be done about it
	}
	_ = unix.Mount(flashDevice, flashFolder, "ext4", unix.MS_REMOUNT|unix.MS_RDONLY, "")
	powerOff()
	return "", nil
}

// Package refdata is what reference clocks look like from outside: how one is
// named in a configuration, and the bytes in which other programs hand over what
// they measured (the shared memory segment of ntpd's driver 28, chrony's datagram).
// It is layer 1: bytes to values, no I/O.
//
// Non-goals: what is made of the values (package refclock), devices and segments
// themselves (linux/refclock).
package refdata

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrSpec is what every refused parameter wraps.
var ErrSpec = errors.New("refdata: bad parameter")

// Driver is a kind of reference clock.
type Driver uint8

// The drivers.
const (
	SHM  Driver = iota + 1 // a segment of shared memory
	SOCK                   // a datagram socket
	PPS                    // a device of the kernel's that stamps pulses
	PHC                    // a hardware clock of a network card
)

// String is the name of the driver in configurations.
func (d Driver) String() string {
	if d < SHM || d > PHC {
		return "driver " + strconv.Itoa(int(d))
	}
	return [...]string{"SHM", "SOCK", "PPS", "PHC"}[d-SHM]
}

// Limits of a parameter.
const (
	maxUnit = 255
	maxPath = 107 // of a socket's address, and enough for a device
)

// Spec says which clock to read, and how. It is comparable.
type Spec struct {
	Driver Driver
	Unit   int    // SHM: number of the segment
	Perm   uint32 // SHM: permissions of a segment that is made
	Time32 bool   // SHM: a segment that is made has seconds of 32 bits
	Path   string // of the socket or device; PHC: or the name of a network interface
	Clear  bool   // PPS: falling edges
	// Simple leaves out precise cross timestamping. PHC.
	Simple bool
}

// ParseSpec reads a driver's name and its parameter, options appended with
// colons as chrony has it: "0:perm=0644", "/dev/pps0:clear".
func ParseSpec(driver, parameter string) (Spec, error) {
	what, rest, more := strings.Cut(parameter, ":")
	s := Spec{Path: what}
	for d := SHM; d <= PHC; d++ {
		if d.String() == driver {
			s.Driver = d
		}
	}
	switch {
	case s.Driver == 0:
		return Spec{}, fmt.Errorf("%w: no driver %q", ErrSpec, driver)
	case s.Driver == SHM:
		n, err := strconv.ParseUint(what, 10, 32)
		if err != nil || n > maxUnit {
			return Spec{}, fmt.Errorf("%w: %q is no number from 0 to %d", ErrSpec, what, maxUnit)
		}
		s.Path, s.Unit, s.Perm = "", int(n), 0o600
	case what == "" || len(what) > maxPath || what[0] != '/' && (s.Driver != PHC || strings.Contains(what, "/")):
		return Spec{}, fmt.Errorf("%w: %q is no absolute path", ErrSpec, what)
	}
	for more {
		var option string
		option, rest, more = strings.Cut(rest, ":")
		if name, _, _ := strings.Cut(option, "="); s.Driver == PHC && (name == "extpps" || name == "pin" || name == "channel") {
			return Spec{}, fmt.Errorf("%w: pulses at a pin of the card (%s) are not offered", ErrSpec, name)
		}
		if !s.option(option) {
			return Spec{}, fmt.Errorf("%w: driver %s has no option %q", ErrSpec, driver, option)
		}
	}
	return s, nil
}

// option takes one of the driver's own options; false: it has none such.
func (s *Spec) option(text string) bool {
	name, value, _ := strings.Cut(text, "=")
	switch {
	case s.Driver == SHM && name == "perm":
		n, err := strconv.ParseUint(value, 8, 9)
		s.Perm = uint32(n)
		return err == nil
	case s.Driver == SHM && text == "time32":
		s.Time32 = true
	case s.Driver == PPS && text == "clear":
		s.Clear = true
	case s.Driver == PHC && text == "nocrossts":
		s.Simple = true
	default:
		return false
	}
	return true
}

// String is the clock as people know it: "SHM 0", "PPS /dev/pps0".
func (s Spec) String() string {
	if s.Driver == SHM {
		return "SHM " + strconv.Itoa(s.Unit)
	}
	return s.Driver.String() + " " + s.Path
}

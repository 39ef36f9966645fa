//go:build linux

package sysclock

import (
	"errors"
	"sync"
	"syscall"
	"time"

	"ntsd/internal/clock"
)

// Kernel is the system clock. All methods are safe for concurrent use; one
// goroutine should steer. The zero value is not usable: Open makes one.
type Kernel struct {
	calls calls

	mu   sync.Mutex
	rate clock.Rate // in force
	past history
}

// Open takes over the kernel clock: it reads the frequency in force, which
// stays, and switches off whatever else steers the clock inside the kernel
// (PLL, FLL, PPS, an unfinished adjtime). It needs CAP_SYS_TIME.
func Open() (*Kernel, error) { return open(kernelCalls()) }

func open(c calls) (*Kernel, error) {
	t := timex{}
	if err := c.adjtime(&t); err != nil {
		return nil, &OpError{"read kernel clock", err}
	}
	k := &Kernel{calls: c, rate: joinRate(t.tick, t.freq)}
	// A synchronised kernel stays so over a restart: it ages its error bound
	// by itself. A leap second armed by a daemon that died does not fire.
	rest := t.status & staUnsync
	for _, t := range []timex{
		{modes: adjSingleshot},                                // an unfinished adjtime(3)
		{modes: adjStatus | adjOffset, status: staPLL | rest}, // what the PLL still had to slew
		{modes: adjStatus, status: rest},                      // PLL, FLL and PPS off
	} {
		if err := c.adjtime(&t); err != nil {
			return nil, &OpError{"take over kernel clock", err}
		}
	}
	return k, nil
}

// Close leaves the clock running at its frequency. The kernel goes on ageing
// the error bound, and says "unsynchronised" when it has grown too large.
func (k *Kernel) Close() error { return nil }

// Read returns the kernel's two clocks at one instant.
func (k *Kernel) Read() clock.Reading { return readPair(k.calls) }

// KernelWall returns CLOCK_REALTIME alone: the scale of socket timestamps.
func (k *Kernel) KernelWall() clock.Wall { return k.calls.wall() }

// Rate returns the frequency correction in force, as the kernel has it.
func (k *Kernel) Rate() (clock.Rate, error) { return kernelRate(k.calls) }

// SetRate makes the wall clock advance 1+r seconds per second of Mono from now
// on, and returns what was really set: r rounded to 2^-16 ppm, at most MaxRate.
func (k *Kernel) SetRate(r clock.Rate) (clock.Rate, error) {
	tick, freq := splitRate(r)
	k.mu.Lock()
	defer k.mu.Unlock()
	ends := clock.Line{At: readPair(k.calls), Rate: k.rate}
	if err := k.calls.adjtime(&timex{modes: adjFrequency | adjTick, tick: tick, freq: freq}); err != nil {
		return k.rate, &OpError{"set rate", err}
	}
	k.rate = joinRate(tick, freq)
	k.past.add(ends)
	return k.rate, nil
}

// Step adds o to the wall clock at once. The kernel forgets its status with a
// step and calls itself unsynchronised: SetStatus follows.
func (k *Kernel) Step(o clock.Offset) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	ends := clock.Line{At: readPair(k.calls), Rate: k.rate}
	sec, nsec := clock.Wall(o).Unix() // tv_usec may not be negative: rounds down
	err := k.calls.adjtime(&timex{modes: adjSetOffset | adjNano, sec: sec, frac: nsec})
	if unsupported(err) {
		// Before Linux 2.6.39, and where an emulator knows no SETOFFSET. A
		// little is lost between the reading and the setting.
		err = k.calls.settime(k.calls.wall().Add(o.Duration()))
	}
	if err != nil {
		return &OpError{"step clock", err}
	}
	k.past.add(ends)
	return nil
}

// unsupported tells errors for which another call may do from final ones.
func unsupported(err error) bool {
	return errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.EOVERFLOW)
}

// SetStatus tells the kernel, and so everybody who asks it, how good its clock
// is. A bound above 16 s says "unsynchronised" whatever s says: the kernel
// itself holds no more.
func (k *Kernel) SetStatus(s Status) error {
	t := timex{
		modes:    adjStatus | adjMaxError | adjEstError,
		maxError: errorMicros(s.MaxError),
		estError: errorMicros(s.EstError),
	}
	if !s.Synchronised || t.maxError >= maxErrorMicros {
		t.status |= staUnsync
	}
	switch s.Leap {
	case LeapInsert:
		t.status |= staIns
	case LeapDelete:
		t.status |= staDel
	case LeapNone:
	}
	if s.TAI != 0 {
		t.modes |= adjTAI
		t.constant = int64(s.TAI)
	}
	if err := k.calls.adjtime(&t); err != nil {
		return &OpError{"set status", err}
	}
	return nil
}

// errorMicros returns d in the kernel's microseconds, rounded up so that a
// bound stays one, and limited to what the kernel takes.
func errorMicros(d time.Duration) int64 {
	if d >= maxErrorMicros*time.Microsecond {
		return maxErrorMicros
	}
	return int64((max(d, 0) + time.Microsecond - 1) / time.Microsecond)
}

// MonoAt returns the local time of a socket timestamp, which is at most some
// seconds old, by the rate that was in force when it was taken. After a step
// back, a stamp from before it may read as one from after it; to leave no
// doubt, convert stamps as soon as they are read.
func (k *Kernel) MonoAt(kernelRealtime clock.Wall) clock.Mono {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.past.monoAt(clock.Line{At: readPair(k.calls), Rate: k.rate}, kernelRealtime)
}

// kernelRate reads tick and freq; it needs no privilege.
func kernelRate(c calls) (clock.Rate, error) {
	t := timex{}
	if err := c.adjtime(&t); err != nil {
		return 0, &OpError{"read rate", err}
	}
	return joinRate(t.tick, t.freq), nil
}

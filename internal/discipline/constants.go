package discipline

import (
	"time"

	"ntsd/internal/clock"
)

// Implementation constants, each with its reason.
const (
	// defaultMaxSlew is chrony's default maxslewrate: a second in 12 s.
	defaultMaxSlew clock.Rate = 83333e-6
	// largestMaxSlew keeps slew and frequency together within the ten percent
	// that the kernel's tick allows.
	largestMaxSlew clock.Rate = 95000e-6
	// maxFrequency bounds what an oscillator can be off: crystals stay below
	// 200 ppm, and the kernel's own limit without the tick is 500 ppm.
	maxFrequency clock.Rate = 500e-6

	// shortSlew and longSlew: a correction is spread over an eighth (slewShare)
	// of the update interval, within these bounds. Longer, and the error that is
	// already known lives on; shorter, and others who measure the rate see it.
	shortSlew  = time.Second
	longSlew   = 8 * time.Second
	slewShare  = 8
	negligible = 20 * time.Nanosecond
	// longestLeg is when a slew that takes years is looked at again.
	longestLeg = 24 * time.Hour
	// lastLeg: below it a wake-up that is 10 ms late overshoots by 10 us at most.
	lastLeg = time.Millisecond

	// interference is how far the wall clock may be from where it was steered:
	// the two clocks of a reading are some scheduling delay apart at worst.
	interference = 5 * time.Millisecond
	// slowestCall is how long after its reading a new rate may be in force on a
	// busy router: at the largest slew that makes 25 ms.
	slowestCall = 300 * time.Millisecond

	// oscillatorError is the rate error that the estimate's deviation may not
	// show yet (chrony's maxclockerror).
	oscillatorError clock.Rate = 1e-6
	// unknownRate is the deviation of an oscillator that nothing is known about.
	unknownRate clock.Rate = 100e-6
	// leastSkew: no crystal is better than that for long.
	leastSkew clock.Rate = 1e-10
	// rateAging: a known rate gets worse by this much times the square root of
	// the seconds passed: ten times the wander of an ordinary crystal.
	rateAging = 1e-8
	// muchBetter: the rate in force is kept while the estimate's deviation is
	// more than this factor above its own.
	muchBetter = 10

	// rmsShare is the weight of the newest offset in RMSOffset.
	rmsShare = 0.1

	// unsynchronisedError is what the kernel calls unsynchronised (NTP_PHASE_LIMIT).
	unsynchronisedError = 16 * time.Second
	// statusInterval: the kernel lets maxerror grow by 500 ppm, so within it by
	// 0.3 s; it forgets the synchronisation only at 16 s.
	statusInterval = 600 * time.Second
	// saveInterval is chrony's: flash and RAM disk are not worn.
	saveInterval = time.Hour
	// worthSaving: a drift that is known worse than this helps nobody.
	worthSaving clock.Rate = 10e-6
)

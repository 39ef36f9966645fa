//go:build linux

package store

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"ntsd/internal/clock"
)

// maxDriftFile: two numbers of 20 characters, and room for other programs'.
const maxDriftFile = 256

// maxDriftPPM is what no oscillator and no kernel exceeds.
const maxDriftPPM = 100000

// Drift is what is known about the oscillator, in the words of chrony's drift
// file.
type Drift struct {
	// Frequency is the negative of the correction that the kernel was set to:
	// positive where the uncorrected clock gains.
	Frequency clock.Rate
	Skew      clock.Rate // the bound on the error of Frequency, not negative
}

// Correction is the rate to set for a clock with this drift.
func (d Drift) Correction() clock.Rate { return -d.Frequency }

// LoadDrift reads a drift file.
func LoadDrift(path string) (Drift, error) {
	b, err := ReadPublic(path, maxDriftFile)
	if err != nil {
		return Drift{}, err
	}
	d, err := ParseDrift(b)
	if err != nil {
		return Drift{}, damaged(path, err)
	}
	return d, nil
}

// SaveDrift writes a drift file.
func SaveDrift(path string, d Drift) error {
	return WriteAtomic(path, PublicPerm, AppendDrift(nil, d))
}

// AppendDrift appends chrony's one line: frequency and skew in ppm.
func AppendDrift(b []byte, d Drift) []byte {
	return fmt.Appendf(b, "%20.6f %20.6f\n", d.Frequency.PPM(), d.Skew.PPM())
}

// ParseDrift reads chrony's line. Without its end the line may be cut inside a
// number, so that is refused.
func ParseDrift(b []byte) (Drift, error) {
	line, rest, whole := strings.Cut(string(b), "\n")
	f := strings.Fields(line)
	if !whole || strings.TrimSpace(rest) != "" || len(f) != 2 {
		return Drift{}, errors.New("not one line of two numbers")
	}
	freq, err := ppm(f[0])
	if err != nil {
		return Drift{}, err
	}
	skew, err := ppm(f[1])
	if err != nil {
		return Drift{}, err
	}
	if skew < 0 {
		return Drift{}, fmt.Errorf("negative skew %q", f[1])
	}
	return Drift{freq, skew}, nil
}

// ppm reads a number that can be a frequency.
func ppm(text string) (clock.Rate, error) {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(x) || math.Abs(x) > maxDriftPPM {
		return 0, fmt.Errorf("no frequency in ppm: %q", text)
	}
	return clock.RatePPM(x), nil
}

package filter

import (
	"testing"
	"time"

	"ntsd/internal/clock"
)

// On a path without any jitter the samples are exact, and the rate known after
// a burst is still vague: the next sample lies a little off what was foretold,
// well within the estimate's own standard deviation. It is no outlier. (The
// density of an outlier must not exceed that of a sample just because the path
// is quiet.)
func TestQuietPathIsNotFullOfOutliers(t *testing.T) {
	for _, ppm := range []float64{30, -250, 0.01} {
		f := New(Config{})
		at := clock.Mono(0)
		truth := clock.Line{At: clock.Reading{Wall: clock.WallUnix(1800000000, 0)}, Rate: clock.RatePPM(-ppm)}
		for i := range 40 {
			if i < 4 {
				at = at.Add(2 * time.Second)
			} else {
				at = at.Add(64 * time.Second)
			}
			s := Sample{At: at, True: truth.WallAt(at), Delay: 10 * time.Millisecond, Dispersion: time.Microsecond}
			if !f.Update(s) {
				t.Errorf("%g ppm: exact sample %d is refused", ppm, i)
			}
		}
		e, _ := f.Estimate(at)
		if off := e.Line.WallAt(at).Sub(truth.WallAt(at)).Abs(); off > 5*time.Microsecond {
			t.Errorf("%g ppm: estimate is off by %v", ppm, off)
		}
	}
}

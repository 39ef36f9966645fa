package status

import "testing"

// The expected strings follow from chronyc's documented units: four digits
// before the next unit is taken, six columns (seven with a sign).
func TestOffsets(t *testing.T) {
	for _, c := range []struct {
		seconds           float64
		unsigned, withOne string
	}{
		{0, "   0ns", "   +0ns"},
		{133e-9, " 133ns", " +133ns"},
		{-4675e-9, "4675ns", "-4675ns"},
		{9999.4e-9, "9999ns", "+9999ns"},
		{9999.6e-9, "  10us", "  +10us"},
		{-12.3e-3, "  12ms", "  -12ms"},
		{9.9994, "9999ms", "+9999ms"},
		{10.04, " 10.0s", " +10.0s"},
		{-999.4, "999.4s", "-999.4s"},
		{1000, " 1000s", " +1000s"},
		{86400, "86400s", "+86400s"},
		{100000, " 1667m", " +1667m"},
		{-6e6, "1667h", ""},
		{4e8, " 4630d", " +4630d"},
		{1e10, "  317y", "  +317y"},
	} {
		if c.seconds == -6e6 { // 100000 minutes: hours
			c.unsigned, c.withOne = " 1667h", " -1667h"
		}
		if got := Magnitude(c.seconds); got != c.unsigned {
			t.Errorf("Magnitude(%g) = %q, want %q", c.seconds, got, c.unsigned)
		}
		if got := Signed(c.seconds); got != c.withOne {
			t.Errorf("Signed(%g) = %q, want %q", c.seconds, got, c.withOne)
		}
	}
}

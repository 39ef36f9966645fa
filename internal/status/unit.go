package status

import (
	"fmt"
	"math"
)

// unit is a step of the ladder by which chronyc shows a time: magnitudes below
// limit (in seconds) are multiplied by scale and shown with name.
type unit struct {
	limit, scale float64
	name         string
	wide         bool // a one-letter name leaves the number one more column
	decimals     int
}

// units ends with years, which have no limit.
var units = [...]unit{
	{9999.5e-9, 1e9, "ns", false, 0},
	{9999.5e-6, 1e6, "us", false, 0},
	{9999.5e-3, 1e3, "ms", false, 0},
	{999.5, 1, "s", true, 1},
	{99999.5, 1, "s", true, 0},
	{99999.5 * 60, 1. / 60, "m", true, 0},
	{99999.5 * 3600, 1. / 3600, "h", true, 0},
	{99999.5 * 86400, 1. / 86400, "d", true, 0},
	{math.Inf(1), 1. / (86400 * 365), "y", true, 0},
}

// unitFor picks the unit for a magnitude.
func unitFor(seconds float64) unit {
	x := math.Abs(seconds)
	for _, u := range units {
		if x < u.limit {
			return u
		}
	}
	return units[len(units)-1]
}

// Magnitude shows |seconds| in six columns with its unit: "6451ns".
func Magnitude(seconds float64) string {
	u := unitFor(seconds)
	width := 4
	if u.wide {
		width = 5
	}
	return fmt.Sprintf("%*.*f%s", width, u.decimals, math.Abs(seconds)*u.scale, u.name)
}

// Signed shows seconds in seven columns with its sign and unit: " +133ns".
func Signed(seconds float64) string {
	u := unitFor(seconds)
	width := 5
	if u.wide {
		width = 6
	}
	return fmt.Sprintf("%+*.*f%s", width, u.decimals, seconds*u.scale, u.name)
}

package status

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/ntptime"
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

// magnitude shows |seconds| in six columns with its unit: "6451ns".
func magnitude(seconds float64) string {
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

// since shows a number of seconds in four columns: "  72", " 46m", "   -".
func since(a Ago) string {
	switch {
	case a < 0 || a >= math.MaxUint32:
		return "   -"
	case a < 1200:
		return fmt.Sprintf("%4d", a)
	case a < 36000:
		return fmt.Sprintf("%3dm", a/60)
	case a < 345600:
		return fmt.Sprintf("%3dh", a/3600)
	case a/86400 > 999:
		return fmt.Sprintf("%3dy", a/86400/365)
	}
	return fmt.Sprintf("%3dd", a/86400)
}

// ppm shows a frequency in ten columns.
func ppm(x float64, flag string) string {
	if math.Abs(x) < 99999.5 {
		return fmt.Sprintf("%"+flag+"10.3f", x)
	}
	return fmt.Sprintf("%"+flag+"10.0f", x)
}

// date shows a time as chronyc does: "Sat Nov 21 23:15:15 2026".
func date(t Time) string { return clock.Wall(t).Time().Format("Mon Jan 02 15:04:05 2006") }

// day shows the date alone.
func day(t Time) string { return clock.Wall(t).Time().Format(time.DateOnly) }

// yesNo is chronyc's boolean.
func yesNo(b bool) string {
	if b {
		return "Yes"
	}
	return "No"
}

// fastSlow names the direction of a clock.
func fastSlow(slow bool) string {
	if slow {
		return "slow"
	}
	return "fast"
}

// csvAgo is Never's number in CSV, chronyc's largest 32-bit one.
func csvAgo(a Ago) string {
	if a < 0 || a > math.MaxUint32 {
		return strconv.FormatUint(math.MaxUint32, 10)
	}
	return strconv.FormatInt(int64(a), 10)
}

// fixed shows x with decimals.
func fixed(x float64, decimals int) string { return strconv.FormatFloat(x, 'f', decimals, 64) }

// exponentSeconds is 2^e seconds; fractions of a nanosecond count here.
func exponentSeconds(e int) float64 {
	if e >= 0 {
		return ntptime.Exponent(min(e, 32)).Duration().Seconds()
	}
	return 1 / float64(uint64(1)<<min(-e, 63))
}

// AddressID is the reference ID by which servers name an address (RFC 5905
// section 7.3): the IPv4 address, or the first four bytes of the MD5 of an
// IPv6 address. MD5 protects nothing here.
func AddressID(addr string) string {
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return "00000000"
	}
	if a.Is4() {
		b := a.As4()
		return strings.ToUpper(hex.EncodeToString(b[:]))
	}
	b := a.As16()
	sum := md5.Sum(b[:])
	return strings.ToUpper(hex.EncodeToString(sum[:4]))
}

// idText is the printable characters of a reference ID in hexadecimal.
func idText(id string) string {
	raw, err := hex.DecodeString(id)
	if err != nil {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return -1
		}
		return r
	}, string(raw))
}

package tables

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/ntptime"
	"ntsd/internal/status"
)

// since shows a number of seconds in four columns: "  72", " 46m", "   -".
func since(a status.Ago) string {
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
func date(t status.Time) string { return clock.Wall(t).Time().Format("Mon Jan 02 15:04:05 2006") }

// day shows the date alone.
func day(t status.Time) string { return clock.Wall(t).Time().Format(time.DateOnly) }

// leapLetter is the last column of selectdata.
func leapLetter(l status.Leap) string {
	return [...]string{
		status.LeapNormal: "N", status.LeapInsert: "+", status.LeapDelete: "-", status.LeapUnsynchronised: "?",
	}[l&3]
}

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
func csvAgo(a status.Ago) string {
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

// decimal renders t as seconds since 1970 with nine decimals.
func decimal(t status.Time) string {
	sec, nsec := clock.Wall(t).Unix()
	return fmt.Sprintf("%d.%09d", sec, nsec)
}

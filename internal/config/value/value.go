// Package value is how the values of options are written in /etc/config/ntsd:
// what is allowed, how it is read, and how it is printed so that it reads back
// the same. It is layer 3 and knows values only.
//
// Not here: which options there are and what they mean (config).
package value

import (
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/hostname"
	"ntsd/internal/siv"
	"ntsd/internal/uci"
)

// MaxTime is the longest time span: it keeps sums far from overflow.
const MaxTime = 366 * 24 * time.Hour

// Implementation limits.
const (
	maxText = 256  // bytes of a name or other short text
	maxPath = 4096 // bytes of a path, as in Linux
)

// Kind is how values of one Go type are written.
type Kind[T any] struct {
	Want  string // what is allowed; follows "must be"
	Parse func(string) (T, bool)
	Print func(T) string // empty: not set, print nothing
}

// Boolean is a truth value in the words of UCI, printed as 1 or 0.
func Boolean() Kind[bool] {
	return Kind[bool]{
		Want:  "1, yes, on, true, enabled or 0, no, off, false, disabled",
		Parse: uci.Bool,
		Print: func(b bool) string {
			if b {
				return "1"
			}
			return "0"
		},
	}
}

// Integer is a whole number between the limits. Zero is printed like any other.
func Integer[T ~int | ~int8 | ~int64 | ~uint16 | ~uint32](lowest, highest T) Kind[T] {
	return Kind[T]{
		Want: fmt.Sprintf("a whole number from %d to %d", lowest, highest),
		Parse: func(s string) (T, bool) {
			n, err := strconv.ParseInt(s, 10, 64)
			return T(n), err == nil && n >= int64(lowest) && n <= int64(highest)
		},
		Print: func(n T) string { return strconv.FormatInt(int64(n), 10) },
	}
}

// Port is a port of UDP or TCP.
func Port() Kind[uint16] { return Integer[uint16](1, math.MaxUint16) }

// Optional is a kind whose zero value means "not set": it can be read, but is
// not printed.
func Optional[T comparable](k Kind[T]) Kind[T] {
	print := k.Print
	k.Print = func(v T) string {
		var zero T
		if v == zero {
			return ""
		}
		return print(v)
	}
	return k
}

// Unless is a kind with a word for one value that it does not have.
func Unless[T comparable](value T, word string, k Kind[T]) Kind[T] {
	parse, print := k.Parse, k.Print
	k.Want = word + " or " + k.Want
	k.Parse = func(s string) (T, bool) {
		if s == word {
			return value, true
		}
		return parse(s)
	}
	k.Print = func(v T) string {
		if v == value {
			return word
		}
		return print(v)
	}
	return k
}

// number reads a decimal number; the exotic forms that Go knows (hexadecimal,
// infinities) are nobody's intention in a configuration.
func number(s string) (float64, bool) {
	if strings.Trim(s, "0123456789+-.eE") != "" {
		return 0, false
	}
	x, err := strconv.ParseFloat(s, 64)
	return x, err == nil
}

func formatNumber(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

// Ratio is a decimal number from 0 to highest.
func Ratio(highest float64) Kind[float64] {
	return Kind[float64]{
		Want: "a number from 0 to " + formatNumber(highest),
		Parse: func(s string) (float64, bool) {
			x, ok := number(s)
			return math.Abs(x), ok && x >= 0 && x <= highest // Abs: "-0" is 0
		},
		Print: formatNumber,
	}
}

// PPM is a rate in millionths, from 0 to highest.
func PPM(highest float64) Kind[clock.Rate] {
	return Kind[clock.Rate]{
		Want: "a number of ppm from 0 to " + formatNumber(highest),
		Parse: func(s string) (clock.Rate, bool) {
			x, ok := number(s)
			return clock.RatePPM(math.Abs(x)), ok && x >= 0 && x <= highest
		},
		Print: printPPM,
	}
}

// epsilon is the least that a number can be above 1.
const epsilon = 0x1p-52

// printPPM returns the shortest number that reads back as the same rate. Both
// ways are rounded, so what was read may be a neighbour of r.PPM().
func printPPM(r clock.Rate) string {
	for digits := 1; digits < 17; digits++ {
		if x, _ := number(strconv.FormatFloat(r.PPM(), 'g', digits, 64)); clock.RatePPM(x) == r {
			return formatNumber(x)
		}
	}
	x := r.PPM() * (1 - 4*epsilon)
	for range 16 {
		if clock.RatePPM(x) == r {
			return formatNumber(x)
		}
		x = math.Nextafter(x, math.Inf(1))
	}
	return formatNumber(r.PPM())
}

// TimeSpan is a time between the limits in seconds, or with a unit; it is printed in
// seconds, exactly.
func TimeSpan(lowest, highest time.Duration) Kind[time.Duration] {
	return Kind[time.Duration]{
		Want: fmt.Sprintf("a time from %s to %s in seconds, or with a unit (us, ms, s, m, h, d, w)",
			formatSeconds(lowest), formatSeconds(highest)),
		Parse: func(s string) (time.Duration, bool) {
			unit := time.Second
			for _, u := range units() {
				if rest, found := strings.CutSuffix(s, u.name); found {
					s, unit = rest, u.length
					break
				}
			}
			x, ok := number(s)
			ns := math.Round(x * float64(unit))
			ok = ok && ns >= float64(lowest) && ns <= float64(highest)
			if !ok {
				return 0, false
			}
			return time.Duration(ns), true
		},
		Print: formatSeconds,
	}
}

// Seconds is a time span of any length.
func Seconds() Kind[time.Duration] { return TimeSpan(0, MaxTime) }

// Offset is a correction of a clock, written like a TimeSpan with a sign.
func Offset() Kind[clock.Offset] {
	k := TimeSpan(-MaxTime, MaxTime)
	return Kind[clock.Offset]{
		Want:  k.Want,
		Parse: func(s string) (clock.Offset, bool) { d, ok := k.Parse(s); return clock.Offset(d), ok },
		Print: func(o clock.Offset) string { return formatSeconds(o.Duration()) },
	}
}

type unit struct {
	name   string
	length time.Duration
}

// units stand so that a name follows those it is the end of.
func units() []unit {
	return []unit{
		{"us", time.Microsecond},
		{"ms", time.Millisecond},
		{"s", time.Second},
		{"m", time.Minute},
		{"h", time.Hour},
		{"d", 24 * time.Hour},
		{"w", 7 * 24 * time.Hour},
	}
}

// formatSeconds prints d exactly, as decimal seconds.
func formatSeconds(d time.Duration) string {
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	s := fmt.Sprintf("%s%d.%09d", sign, d/time.Second, d%time.Second)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

func identity(s string) string { return s }

// letters is a string of limited length without control characters.
func letters(want string, longest int, ok func(byte) bool) Kind[string] {
	return Kind[string]{
		Want: want,
		Parse: func(s string) (string, bool) {
			for i := 0; i < len(s); i++ {
				if s[i] < ' ' || s[i] == 0x7f || ok != nil && !ok(s[i]) {
					return "", false
				}
			}
			return s, s != "" && len(s) <= longest
		},
		Print: identity,
	}
}

// Path is the path of a file or a folder.
func Path() Kind[string] { return letters("a path", maxPath, nil) }

func word(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("_.-@", c) >= 0
}

// UserName is the name of a user of this machine.
func UserName() Kind[string] { return letters("a user name", 32, word) }

// InterfaceName is the name of a network interface or device.
func InterfaceName() Kind[string] { return letters("an interface name", 32, word) }

// Name is a name of any kind.
func Name() Kind[string] { return letters("a name without blanks", maxText, notBlank) }

// RefID is a reference ID.
func RefID() Kind[string] { return letters("1 to 4 characters", 4, notBlank) }

// Text is a short text, blanks and all.
func Text() Kind[string] { return letters("text", maxText, nil) }

func notBlank(c byte) bool { return c != ' ' }

// OneOf is a choice of words.
func OneOf[T ~string](words ...T) Kind[T] {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = string(w)
	}
	return Kind[T]{
		Want: strings.Join(all[:len(all)-1], ", ") + " or " + all[len(all)-1],
		Parse: func(s string) (T, bool) {
			for _, w := range words {
				if string(w) == s {
					return w, true
				}
			}
			return "", false
		},
		Print: func(w T) string { return string(w) },
	}
}

// LogLevel is the name of a severity of log lines.
func LogLevel() Kind[slog.Level] {
	levels := []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}
	name := func(l slog.Level) string { return strings.ToLower(l.String()) }
	return Kind[slog.Level]{
		Want: "debug, info, warn or error",
		Parse: func(s string) (slog.Level, bool) {
			for _, l := range levels {
				if name(l) == s {
					return l, true
				}
			}
			return 0, false
		},
		Print: name,
	}
}

// Host is a name or an address, perhaps with a port: the section's own
// check takes it apart.
func Host() Kind[string] {
	return Kind[string]{
		Want: "a host name or an address, or one with a port as in host:4460",
		Parse: func(s string) (string, bool) {
			_, _, ok := hostname.Split(s)
			return s, ok
		},
		Print: identity,
	}
}

// PlainHost is a name or an address without a port.
func PlainHost() Kind[string] {
	return Kind[string]{
		Want: "a host name or an address",
		Parse: func(s string) (string, bool) {
			host, port, ok := hostname.Split(s)
			return host, ok && port == 0
		},
		Print: identity,
	}
}

// Family is a choice of addresses.
func Family() Kind[event.Family] {
	words := []string{"any", "ipv4", "ipv6"} // as event numbers them
	return Kind[event.Family]{
		Want: OneOf(words...).Want,
		Parse: func(s string) (event.Family, bool) {
			i := slices.Index(words, s)
			return event.Family(max(i, 0)), i >= 0
		},
		Print: func(f event.Family) string { return words[f] },
	}
}

// Subnet is a prefix, or an address that stands for itself alone.
func Subnet() Kind[netip.Prefix] {
	return Kind[netip.Prefix]{
		Want: "an address or a prefix as in 192.168.1.0/24",
		Parse: func(s string) (netip.Prefix, bool) {
			if p, err := netip.ParsePrefix(s); err == nil {
				return p.Masked(), true
			}
			a, err := netip.ParseAddr(s)
			if err != nil || a.Zone() != "" {
				return netip.Prefix{}, false
			}
			return netip.PrefixFrom(a, a.BitLen()), true
		},
		Print: netip.Prefix.String,
	}
}

// AEAD is an algorithm for NTS, by its number or its name at the IANA.
func AEAD() Kind[siv.Algorithm] {
	all := []siv.Algorithm{siv.AES128GCMSIV, siv.AESSIVCMAC256, siv.AESSIVCMAC512, siv.AESSIVCMAC384}
	number := func(a siv.Algorithm) string { return strconv.Itoa(int(a)) }
	return Kind[siv.Algorithm]{
		Want: "30 (AES_128_GCM_SIV), 15 (AES_SIV_CMAC_256), 17 (AES_SIV_CMAC_512) or 16 (AES_SIV_CMAC_384)",
		Parse: func(s string) (siv.Algorithm, bool) {
			names := []string{"AES_128_GCM_SIV", "AES_SIV_CMAC_256", "AES_SIV_CMAC_512", "AES_SIV_CMAC_384"}
			s = strings.TrimPrefix(s, "AEAD_")
			for i, a := range all {
				if s == number(a) || s == names[i] {
					return a, true
				}
			}
			return 0, false
		},
		Print: number,
	}
}

// ByteSize is a number of bytes, with a unit in powers of 1024.
func ByteSize() Kind[int64] {
	const highest = 1 << 40
	return Kind[int64]{
		Want: "a number of bytes, or with a unit (k, M, G)",
		Parse: func(s string) (int64, bool) {
			shift := 0
			for i, u := range []string{"k", "M", "G"} {
				if rest, found := strings.CutSuffix(s, u); found {
					s, shift = rest, 10*(i+1)
				}
			}
			n, err := strconv.ParseInt(s, 10, 64)
			if err != nil || n < 0 || n > highest>>shift {
				return 0, false
			}
			return n << shift, true
		},
		Print: func(n int64) string { return strconv.FormatInt(n, 10) },
	}
}

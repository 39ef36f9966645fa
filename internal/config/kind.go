package config

import (
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/hostname"
	"ntsd/internal/ntptime"
	"ntsd/internal/siv"
	"ntsd/internal/uci"
)

// Implementation limits.
const (
	maxText = 256                  // bytes of a name or other short text
	maxPath = 4096                 // bytes of a path, as in Linux
	maxTime = 366 * 24 * time.Hour // of any time span: keeps sums far from overflow
)

// kind is how values of one Go type are written.
type kind[T any] struct {
	want  string // what is allowed; follows "must be"
	parse func(string) (T, bool)
	print func(T) string // empty: not set, print nothing
}

func boolean() kind[bool] {
	return kind[bool]{
		want:  "1, yes, on, true, enabled or 0, no, off, false, disabled",
		parse: uci.Bool,
		print: func(b bool) string {
			if b {
				return "1"
			}
			return "0"
		},
	}
}

// integer is a whole number between the limits. Zero is printed like any other.
func integer[T ~int | ~int8 | ~int64 | ~uint16 | ~uint32](lowest, highest T) kind[T] {
	return kind[T]{
		want: fmt.Sprintf("a whole number from %d to %d", lowest, highest),
		parse: func(s string) (T, bool) {
			n, err := strconv.ParseInt(s, 10, 64)
			return T(n), err == nil && n >= int64(lowest) && n <= int64(highest)
		},
		print: func(n T) string { return strconv.FormatInt(int64(n), 10) },
	}
}

func port() kind[uint16] { return integer[uint16](1, math.MaxUint16) }

// optional is a kind whose zero value means "not set": it can be read, but is
// not printed.
func optional[T comparable](k kind[T]) kind[T] {
	print := k.print
	k.print = func(v T) string {
		var zero T
		if v == zero {
			return ""
		}
		return print(v)
	}
	return k
}

// unless is a kind with a word for one value that it does not have.
func unless[T comparable](value T, word string, k kind[T]) kind[T] {
	parse, print := k.parse, k.print
	k.want = word + " or " + k.want
	k.parse = func(s string) (T, bool) {
		if s == word {
			return value, true
		}
		return parse(s)
	}
	k.print = func(v T) string {
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

func ratio(highest float64) kind[float64] {
	return kind[float64]{
		want: "a number from 0 to " + formatNumber(highest),
		parse: func(s string) (float64, bool) {
			x, ok := number(s)
			return math.Abs(x), ok && x >= 0 && x <= highest // Abs: "-0" is 0
		},
		print: formatNumber,
	}
}

func ppm(highest float64) kind[clock.Rate] {
	return kind[clock.Rate]{
		want: "a number of ppm from 0 to " + formatNumber(highest),
		parse: func(s string) (clock.Rate, bool) {
			x, ok := number(s)
			return clock.RatePPM(math.Abs(x)), ok && x >= 0 && x <= highest
		},
		print: func(r clock.Rate) string {
			// The shortest number that reads back as the same rate.
			for digits := 1; digits < 17; digits++ {
				s := strconv.FormatFloat(r.PPM(), 'g', digits, 64)
				if x, _ := number(s); clock.RatePPM(x) == r {
					return s
				}
			}
			return strconv.FormatFloat(r.PPM(), 'g', -1, 64)
		},
	}
}

// timeSpan is a time in seconds, or with a unit.
func timeSpan(lowest, highest time.Duration) kind[time.Duration] {
	return kind[time.Duration]{
		want: fmt.Sprintf("a time from %s to %s in seconds, or with a unit (us, ms, s, m, h, d, w)",
			formatSeconds(lowest), formatSeconds(highest)),
		parse: func(s string) (time.Duration, bool) {
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
		print: formatSeconds,
	}
}

func seconds() kind[time.Duration] { return timeSpan(0, maxTime) }

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

// text is a string of limited length without control characters.
func text(want string, longest int, ok func(byte) bool) kind[string] {
	return kind[string]{
		want: want,
		parse: func(s string) (string, bool) {
			for i := 0; i < len(s); i++ {
				if s[i] < ' ' || s[i] == 0x7f || ok != nil && !ok(s[i]) {
					return "", false
				}
			}
			return s, s != "" && len(s) <= longest
		},
		print: identity,
	}
}

func path() kind[string] { return text("a path", maxPath, nil) }

func word(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("_.-@", c) >= 0
}

func userName() kind[string]      { return text("a user name", 32, word) }
func interfaceName() kind[string] { return text("an interface name", 32, word) }
func operatorName() kind[string]  { return text("a name without blanks", maxText, notBlank) }

func notBlank(c byte) bool { return c != ' ' }

// oneOf is a choice of words.
func oneOf[T ~string](words ...T) kind[T] {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = string(w)
	}
	return kind[T]{
		want: strings.Join(all[:len(all)-1], ", ") + " or " + all[len(all)-1],
		parse: func(s string) (T, bool) {
			for _, w := range words {
				if string(w) == s {
					return w, true
				}
			}
			return "", false
		},
		print: func(w T) string { return string(w) },
	}
}

func logLevel() kind[slog.Level] {
	levels := []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}
	name := func(l slog.Level) string { return strings.ToLower(l.String()) }
	return kind[slog.Level]{
		want: "debug, info, warn or error",
		parse: func(s string) (slog.Level, bool) {
			for _, l := range levels {
				if name(l) == s {
					return l, true
				}
			}
			return 0, false
		},
		print: name,
	}
}

// hostName is a name or an address, perhaps with a port: the section's own
// check takes it apart.
func hostName() kind[string] {
	return kind[string]{
		want: "a host name or an address, or one with a port as in host:4460",
		parse: func(s string) (string, bool) {
			_, _, ok := hostname.Split(s)
			return s, ok
		},
		print: identity,
	}
}

// plainHost is a name or an address without a port.
func plainHost() kind[string] {
	return kind[string]{
		want: "a host name or an address",
		parse: func(s string) (string, bool) {
			host, port, ok := hostname.Split(s)
			return host, ok && port == 0
		},
		print: identity,
	}
}

func subnet() kind[netip.Prefix] {
	return kind[netip.Prefix]{
		want: "an address or a prefix as in 192.168.1.0/24",
		parse: func(s string) (netip.Prefix, bool) {
			if p, err := netip.ParsePrefix(s); err == nil {
				return p.Masked(), true
			}
			a, err := netip.ParseAddr(s)
			if err != nil || a.Zone() != "" {
				return netip.Prefix{}, false
			}
			return netip.PrefixFrom(a, a.BitLen()), true
		},
		print: netip.Prefix.String,
	}
}

func aead() kind[siv.Algorithm] {
	all := []siv.Algorithm{siv.AES128GCMSIV, siv.AESSIVCMAC256, siv.AESSIVCMAC512, siv.AESSIVCMAC384}
	number := func(a siv.Algorithm) string { return strconv.Itoa(int(a)) }
	return kind[siv.Algorithm]{
		want: "30 (AES_128_GCM_SIV), 15 (AES_SIV_CMAC_256), 17 (AES_SIV_CMAC_512) or 16 (AES_SIV_CMAC_384)",
		parse: func(s string) (siv.Algorithm, bool) {
			names := []string{"AES_128_GCM_SIV", "AES_SIV_CMAC_256", "AES_SIV_CMAC_512", "AES_SIV_CMAC_384"}
			s = strings.TrimPrefix(s, "AEAD_")
			for i, a := range all {
				if s == number(a) || s == names[i] {
					return a, true
				}
			}
			return 0, false
		},
		print: number,
	}
}

// agreement is a number of operators, or the word majority, which is 0.
func agreement() kind[int] {
	return kind[int]{
		want: "majority or a whole number from 1 to 100",
		parse: func(s string) (int, bool) {
			if s == "majority" {
				return 0, true
			}
			n, err := strconv.Atoi(s)
			return n, err == nil && n >= 1 && n <= 100
		},
		print: func(n int) string {
			if n == 0 {
				return "majority"
			}
			return strconv.Itoa(n)
		},
	}
}

// byteSize is a number of bytes, with a unit in powers of 1024.
func byteSize() kind[int64] {
	const highest = 1 << 40
	return kind[int64]{
		want: "a number of bytes, or with a unit (k, M, G)",
		parse: func(s string) (int64, bool) {
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
		print: func(n int64) string { return strconv.FormatInt(n, 10) },
	}
}

// rateLimit is a truth value, or chrony's words in any order.
func rateLimit(standard RateLimit) kind[RateLimit] {
	return kind[RateLimit]{
		want:  "a truth value, or 'interval N burst N leak N' with interval from -19 to 12, burst from 1 to 255, leak from 1 to 4",
		parse: func(s string) (RateLimit, bool) { return parseRateLimit(s, standard) },
		print: func(r RateLimit) string {
			if !r.Enabled {
				return "0"
			}
			return fmt.Sprintf("interval %d burst %d leak %d", r.Interval, r.Burst, r.Leak)
		},
	}
}

func parseRateLimit(s string, standard RateLimit) (RateLimit, bool) {
	if on, ok := uci.Bool(s); ok {
		standard.Enabled = on
		return standard, true
	}
	r := standard
	r.Enabled = true
	words := strings.Fields(s)
	for ; len(words) >= 2; words = words[2:] {
		var ok bool
		switch words[0] {
		case "interval":
			r.Interval, ok = integer[ntptime.Exponent](-19, 12).parse(words[1])
		case "burst":
			r.Burst, ok = integer(1, 255).parse(words[1])
		case "leak":
			r.Leak, ok = integer(1, 4).parse(words[1])
		}
		if !ok {
			return RateLimit{}, false
		}
	}
	return r, len(words) == 0 && s != ""
}

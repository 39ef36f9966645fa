package config

import (
	"fmt"
	"strings"

	"ntsd/internal/config/value"
	"ntsd/internal/ntptime"
	"ntsd/internal/uci"
)

// rateLimit is a truth value, or chrony's words in any order.
func rateLimit(standard RateLimit) value.Kind[RateLimit] {
	return value.Kind[RateLimit]{
		Want:  "a truth value, or 'interval N burst N leak N' with interval from -19 to 12, burst from 1 to 255, leak from 1 to 4",
		Parse: func(s string) (RateLimit, bool) { return parseRateLimit(s, standard) },
		Print: func(r RateLimit) string {
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
			r.Interval, ok = value.Integer[ntptime.Exponent](-19, 12).Parse(words[1])
		case "burst":
			r.Burst, ok = value.Integer(1, 255).Parse(words[1])
		case "leak":
			r.Leak, ok = value.Integer(1, 4).Parse(words[1])
		}
		if !ok {
			return RateLimit{}, false
		}
	}
	return r, len(words) == 0 && s != ""
}

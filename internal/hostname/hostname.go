// Package hostname takes apart how people write a host: a name or an address,
// perhaps with a port, and whose it is. It is layer 1: it resolves nothing.
//
// Non-goals: the whole list of public suffixes, and names beyond ASCII.
package hostname

import (
	"net/netip"
	"strconv"
	"strings"
)

// Split takes "host", "host:port", "[address]" or "[address]:port" apart.
// port is 0 where none is given. A host without brackets that has several
// colons is an IPv6 address. A final dot of a name is dropped.
func Split(s string) (host string, port uint16, ok bool) {
	host = s
	after := ""
	switch {
	case strings.HasPrefix(s, "["):
		var closed bool
		host, after, closed = strings.Cut(s[1:], "]")
		if a, err := netip.ParseAddr(host); !closed || err != nil || !a.Is6() {
			return "", 0, false
		}
		if after == "" {
			return host, 0, true
		}
	case strings.Count(s, ":") == 1:
		host, after, _ = strings.Cut(s, ":")
		after = ":" + after
	}
	if after != "" {
		n, err := strconv.ParseUint(strings.TrimPrefix(after, ":"), 10, 16)
		if err != nil || n == 0 || !strings.HasPrefix(after, ":") {
			return "", 0, false
		}
		port = uint16(n)
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return host, port, true
	}
	host = strings.TrimSuffix(host, ".")
	return host, port, valid(host)
}

// valid reports whether s can be a name in DNS, by the lengths of RFC 1035
// section 2.3.4 and with the underscore that local names carry.
func valid(s string) bool {
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for i := 0; i < len(label); i++ {
			if !letter(label[i]) {
				return false
			}
		}
	}
	// All digits and dots would be a mistyped address.
	return strings.Trim(s, "0123456789.") != ""
}

// letter reports whether c may stand in a label.
func letter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

// Operator returns who is taken to run the server of that name, where the
// configuration does not say: its registrable domain, in lower case, or the
// address itself.
//
// Agreement counts operators, so two names of one must not pass for two. The
// registrable domain is the last two labels; where these are one of the few
// listed suffixes under which anybody registers, three. A suffix missing from
// the list makes strangers one operator, which is the harmless mistake.
func Operator(name string) string {
	if a, err := netip.ParseAddr(name); err == nil {
		return a.Unmap().WithZone("").String()
	}
	labels := strings.Split(strings.ToLower(strings.TrimSuffix(name, ".")), ".")
	n := 2
	if len(labels) > 2 && publicSuffix(strings.Join(labels[len(labels)-2:], ".")) {
		n = 3
	}
	return strings.Join(labels[max(0, len(labels)-n):], ".")
}

// publicSuffix reports whether names directly below s belong to different
// owners: the well-known second levels of countries that have them.
func publicSuffix(s string) bool {
	second, country, _ := strings.Cut(s, ".")
	var seconds string
	switch country {
	case "uk":
		seconds = "ac co gov ltd me net nhs org plc sch"
	case "jp":
		seconds = "ac ad co ed go gr lg ne or"
	case "au":
		seconds = "asn com edu gov id net org"
	case "nz":
		seconds = "ac co geek gen govt net org school"
	case "za":
		seconds = "ac co gov net org web"
	case "kr":
		seconds = "ac co go ne or pe re"
	case "in":
		seconds = "ac co edu firm gen gov ind net nic org res"
	case "il":
		seconds = "ac co gov muni net org"
	case "br":
		seconds = "art blog com edu eng gov ind inf net org tv"
	case "id":
		seconds = "ac co go my net or sch web"
	case "th":
		seconds = "ac co go in mi net or"
	case "cn":
		seconds = "ac com edu gov net org"
	case "at":
		seconds = "ac co gv or"
	case "hu":
		seconds = "co info org"
	case "ar", "hk", "mx", "my", "ph", "pl", "sg", "tr", "tw", "ua":
		seconds = "com edu gob gov idv mil net org"
	}
	for w := range strings.FieldsSeq(seconds) {
		if w == second {
			return true
		}
	}
	return false
}

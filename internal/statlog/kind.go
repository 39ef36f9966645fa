package statlog

import (
	"strings"

	"ntsd/internal/config"
)

// kind is one of the files.
type kind uint8

const (
	loopstats kind = iota // ntpd's
	peerstats
	clockstats
	rawstats
	measurements // chrony's
	statistics
	tracking
	kinds
)

// file is the name of a kind in the configuration and of its file, and for
// chrony's the banner above its columns.
func (k kind) file() (name, file, banner string) {
	row := [kinds][3]string{
		loopstats:    {"loopstats", "loopstats", ""},
		peerstats:    {"peerstats", "peerstats", ""},
		clockstats:   {"clockstats", "clockstats", ""},
		rawstats:     {"rawstats", "rawstats", ""},
		measurements: {"measurements", "measurements.log", "   Date (UTC) Time     IP Address   L St 123 567 ABCD  LP RP Score    Offset  Peer del. Peer disp.  Root del. Root disp. Refid     MTxRx"},
		statistics:   {"statistics", "statistics.log", "   Date (UTC) Time     IP Address    Std dev'n Est offset  Offset sd  Diff freq   Est skew  Stress  Ns  Bs  Nr  Asym"},
		tracking:     {"tracking", "tracking.log", "   Date (UTC) Time     IP Address   St   Freq ppm   Skew ppm     Offset L Co  Offset sd Rem. corr. Root delay Root disp. Max. error"},
	}[k]
	return row[0], row[1], row[2]
}

// bannerEvery is in how many lines there is a banner: chrony's default.
const bannerEvery = 32

// appendBanner appends chrony's banner, if the kind has one.
func (k kind) appendBanner(dst []byte) []byte {
	_, _, banner := k.file()
	if banner == "" {
		return dst
	}
	rule := strings.Repeat("=", len(banner)) + "\n"
	return append(dst, rule+banner+"\n"+rule...)
}

// set is which kinds are wanted.
type set [kinds]bool

// wantedBy returns the kinds that the configuration names; none without a folder.
func wantedBy(c *config.Statistics) (s set) {
	for k := range kinds {
		name, _, _ := k.file()
		for _, log := range c.Logs {
			s[k] = s[k] || c.Dir != "" && log == name
		}
	}
	return s
}

func (s *set) any() bool { return *s != set{} }

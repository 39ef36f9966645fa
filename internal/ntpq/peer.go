package ntpq

import (
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"

	"ntsd/internal/ntptime"
	"ntsd/internal/status"
)

// Peer is a line of ntpq's list of peers.
type Peer struct {
	// Tally says what the selection made of it: * the one that is followed, +
	// combined with it, - too distant for that or not needed, x disagrees with
	// the majority, and a blank for everything else.
	Tally   string `json:"tally"`
	Name    string `json:"remote"`  // as configured
	Address string `json:"address"` // empty while unknown
	RefID   string `json:"refid"`   // what the server itself follows
	Stratum int    `json:"stratum"` // 16: not known
	// Type is u for a plain server, p for a pool without an address yet, s for a
	// symmetric peer, l for a clock of this machine, and with NTS how many
	// cookies are held, as NTPsec has it.
	Type string     `json:"type"`
	When status.Ago `json:"last_rx_ago_s"`
	Poll int64      `json:"poll_s"` // 1 at least: ntpq has no fractions
	// Reach has a bit for each of the last eight polls, the latest lowest.
	Reach   int     `json:"reach"`
	DelayS  float64 `json:"delay_s"`
	OffsetS float64 `json:"offset_s"` // positive: our clock is slow
	JitterS float64 `json:"jitter_s"`
}

// unknownStratum is that of a server which has not answered (RFC 5905 section
// 7.2, MAXSTRAT).
const unknownStratum = 16

// Peers returns a line for each source, those without an address included.
func Peers(r *status.Report) []Peer {
	all := make([]Peer, 0, len(r.Sources))
	for i := range r.Sources {
		all = append(all, PeerOf(&r.Sources[i]))
	}
	return all
}

// PeerOf returns the line of one source.
func PeerOf(s *status.Source) Peer {
	p := Peer{
		Tally: tally(s), Name: s.Name, Address: s.Address, RefID: refID(s), Stratum: unknownStratum, Type: kind(s),
		When: s.LastRx, Poll: int64(ntptime.Exponent(max(s.PollLog2, 0)).Duration().Seconds()), Reach: s.Reach,
		OffsetS: 0 - s.Stats.EstimatedOffsetS, JitterS: s.Stats.StdDevS,
	}
	if s.NTP != nil {
		p.DelayS = s.NTP.DelayS
		if s.NTP.Stratum > 0 || s.Kind == kindRefClock { // 0 of a server: it knows none
			p.Stratum = s.NTP.Stratum
		}
		if s.Stats.Samples == 0 {
			p.OffsetS = s.NTP.OffsetS
		}
	}
	return p
}

// The selection's verdicts as ntpq numbers them, in its order: RFC 9327 section
// 3.2.
const (
	selReject = iota
	selFalsetick
	selExcess
	selOutlier
	selCandidate
	selBackup
	selPeer
	selPPS
)

// tallies are ntpq's marks of these.
const tallies = " x.-+#*o"

func tally(s *status.Source) string { return tallies[Selection(s):][:1] }

// Selection is what the selection made of a source, as the three bits of a
// peer's status word.
func Selection(s *status.Source) uint16 {
	if s.Mark == "*" && s.Kind == kindRefClock && strings.HasPrefix(s.Name, "PPS") {
		return selPPS
	}
	return SelectionOf(s.Mark)
}

// SelectionOf is the same of a mark of chronyc's sources.
func SelectionOf(mark string) uint16 {
	switch mark {
	case "*":
		return selPeer
	case "+":
		return selCandidate
	case "-":
		return selOutlier
	case "x":
		return selFalsetick
	}
	return selReject
}

// Kinds of sources in the report.
const (
	kindPool     = "pool"
	kindPeer     = "peer"
	kindRefClock = status.KindRefClock
)

// Cookies returns how many NTS cookies are held for a source, -1 without NTS.
func Cookies(s *status.Source) int {
	if s.Auth.Mode != "nts" {
		return -1
	}
	return s.Auth.Cookies
}

func kind(s *status.Source) string {
	switch {
	case s.Kind == kindRefClock:
		return "l"
	case s.Kind == kindPool && s.Address == "":
		return "p"
	case s.Kind == kindPeer:
		return "s"
	case Cookies(s) >= 0:
		return strconv.Itoa(min(Cookies(s), 9)) // one column
	}
	return "u"
}

// noReferenceID is that of a server which is not synchronised yet.
const noReferenceID = "00000000"

// refID is what a server says it follows, or in four letters what we wait for.
func refID(s *status.Source) string {
	switch {
	case s.NTP != nil && (s.NTP.Stratum > 0 || s.NTP.ReferenceID != noReferenceID):
		return RefIDText(s.NTP.ReferenceID, s.NTP.Stratum)
	case s.Address == "" && s.Kind == kindPool:
		return "POOL"
	case s.Address == "":
		return "DNS"
	case Cookies(s) >= 0 && s.Auth.KeyID == 0 && s.NTP == nil:
		return "NTS"
	}
	return "INIT"
}

// RefIDText shows a reference ID, given in hexadecimal: at stratum 0 and 1 its
// four letters, with dots for what is none, above that an address.
func RefIDText(id string, stratum int) string {
	b, err := hex.DecodeString(id)
	if err != nil || len(b) != 4 {
		return "...."
	}
	if stratum > 1 {
		return netip.AddrFrom4([4]byte(b)).String()
	}
	letters := b
	for len(letters) > 0 && letters[len(letters)-1] == 0 {
		letters = letters[:len(letters)-1]
	}
	if len(letters) == 0 {
		letters = b
	}
	text := make([]byte, len(letters))
	for i, c := range letters {
		if text[i] = c; c <= ' ' || c > '~' || c == '"' || c == ',' || c == '=' {
			text[i] = '.'
		}
	}
	return string(text)
}

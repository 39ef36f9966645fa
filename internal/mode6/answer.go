package mode6

import (
	"errors"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/ntpq"
	"ntsd/internal/status"
)

// View is what answers are made of, at one instant.
type View struct {
	Report status.Report
	Server status.ServerStats
	Host   Host
	Kernel *Kernel // nil: not known
	// Clients returns the server's table of clients; nil: there is none.
	Clients func() []status.Client
}

// Kernel is what the kernel says of its own clock: adjtimex(2).
type Kernel struct {
	Offset             clock.Offset
	Frequency          clock.Rate
	MaxError, EstError time.Duration
	Flags              uint16
	Constant           int64
}

// Host describes the machine, in the words of uname(2).
type Host struct {
	Processor, System, Release string
	PrecisionLog2              int // of its clock
}

// Answer answers a request with the datagrams to send, none where a request is
// none. It keeps nothing of either argument.
func Answer(request []byte, v *View) [][]byte {
	r, err := ParseRequest(request)
	leap := uint8(v.Report.Tracking.Leap)
	switch {
	case errors.Is(err, ErrFormat):
		return r.refuse(leap, errFormat)
	case err != nil:
		return nil
	}
	switch r.Op {
	case opReadStatus:
		return v.readStatus(&r, leap)
	case opReadVars:
		return v.readVars(&r, leap)
	case opNonce:
		return v.readNonce(&r, leap)
	case opReadMRU:
		return v.readClients(&r, leap)
	case opReadClock:
		// None of our sources is a driver with variables of its own.
		return r.refuse(leap, errAssociation)
	case opWriteVars, opWriteClock, opConfigure, opSaveConfig, opReadList:
		return r.refuse(leap, errPermission)
	}
	return r.refuse(leap, errOp)
}

// readStatus lists the associations with their status words, or describes one.
func (v *View) readStatus(r *Request, leap uint8) [][]byte {
	if r.Association != 0 {
		whole := *r
		whole.Data = nil
		return v.readVars(&whole, leap)
	}
	var list []byte
	ids := v.associations()
	for i := range v.Report.Sources {
		w := peerStatus(&v.Report.Sources[i])
		list = append(list, byte(ids[i]>>8), byte(ids[i]), byte(w>>8), byte(w))
	}
	return r.reply(leap, systemStatus(&v.Report.Tracking), list)
}

// readVars answers with the variables that the request names, or with those
// that NTPsec's daemon tells unasked.
func (v *View) readVars(r *Request, leap uint8) [][]byte {
	table, word := v.systemVariables(), systemStatus(&v.Report.Tracking)
	if r.Association != 0 {
		i := slices.Index(v.associations(), r.Association)
		if i < 0 {
			return r.refuse(leap, errAssociation)
		}
		s := &v.Report.Sources[i]
		table, word = peerVariables(s, v.Report.Time), peerStatus(s)
	}
	asked := names(r.Data)
	var text list
	for _, name := range asked {
		i := slices.IndexFunc(table, func(x variable) bool { return x.name == name })
		if i < 0 {
			return r.refuse(leap, errVariable)
		}
		text.add(table[i])
	}
	if len(asked) == 0 {
		for _, x := range table {
			if !x.unasked {
				continue
			}
			text.add(x)
		}
	}
	return r.reply(leap, word, text.bytes())
}

// maxNames bounds the variables that one request asks for: more than there are.
const maxNames = 128

// names returns the names in a request's data.
func names(data []byte) (all []string) {
	for _, pair := range pairs(data) {
		all = append(all, pair[0])
	}
	return all
}

// pairs returns the names in a request's data with their values, which may be
// missing (RFC 9327 section 3).
func pairs(data []byte) (all [][2]string) {
	const blank = " \t\r\n\x00"
	for pair := range strings.SplitSeq(string(data), ",") {
		name, value, _ := strings.Cut(pair, "=")
		if name = strings.Trim(name, blank); name != "" && len(all) < maxNames {
			all = append(all, [2]string{name, strings.Trim(value, blank)})
		}
	}
	return all
}

// The ids of associations: those of the engine while they last, and for sources
// that have no address yet a number made of the name.
const (
	maxEngineID   = 0xbfff
	firstNameID   = 0xc000
	nameIDs       = 0x3fff
	noAssociation = 0
)

// associations returns an id for each source, the same as long as the source is
// the same.
func (v *View) associations() []uint16 {
	ids := make([]uint16, len(v.Report.Sources))
	for i := range v.Report.Sources {
		s := &v.Report.Sources[i]
		id, first, count := uint16(0), uint32(1), uint32(maxEngineID)
		if s.ID != noAssociation {
			id = uint16(1 + (s.ID-1)%maxEngineID)
		} else {
			h := fnv.New32a()
			_, _ = h.Write([]byte(s.Name)) // it never fails
			first, count = firstNameID, nameIDs
			id = uint16(firstNameID + h.Sum32()%nameIDs)
		}
		for slices.Contains(ids[:i], id) { // a wrap, or two names of one hash
			id = uint16(first + (uint32(id)-first+1)%count)
		}
		ids[i] = id
	}
	return ids
}

// Bits of the system status word: RFC 9327 section 3.1.
const (
	syncUnspecified = 0
	syncLocal       = 5
	syncNTP         = 6

	eventRestart   = 6 // of the system
	eventClockSync = 5

	oneEvent = 1 << 4 // how many since the last reading: we do not keep count
)

func systemStatus(t *status.Tracking) uint16 {
	word := uint16(t.Leap)<<14 | oneEvent
	switch {
	case t.Local:
		return word | syncLocal<<8 | eventClockSync
	case t.Synchronised:
		return word | syncNTP<<8 | eventClockSync
	}
	return word | syncUnspecified<<8 | eventRestart
}

func peerStatus(s *status.Source) uint16 {
	return ntpq.StatusWord(ntpq.PeerState{
		Selection: ntpq.Selection(s), Auth: s.Auth.Mode != "none" && s.Auth.Mode != "",
		Authentic: s.NTP != nil && s.NTP.Authenticated, Reach: s.Reach, Answered: s.NTP != nil,
	})
}

package assoc

import (
	"strconv"

	"ntsd/internal/standing"
)

// Verdict is the fate of one received datagram. Every one but VerdictAccepted
// means that it told no time.
type Verdict uint8

// The verdicts, in the order in which they are looked for.
const (
	VerdictAccepted       Verdict = iota
	VerdictStale                  // to an older request, or to none
	VerdictAddress                // from another address than the request went to
	VerdictDuplicate              // the request has its reply
	VerdictMalformed              // cannot be parsed
	VerdictVersion                // not NTP 1 to 4
	VerdictMode                   // not a server's reply
	VerdictOrigin                 // not to this request: RFC 5905 test 2
	VerdictShort                  // to a request without a cookie, which tests whether the path is open
	VerdictPlain                  // without NTS fields, to an NTS request
	VerdictUniqueID               // NTS identifier of another request
	VerdictForged                 // does not verify: test 5
	VerdictNAK                    // the server could not open our cookie
	VerdictUnsigned               // without a MAC, though our key wants one
	VerdictMAC                    // whose MAC is not of our key, or does not verify: test 5
	VerdictCryptoNAK              // the server could not verify our MAC, or somebody says so
	VerdictRate                   // kiss: poll less often
	VerdictDenied                 // kiss: DENY or RSTR
	VerdictKiss                   // kiss: NTSN, though NTS was not asked for
	VerdictTimestamp              // receive or transmit timestamp missing: test 3
	VerdictUnsynchronised         // the server says so: test 6
	VerdictDistance               // root distance: test 7
	VerdictReference              // its reference time is after its transmit time
	VerdictStamp                  // we do not know when it left or arrived
	VerdictOrder                  // transmitted before it was received
	VerdictNegative               // a round trip shorter than the server's own time
	VerdictDelay                  // above maxdelay: test A
	VerdictLoop                   // the server is synchronised to us: test D
	VerdictDelayRatio             // above maxdelayratio: test B
	VerdictDelayDevRatio          // above maxdelaydevratio: test C
	VerdictKnown                  // the exchange it tells of was measured in basic mode
	VerdictCollected              // kept for the option filter
	VerdictOutlier                // the filter would not have it
	VerdictFloor                  // a time that has certainly passed
	VerdictValidity               // a time at which the server's certificates are not valid
	VerdictTrip                   // too long under way to place the clock
	numVerdicts
)

// measured reports whether the filter has seen the sample.
func (v Verdict) measured() bool { return v == VerdictAccepted || v >= VerdictCollected }

// String says the verdict in words.
func (v Verdict) String() string {
	names := [numVerdicts]string{
		VerdictAccepted:       standing.Accepted,
		VerdictStale:          "reply to an older request",
		VerdictAddress:        "reply from another address",
		VerdictDuplicate:      "second reply",
		VerdictMalformed:      "malformed reply",
		VerdictVersion:        "unknown NTP version",
		VerdictMode:           "not a server's reply",
		VerdictOrigin:         "origin timestamp does not match",
		VerdictShort:          "only a request without NTS got a reply",
		VerdictPlain:          "reply without NTS",
		VerdictUniqueID:       "NTS identifier does not match",
		VerdictForged:         "NTS authentication failed",
		VerdictNAK:            "NTS NAK",
		VerdictUnsigned:       "reply without MAC",
		VerdictMAC:            "MAC does not verify",
		VerdictCryptoNAK:      "crypto-NAK",
		VerdictRate:           "kiss-o'-death RATE",
		VerdictDenied:         "kiss-o'-death: access denied",
		VerdictKiss:           "kiss-o'-death",
		VerdictTimestamp:      "timestamp missing",
		VerdictUnsynchronised: "server not synchronised",
		VerdictDistance:       "root distance too large",
		VerdictReference:      "reference time after transmit time",
		VerdictStamp:          "no local timestamp",
		VerdictOrder:          "transmit time before receive time",
		VerdictNegative:       "negative delay",
		VerdictDelay:          "delay too large",
		VerdictLoop:           "server synchronised to us",
		VerdictDelayRatio:     "delay too large against the shortest",
		VerdictDelayDevRatio:  "delay too large against the spread of offsets",
		VerdictKnown:          "interleaved reply about a measured exchange",
		VerdictCollected:      "collected by the filter",
		VerdictOutlier:        "outlier",
		VerdictFloor:          "time before the earliest possible",
		VerdictValidity:       "time outside the validity of the certificates",
		VerdictTrip:           "round trip too long for the first time",
	}
	if v < numVerdicts {
		return names[v]
	}
	return "verdict " + strconv.Itoa(int(v))
}

package server

// Verdict is what became of one request. It indexes Counts.
type Verdict uint8

// The verdicts.
const (
	Answered               Verdict = iota // plain reply
	AnsweredInterleaved                   // the same in interleaved mode (RFC 9769)
	AnsweredNTS                           // authenticated reply with fresh cookies
	AnsweredNTSInterleaved                // the same in interleaved mode
	AnsweredMAC                           // reply authenticated by a symmetric key
	AnsweredMACInterleaved                // the same in interleaved mode
	NAK                                   // NTS NAK: the cookie or the request did not open
	KissRate                              // told to poll less often
	Control                               // a question of mode 6, for the caller to answer
	DropShort                             // no room for a header
	DropVersion                           // not NTPv1 to NTPv4
	DropMode                              // not a client's request
	DropSource                            // an address or port that must not be answered
	DropInterface                         // came in where it is not served
	DropAccess                            // not allowed
	DropRate                              // above the rate limit
	DropFormat                            // malformed extension fields
	DropKey                               // authenticated by a symmetric key that we do not have
	DropMAC                               // by one that we have, and it does not verify
	DropNTS                               // NTS fields that cannot be answered, or NTS is off
	DropRandom                            // no randomness for a nonce
	verdicts                              // how many there are
)

// Verdicts is how many different verdicts there are.
const Verdicts = int(verdicts)

// Replies reports whether a reply goes with the verdict.
func (v Verdict) Replies() bool { return v <= KissRate }

// Interleaved reports whether the reply is one of interleaved mode, whose
// client will ask when it really left.
func (v Verdict) Interleaved() bool {
	return v == AnsweredInterleaved || v == AnsweredNTSInterleaved || v == AnsweredMACInterleaved
}

// String returns the verdict's name as counters show it.
func (v Verdict) String() string {
	names := [...]string{
		Answered:               "answered",
		AnsweredInterleaved:    "answered_interleaved",
		AnsweredNTS:            "answered_nts",
		AnsweredNTSInterleaved: "answered_nts_interleaved",
		AnsweredMAC:            "answered_mac",
		AnsweredMACInterleaved: "answered_mac_interleaved",
		NAK:                    "nak",
		KissRate:               "kiss_rate",
		Control:                "control",
		DropShort:              "drop_short",
		DropVersion:            "drop_version",
		DropMode:               "drop_mode",
		DropSource:             "drop_source",
		DropInterface:          "drop_interface",
		DropAccess:             "drop_access",
		DropRate:               "drop_rate",
		DropFormat:             "drop_format",
		DropKey:                "drop_key",
		DropMAC:                "drop_mac",
		DropNTS:                "drop_nts",
		DropRandom:             "drop_random",
	}
	if int(v) < len(names) {
		return names[v]
	}
	return "unknown"
}

// Counts holds how often each Verdict was given.
type Counts [verdicts]uint64

// Requests returns the number of requests counted.
func (c *Counts) Requests() uint64 {
	var n uint64
	for _, k := range c {
		n += k
	}
	return n
}

// Replies returns the number of replies counted.
func (c *Counts) Replies() uint64 {
	var n uint64
	for v, k := range c {
		if Verdict(v).Replies() {
			n += k
		}
	}
	return n
}

// Add adds d to c: the sum over several servers.
func (c *Counts) Add(d *Counts) {
	for v, k := range d {
		c[v] += k
	}
}

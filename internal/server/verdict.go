package server

// Verdict is what became of one request. It indexes Counts.
type Verdict uint8

// The verdicts.
const (
	Answered    Verdict = iota // plain reply
	AnsweredNTS                // authenticated reply with fresh cookies
	NAK                        // NTS NAK: the cookie or the request did not open
	DropShort                  // no room for a header
	DropVersion                // not NTPv1 to NTPv4
	DropMode                   // not a client's request
	DropSource                 // an address or port that must not be answered
	DropFormat                 // malformed extension fields
	DropMAC                    // symmetric key authentication, which is not offered
	DropNTS                    // NTS fields that cannot be answered, or NTS is off
	DropRandom                 // no randomness for a nonce
	verdicts                   // how many there are
)

// Replies reports whether a reply goes with the verdict.
func (v Verdict) Replies() bool { return v <= NAK }

// String returns the verdict's name as counters show it.
func (v Verdict) String() string {
	switch v {
	case Answered:
		return "answered"
	case AnsweredNTS:
		return "answered_nts"
	case NAK:
		return "nak"
	case DropShort:
		return "drop_short"
	case DropVersion:
		return "drop_version"
	case DropMode:
		return "drop_mode"
	case DropSource:
		return "drop_source"
	case DropFormat:
		return "drop_format"
	case DropMAC:
		return "drop_mac"
	case DropNTS:
		return "drop_nts"
	case DropRandom:
		return "drop_random"
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

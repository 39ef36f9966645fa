// Package standing is what people are told of an association: its last reply,
// how it is authenticated, what was counted. It is layer 2, and values only.
//
// Non-goals: tables and JSON (status), and what the values mean for the clock.
package standing

import (
	"net/netip"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/mac"
	"ntsd/internal/middlebox"
	"ntsd/internal/nts"
	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

// Exchange is the last valid reply; the fields are those of chronyc ntpdata.
type Exchange struct {
	Valid          bool
	Header         wire.Header
	Local          netip.Addr
	ReferenceTime  clock.Wall
	Offset         clock.Offset
	Delay          time.Duration
	Dispersion     time.Duration
	Response       time.Duration
	Asymmetry      float64
	Tests          [3]uint16 // bits of chronyc's three groups, most significant first
	Interleaved    bool
	Authenticated  bool
	Sent, Received event.StampKind
}

// Counters of one association. Each received datagram is counted under one
// verdict.
type Counters struct {
	Sent, Received, Valid, Good uint64
	KernelSent, KernelReceived  uint64
	CardSent, CardReceived      uint64         // stamped by network cards
	Verdicts                    []VerdictCount // those that occurred
}

// NTSCounts says what NTS came to as a client, over all associations.
type NTSCounts struct {
	Sent          uint64 // authenticated requests
	Good          uint64 // replies that verified
	Bad           uint64 // replies to such a request that did not, NAKs among them
	KEGood, KEBad uint64 // key establishments
}

// Count counts the outcome of a key establishment.
func (n *NTSCounts) Count(f nts.FailureClass) {
	if f == nts.FailureNone {
		n.KEGood++
	} else {
		n.KEBad++
	}
}

// Accepted is the name of the verdict on replies that told the time.
const Accepted = "accepted"

// VerdictCount is how often replies met one fate.
type VerdictCount struct {
	Name  string
	Count uint64
}

// Auth is the authentication state; the fields are those of chronyc authdata
// and what a person asks next.
type Auth struct {
	NTS       bool
	Symmetric bool     // a key that both sides were given: KeyID, KeyType, KeyBits
	KeyType   mac.Type // of a symmetric key
	KeyID     uint32   // its id; with NTS how many key establishments are behind the keys in use, 0: no keys
	AEAD      siv.Algorithm
	KeyBits   int
	LastKE    clock.Mono // of the last successful key establishment
	KEKnown   bool
	Attempts  int // since the last success
	NAKs      int
	Cookies   int
	CookieLen int
	OnTrial   bool // their certificates were not judged at a trusted time
	KE        event.KEInfo
	KEAddr    netip.Addr
	KEPort    uint16
	LastError string
	NextKE    clock.Mono // earliest next key establishment, if one is wanted
	KERuns    uint64     // successful, over the life of the association
	// MaxPlaceholders is how many a request may carry; below 7, Path says why.
	MaxPlaceholders int
	Path            middlebox.Finding // what the network does to long requests
}

package ntpq

// Bits of a peer's status word: RFC 9327 section 3.2.
const (
	peerConfigured  = 0x8000
	peerAuthEnabled = 0x4000
	peerAuthentic   = 0x2000
	peerReachable   = 0x1000

	eventMobilised   = 1
	eventUnreachable = 3
	eventReachable   = 4
	eventSystemPeer  = 10

	oneEvent = 1 << 4 // how many since the last reading: nobody keeps count
)

// PeerState is what a status word says of a source.
type PeerState struct {
	Selection       uint16 // see Selection
	Auth, Authentic bool   // wanted; the last reply was
	Reach           int
	Answered        bool // ever
}

// StatusWord returns the word, with the event that led to the state.
func StatusWord(p PeerState) uint16 {
	word := peerConfigured | p.Selection<<8 | oneEvent
	if p.Auth {
		word |= peerAuthEnabled
		if p.Authentic {
			word |= peerAuthentic
		}
	}
	if p.Reach != 0 {
		word |= peerReachable
	}
	switch {
	case p.Selection == selPeer || p.Selection == selPPS:
		return word | eventSystemPeer
	case p.Reach != 0:
		return word | eventReachable
	case p.Answered:
		return word | eventUnreachable
	}
	return word | eventMobilised
}

// Bits of flash: which tests of a packet or of a server failed, as ntpq numbers
// and names them.
const (
	flashDuplicate   = 0x0001
	flashBogus       = 0x0002
	flashUnsynced    = 0x0004
	flashAuth        = 0x0010
	flashStratum     = 0x0020
	flashHeader      = 0x0040
	flashPeerStratum = 0x0200
	flashDistance    = 0x0400
	flashLoop        = 0x0800

	FlashUnreachable = 0x1000
	// FlashSilent is that of a server which never answered.
	FlashSilent = flashPeerStratum | flashDistance | FlashUnreachable
)

// Flash translates the tests of chronyc ntpdata, three groups of digits.
func Flash(tests string) int {
	bits := 0
	for i, bit := range []int{
		flashDuplicate, flashBogus, flashUnsynced, -1, flashAuth, flashStratum, flashHeader, -1,
		flashDistance, flashDistance, flashDistance, flashLoop,
	} {
		if i < len(tests) && tests[i] == '0' {
			bits |= bit
		}
	}
	return bits
}

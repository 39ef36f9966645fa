// Package probe asks a server once and tells everything that can be known of
// it: addresses, key establishment, TLS, certificates, cookies, a measurement,
// and whether longer packets get lost on the way ("ntsctl test"). It is layer
// 3: it knows the formats and reaches the world through the interfaces that it
// declares.
//
// Non-goals: keeping time (nothing of a test reaches the engine, and the clock
// is only read) and judging a server over time (package assoc).
//
// A test is bounded in time and in packets by the constants below, and Desk
// bounds how many run and how often: whoever may click in LuCI may ask for one.
package probe

import "time"

// Implementation constants.
const (
	// Timeout bounds one test. LuCI's own patience is 20 s.
	Timeout = 15 * time.Second
	// lookupTime and establishTime bound the parts that can hang: so that one
	// address that swallows everything leaves time for the next.
	lookupTime    = 5 * time.Second
	establishTime = 6 * time.Second
	// maxShown bounds the addresses that are shown, maxAsked those that are
	// tried until one answers.
	maxShown = 32
	maxAsked = 4
	// replyTime is how long a reply is waited for; once a round trip is known,
	// four of them and leastReply.
	replyTime  = time.Second
	leastReply = 200 * time.Millisecond
	// firstTries is how often the first request is repeated, on each address.
	firstTries = 3
	// maxRequests bounds the NTP requests of one test, lost ones among them. A
	// server that limits rates grants about eight in a row.
	maxRequests = 12
	// pause is kept between requests.
	pause = 50 * time.Millisecond
	// maxReplies bounds the datagrams that are looked at for one request.
	maxReplies = 16
	// maxDatagram is the longest reply that is read: no request is longer than
	// nts.MaxRequestLen, and no reply than its request.
	maxDatagram = 2048
)

package event

import (
	"time"

	"ntsd/internal/clock"
)

// KETrace is what a key establishment came across, however far it came. The
// zero value is one that found nobody.
type KETrace struct {
	Connect   time.Duration // of TCP; 0: not connected
	Handshake time.Duration // of TLS, up to the judgement on the certificates; 0: not as far

	TLSVersion  string
	CipherSuite string
	Group       string // key exchange group
	PostQuantum bool
	ALPN        string // what the server selected; empty: nothing

	Chain    []Certificate // as the server sent it, its own first
	Verified bool          // up to a trusted authority, for the name, at the time
	Refused  string        // why not; empty where nothing was checked
}

// Certificate is what is worth telling about one of a chain.
type Certificate struct {
	Subject             string
	Issuer              string
	Names               []string // whom it is for: names and addresses
	NotBefore, NotAfter clock.Wall
	Key                 string // kind of the public key
}

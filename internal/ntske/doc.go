// Package ntske is NTS key establishment over TLS 1.3 (RFC 8915 sections 3 and
// 4), client and server. It is layer 4: it opens connections and runs
// goroutines; what the bytes mean is package nts, when to do it is the engine.
//
// The client never looks at the machine's clock: at which time a certificate
// has to be valid is part of the request, because on a router without a
// real-time clock "now" is what the exchange is for.
//
// What a key establishment costs the server (scripts/bench-server.sh ke): with a
// P-256 certificate about 330 us of CPU on the machine where chronyd takes 260,
// with RSA-2048 three quarters of chronyd's. Of the 330, the library's X25519
// takes 100, ECDSA 55, system calls 65, hashing and memory the rest; the hybrid
// key exchange adds 120. Tried without effect: P-256 for the key exchange, a
// collector that runs less often, TCP_DEFER_ACCEPT.
//
// Non-goals: back-off between attempts, caching, certificates on demand (ACME),
// resumption. A resumed TLS session would tie the keys of one run to an earlier
// one, and its ticket would let the server recognise a client, so tickets are
// off on both sides.
package ntske

import "time"

// Implementation constants.
const (
	// Timeout bounds a whole exchange of the client, from connecting on. A
	// TLS handshake takes three round trips and, on a slow router, about a
	// second of computing.
	Timeout = 15 * time.Second
	// readChunk is how much the client's buffer grows at a time; a usual
	// response has 600 to 1100 bytes.
	readChunk = 2048

	// ServerTimeout bounds one connection of the server. Generous to a slow
	// router at the end of a slow line; MaxConnections bounds what it costs.
	ServerTimeout = 5 * time.Second
	// drainTimeout bounds the wait for the client's end of the connection,
	// so that a reset does not overtake the response.
	drainTimeout = time.Second
	// MaxConnections is how many clients the server talks to at a time, about
	// 50 kB each.
	MaxConnections = 100
	// clientShare is what part of these one address (of IPv6: one /64) may
	// have, but minShare in any case: a house behind one address has many
	// clients.
	clientShare = 4
	minShare    = 2
	// acceptPause is how long the server rests when the system is out of
	// descriptors.
	acceptPause = 100 * time.Millisecond

	// maxFile bounds a PEM file; Mozilla's bundle of CAs has 0.25 MB.
	maxFile = 4 << 20
	// maxRootsFiles bounds the files read from a folder of CA certificates.
	maxRootsFiles = 1024
	// maxChain bounds the certificates a server may present.
	maxChain = 16
	// maxName and maxReason bound, in bytes, what a certificate's names and a
	// whole reason take up in logs and tables.
	maxName   = 100
	maxReason = 500
)

// Package nts is Network Time Security as bytes (RFC 8915): the records of a
// key establishment (NTS-KE), the extension fields that seal an NTP packet, and
// the cookies our own server hands out. It is layer 1: it imports wire and siv,
// reads no clock, draws no randomness (nonces and identifiers are parameters)
// and keeps no state between packets.
//
// A key establishment is a TLS connection; package ntske does that and calls
// AppendRequest, Framer and ParseResponse. What comes out is a Session, which
// the engine spends cookie by cookie with AppendClientRequest and
// OpenResponse. A server goes the other way: ParseRequest, Keyring.Seal, then
// ParseServerRequest, Keyring.Open, AppendServerResponse.
//
// Associated data is always the bytes as they were received, never a packet
// marshalled again: odd padding is legal and must not break a reply.
//
// Non-goals: TLS, when to poll or to establish new keys, rotation of cookie
// keys, files.
package nts

// Specification constants.
const (
	// UniqueIDLen is the length of the identifiers we send. RFC 8915 §5.3: "at
	// least 32 octets".
	UniqueIDLen = 32
	// DefaultPort is the TCP port of NTS-KE (RFC 8915 §7.1).
	DefaultPort = 4460
	// ALPN is the protocol name in TLS (RFC 8915 §4).
	ALPN = "ntske/1"
	// MaxCookies is how many cookies a client keeps. RFC 8915 §5.7: "the
	// number of unused cookies stored by the client will come to eight".
	MaxCookies = 8
	// ProtocolNTPv4 is the id of NTPv4 in a Next Protocol record (RFC 8915 §7.7).
	ProtocolNTPv4 uint16 = 0
)

// Implementation constants.
const (
	// MaxCookieLen bounds the cookies a client keeps, in bytes. Known servers
	// send 64 to 104; one of this size still fits MaxRequestLen.
	MaxCookieLen = 1024
	// MaxRequestLen bounds an NTP request with its placeholders, in bytes of
	// UDP payload: the IPv6 minimum MTU of 1280 less 48 for IPv6 and UDP, so
	// that no path has to fragment it. Eight cookies of 104 bytes need 988.
	MaxRequestLen = 1232
	// MaxResponseMessage is how much of an NTS-KE response a client reads.
	// RFC 8915 §4: "clients SHOULD accept responses of at least 65536 octets".
	MaxResponseMessage = 65536
	// MaxRequestMessage is how much of an NTS-KE request our server reads, in
	// bytes. RFC 8915 §4: "servers MUST accept requests of at least 1024
	// octets"; nobody needs more than 50.
	MaxRequestMessage = 1024
	// maxListed bounds the identifiers remembered from one list in a record:
	// as many as a request of ours can hold, so that no AEAD 15 is missed.
	maxListed = MaxRequestMessage / 2
	// maxServerName bounds a host name (RFC 1035 section 2.3.4 gives 253 in
	// text, 254 with the final dot).
	maxServerName = 254
)

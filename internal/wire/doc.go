// Package wire is the NTPv4 packet: the 48-byte header (RFC 5905 section 7.3)
// and what follows it, extension fields and a MAC (RFC 7822). It is layer 1:
// bytes to values and back, no clock, no state, no cryptography.
//
// Unknown is not malformed. A version, mode, stratum or extension type that
// this package has no name for parses; only a length that cannot be is an
// error. What to make of a value is the caller's decision.
//
// Parsed values never copy the packet: bodies are views into it.
//
// Non-goals: the meaning of extension fields (package nts has those of NTS),
// checking MACs, NTPv5.
package wire

// Package mode6 answers NTPsec's ntpq: the control messages of NTP, mode 6 (RFC
// 9327). Bytes of a request go in, bytes of replies come out; what they tell
// comes from package status, in the words of package ntpq. It is layer 3.
//
// It only tells. Whatever would change something is refused with the protocol's
// own error, and there is no key that would allow it.
//
// A reply may be many times longer than its request, which makes an open port
// that answers mode 6 a weapon: whoever forges the sender's address has the
// replies sent to his victim. So this is off unless the configuration wants it,
// and package server hands over only what came from a loopback address to a
// loopback address: no reply leaves the machine.
//
// Not here: sockets, who may ask, and mode 7, which is never answered.
package mode6

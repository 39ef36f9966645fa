package interop

import (
	"encoding/binary"
	"net/netip"
	"strings"
)

// Numbers of the domain name system (RFC 1035 sections 3.2 and 4.1, RFC 3596).
const (
	dnsPort     = 53
	dnsTypeA    = 1
	dnsTypeAAAA = 28
	dnsHeader   = 12
	dnsReply    = 0x8580 // a reply, authoritative, recursion desired and available
	dnsNoName   = 3
)

// AnswerDNS answers one question about the names of zone, or returns nil where
// there is none.
func AnswerDNS(zone map[string][]netip.Addr, query []byte) []byte {
	if len(query) < dnsHeader {
		return nil
	}
	var labels []string
	rest := query[dnsHeader:]
	for len(rest) > 0 && rest[0] > 0 && int(rest[0]) < len(rest) {
		labels = append(labels, string(rest[1:1+rest[0]]))
		rest = rest[1+rest[0]:]
	}
	if len(rest) < 5 { // the root label, type and class
		return nil
	}
	typ := binary.BigEndian.Uint16(rest[1:])
	question := query[dnsHeader : len(query)-len(rest)+5]
	addrs, known := zone[strings.ToLower(strings.Join(labels, "."))]
	var answers []byte
	count := uint16(0)
	for _, a := range addrs {
		if a.Is4() != (typ == dnsTypeA) || a.Is6() != (typ == dnsTypeAAAA) {
			continue
		}
		count++
		// A pointer to the question's name, type, class IN, time to live.
		answers = append(answers, 0xc0, dnsHeader, byte(typ>>8), byte(typ), 0, 1, 0, 0, 0, 60, 0, byte(a.BitLen()/8))
		answers = append(answers, a.AsSlice()...)
	}
	flags := uint16(dnsReply)
	if !known {
		flags |= dnsNoName
	}
	reply := append([]byte{}, query[:2]...)
	for _, field := range []uint16{flags, 1, count, 0, 0} {
		reply = binary.BigEndian.AppendUint16(reply, field)
	}
	return append(append(reply, question...), answers...)
}

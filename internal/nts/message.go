package nts

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"ntsd/internal/siv"
)

// Request is what a client asks for in a key establishment.
type Request struct {
	Protocols []uint16        // in order of preference; we ask for NTPv4 alone
	AEADs     []siv.Algorithm // in order of preference
	// CompliantGCMSIV: the client exports AEAD 30 keys as RFC 8915 says
	// (record 1024).
	CompliantGCMSIV bool
	Server          string // NTP server the client would like, usually empty
	Port            uint16 // NTP port it would like, 0 for none
}

// Response is what a server grants.
type Response struct {
	AEAD            siv.Algorithm
	CompliantGCMSIV bool     // record 1024 came back
	Cookies         [][]byte // copies, 1 to MaxCookies
	Server          string   // address or name of the NTP server; empty: the address of the KE server
	Port            uint16   // 0: 123
}

// AppendRequest appends the NTS-KE request. Record 1024 follows when AEAD 30
// is among the algorithms.
func AppendRequest(dst []byte, r Request) []byte {
	// RFC 8915 §4.1.2: Next Protocol "MUST" be critical.
	dst = appendUint16s(dst, RecordNextProtocol, true, r.Protocols)
	dst = appendUint16s(dst, RecordAEAD, true, r.AEADs)
	if r.CompliantGCMSIV {
		dst = Record{Type: RecordCompliantGCMSIV}.Append(dst)
	}
	// RFC 8915 §4.1.7, §4.1.8: on these clients "SHOULD NOT" set the critical bit.
	dst = appendServerPort(dst, false, r.Server, r.Port)
	return appendEnd(dst)
}

// AppendResponse appends the NTS-KE response.
func AppendResponse(dst []byte, r Response) []byte {
	dst = appendUint16s(dst, RecordNextProtocol, true, []uint16{ProtocolNTPv4})
	dst = appendUint16s(dst, RecordAEAD, true, []siv.Algorithm{r.AEAD})
	if r.CompliantGCMSIV {
		dst = Record{Type: RecordCompliantGCMSIV}.Append(dst)
	}
	// RFC 8915 §4.1.7, §4.1.8: "Servers MAY set the Critical Bit". We do, since
	// a client that ignored them would spend its cookies on a server that
	// cannot read them.
	dst = appendServerPort(dst, true, r.Server, r.Port)
	for _, c := range r.Cookies {
		// RFC 8915 §4.1.6: the critical bit "SHOULD NOT" be set.
		dst = Record{Type: RecordCookie, Body: c}.Append(dst)
	}
	return appendEnd(dst)
}

// AppendRefusal appends the response to a request that shares no protocol
// (noProtocol) or no AEAD algorithm with us: an empty list, RFC 8915 §4.1.2
// and §4.1.5.
func AppendRefusal(dst []byte, noProtocol bool) []byte {
	if noProtocol {
		return appendEnd(Record{Type: RecordNextProtocol, Critical: true}.Append(dst))
	}
	dst = appendUint16s(dst, RecordNextProtocol, true, []uint16{ProtocolNTPv4})
	return appendEnd(Record{Type: RecordAEAD, Critical: true}.Append(dst))
}

// AppendError appends a response that is only an Error record.
func AppendError(dst []byte, code ErrorCode) []byte {
	return appendEnd(appendUint16s(dst, RecordError, true, []ErrorCode{code}))
}

func appendServerPort(dst []byte, critical bool, server string, port uint16) []byte {
	if server != "" {
		dst = Record{Type: RecordServer, Critical: critical, Body: []byte(server)}.Append(dst)
	}
	if port != 0 {
		dst = appendUint16s(dst, RecordPort, critical, []uint16{port})
	}
	return dst
}

// appendEnd appends End of Message. RFC 8915 §4.1.1: critical, empty, last.
func appendEnd(dst []byte) []byte {
	return Record{Type: RecordEnd, Critical: true}.Append(dst)
}

// ParseRequest reads a complete request, as our server does. Every error is a
// *RequestError with the code to answer. Lists are cut at a bound.
func ParseRequest(msg []byte) (Request, error) {
	var req Request
	var p requestParser
	for {
		rec, rest, err := ParseRecord(msg)
		if err != nil {
			return Request{}, badRequest("truncated")
		}
		if rec.Type == RecordEnd {
			if !rec.Critical || len(rec.Body) != 0 || len(rest) != 0 {
				return Request{}, badRequest("bad end of message")
			}
			break
		}
		if err := p.record(&req, rec); err != nil {
			return Request{}, err
		}
		msg = rest
	}
	// RFC 8915 §4.1.2: "exactly once in every NTS-KE request". §4.1.5: "exactly
	// once" when NTPv4 is offered.
	if !p.protocol {
		return Request{}, badRequest("no next protocol")
	}
	if req.OffersNTPv4() && !p.aead {
		return Request{}, badRequest("no AEAD algorithm")
	}
	return req, nil
}

// OffersNTPv4 reports whether NTPv4 is among the protocols.
func (r Request) OffersNTPv4() bool { return slices.Contains(r.Protocols, ProtocolNTPv4) }

// requestParser notes which records that may come only once have come.
type requestParser struct{ protocol, aead, server, port bool }

func badRequest(reason string) *RequestError {
	return &RequestError{Code: CodeBadRequest, Reason: reason}
}

func (p *requestParser) record(req *Request, rec Record) error {
	var ok bool
	switch rec.Type {
	case RecordNextProtocol:
		req.Protocols, ok = parseUint16s[uint16](rec.Body)
		if !ok || p.protocol || !rec.Critical || len(rec.Body) == 0 {
			return badRequest("next protocol record")
		}
		p.protocol = true
	case RecordAEAD:
		// The critical bit is the sender's choice here (RFC 8915 §4.1.5).
		req.AEADs, ok = parseUint16s[siv.Algorithm](rec.Body)
		if !ok || p.aead || len(rec.Body) == 0 {
			return badRequest("AEAD record")
		}
		p.aead = true
	case RecordCompliantGCMSIV:
		if len(rec.Body) != 0 {
			return badRequest("record 1024 with a body")
		}
		req.CompliantGCMSIV = true
	case RecordServer:
		req.Server, ok = parseServer(rec.Body)
		if !ok || p.server {
			return badRequest("server record")
		}
		p.server = true
	case RecordPort:
		req.Port, ok = parsePort(rec.Body)
		if !ok || p.port {
			return badRequest("port record")
		}
		p.port = true
	case RecordError, RecordWarning, RecordCookie:
		// RFC 8915 §4.1.3, §4.1.4, §4.1.6: clients "MUST NOT" send these.
		return badRequest("record that only servers send")
	default:
		// RFC 8915 §4, §4.1.3: unknown is ignored unless critical.
		if rec.Critical {
			return &RequestError{
				Code:   CodeUnrecognizedCritical,
				Reason: fmt.Sprintf("record type %d", uint16(rec.Type)),
			}
		}
	}
	return nil
}

// ValidServer reports whether s can stand in a server negotiation record.
func ValidServer(s string) bool {
	_, ok := parseServer([]byte(s))
	return ok
}

// parseServer checks a server negotiation record. RFC 8915 §4.1.7: ASCII, an
// IPv4 address, an IPv6 address without zone and brackets, or a host name.
func parseServer(body []byte) (string, bool) {
	if len(body) == 0 || len(body) > maxServerName {
		return "", false
	}
	s := string(body)
	if addr, err := netip.ParseAddr(s); err == nil {
		return s, addr.Zone() == ""
	}
	for _, c := range body {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		digit := c >= '0' && c <= '9'
		if !letter && !digit && c != '-' && c != '.' && c != '_' {
			return "", false
		}
	}
	return s, true
}

func parsePort(body []byte) (uint16, bool) {
	if len(body) != 2 {
		return 0, false
	}
	port := binary.BigEndian.Uint16(body)
	return port, port != 0
}

package nts

import (
	"encoding/binary"
	"fmt"
	"slices"

	"ntsd/internal/siv"
)

// responseParser collects records, which may come in any order; check judges
// them when all are there.
type responseParser struct {
	resp      Response
	protocols []uint16
	aeads     []siv.Algorithm

	protocol, aead, server, port bool

	failure error // the first Error or Warning record: it wins over everything else
}

func badResponse(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrResponse}, args...)...)
}

// ParseResponse reads a complete response and accepts it only if it answers a
// request that offered those algorithms. Errors are *PeerError, *PeerWarning,
// ErrNoNTPv4, ErrNoAEAD or wrap ErrResponse; ClassOf tells them apart. Once an
// Error or Warning record was read, it is the error, whatever follows.
func ParseResponse(msg []byte, offered []siv.Algorithm) (Response, error) {
	var p responseParser
	resp, err := p.parse(msg, offered)
	if p.failure != nil {
		return Response{}, p.failure
	}
	return resp, err
}

func (p *responseParser) parse(msg []byte, offered []siv.Algorithm) (Response, error) {
	for {
		rec, rest, err := ParseRecord(msg)
		if err != nil {
			return Response{}, badResponse("truncated")
		}
		if rec.Type == RecordEnd {
			// RFC 8915 §4.1.1: critical, empty, last.
			if !rec.Critical || len(rec.Body) != 0 || len(rest) != 0 {
				return Response{}, badResponse("bad end of message")
			}
			return p.check(offered)
		}
		if err := p.record(rec); err != nil {
			return Response{}, err
		}
		msg = rest
	}
}

func (p *responseParser) record(rec Record) error {
	var ok bool
	switch rec.Type {
	case RecordNextProtocol:
		p.protocols, ok = parseUint16s[uint16](rec.Body)
		if !ok || p.protocol || !rec.Critical {
			return badResponse("next protocol record")
		}
		p.protocol = true
	case RecordAEAD:
		p.aeads, ok = parseUint16s[siv.Algorithm](rec.Body)
		if !ok || p.aead {
			return badResponse("AEAD record")
		}
		p.aead = true
	case RecordCompliantGCMSIV:
		if len(rec.Body) != 0 {
			return badResponse("record 1024 with a body")
		}
		p.resp.CompliantGCMSIV = true
	case RecordCookie:
		// RFC 8915 §4.1.6: the critical bit is only a SHOULD NOT. What we
		// could never send back and what is beyond eight is dropped.
		if n := len(rec.Body); n > 0 && n <= MaxCookieLen && len(p.resp.Cookies) < MaxCookies {
			p.resp.Cookies = append(p.resp.Cookies, slices.Clone(rec.Body))
		}
	case RecordServer:
		p.resp.Server, ok = parseServer(rec.Body)
		if !ok || p.server {
			return badResponse("server record")
		}
		p.server = true
	case RecordPort:
		p.resp.Port, ok = parsePort(rec.Body)
		if !ok || p.port {
			return badResponse("port record")
		}
		p.port = true
	case RecordError, RecordWarning:
		return p.trouble(rec)
	default:
		if rec.Critical {
			return badResponse("unknown critical record %d", uint16(rec.Type))
		}
	}
	return nil
}

// trouble notes the first Error or Warning record.
func (p *responseParser) trouble(rec Record) error {
	if len(rec.Body) != 2 {
		return badResponse("error record of %d bytes", len(rec.Body))
	}
	code := binary.BigEndian.Uint16(rec.Body)
	switch {
	case p.failure != nil:
	case rec.Type == RecordError:
		p.failure = &PeerError{Code: ErrorCode(code)}
	default:
		p.failure = &PeerWarning{Code: code}
	}
	return nil
}

// list names the first few of what may be many.
func list[T ~uint16](ids []T) string {
	const most = 4
	if len(ids) > most {
		return fmt.Sprintf("%d and others", ids[:most])
	}
	return fmt.Sprintf("%d", ids)
}

// check applies the rules that need the whole message.
func (p *responseParser) check(offered []siv.Algorithm) (Response, error) {
	switch {
	case !p.protocol:
		return Response{}, badResponse("no next protocol record")
	case len(p.protocols) == 0:
		return Response{}, ErrNoNTPv4
	case len(p.protocols) != 1 || p.protocols[0] != ProtocolNTPv4:
		// RFC 8915 §4.1.2: "MUST comprise a subset of those listed in the request".
		return Response{}, badResponse("next protocols %s", list(p.protocols))
	case !p.aead:
		return Response{}, badResponse("no AEAD record")
	case len(p.aeads) == 0:
		return Response{}, ErrNoAEAD
	case len(p.aeads) != 1:
		// RFC 8915 §4.1.5: "it MUST include at most one", one of ours.
		return Response{}, badResponse("AEAD algorithms %s", list(p.aeads))
	case !slices.Contains(offered, p.aeads[0]):
		// It must have answered with none; ntpsec 1.2.2 names its own instead.
		return Response{}, fmt.Errorf("%w; it has %d", ErrNoAEAD, p.aeads[0])
	case len(p.resp.Cookies) == 0:
		return Response{}, badResponse("no usable cookie")
	}
	p.resp.AEAD = p.aeads[0]
	return p.resp, nil
}

// Choose picks the algorithm a server answers with: the first of the client's
// that the server supports, under the rule for AEAD 30: with record 1024, or
// where AEAD 15 is not offered and the client thus has nothing else. id is
// what the exporter's context carries. ok is false when nothing is in common.
func (r Request) Choose(supported []siv.Algorithm) (alg, id siv.Algorithm, ok bool) {
	for _, a := range r.AEADs {
		if !slices.Contains(supported, a) {
			continue
		}
		if a == siv.AES128GCMSIV && !r.CompliantGCMSIV &&
			slices.Contains(r.AEADs, siv.AESSIVCMAC256) {
			continue
		}
		id, _ = ExporterIDs(a, r.CompliantGCMSIV)
		return a, id, true
	}
	return 0, 0, false
}

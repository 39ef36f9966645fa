package mode6

import (
	"encoding/binary"
	"errors"
)

// Layout of a message (RFC 9327 figure 1). Data is padded to a multiple of four
// bytes, which Count leaves out.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|LI | VN  |  6  |R E M| OpCode  |           Sequence            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|            Status             |        Association ID         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|            Offset             |            Count              |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                            Data ...
const (
	headerLen = 12
	maxData   = 468 // RFC 9327 section 2

	modeControl = 6
	minVersion  = 1
	maxVersion  = 4

	bitResponse = 0x80
	bitError    = 0x40
	bitMore     = 0x20
	maskOp      = 0x1f
)

// Op is an operation (RFC 9327 section 2).
type Op uint8

// The operations that have an answer of their own. Those of NTPsec beyond the
// RFC's stand last.
const (
	opReadStatus Op = 1
	opReadVars   Op = 2
	opWriteVars  Op = 3
	opReadClock  Op = 4
	opWriteClock Op = 5
	opConfigure  Op = 8
	opSaveConfig Op = 9
	opReadMRU    Op = 10
	opReadList   Op = 11
	opNonce      Op = 12
)

// errorCode says why there is no answer (RFC 9327 section 2.1 and NTPsec).
type errorCode uint8

const (
	errPermission  errorCode = 1
	errFormat      errorCode = 2
	errOp          errorCode = 3
	errAssociation errorCode = 4
	errVariable    errorCode = 5
)

// Implementation constants.
const (
	// maxFragments is how many datagrams an answer has at most: ntpq collects no
	// more.
	maxFragments = 32
	maxAnswer    = maxFragments * maxData
)

// What is wrong with a request.
var (
	// ErrNoRequest is for what gets no answer at all: fragments and responses,
	// which somebody else's request may have drawn, and what is not mode 6.
	ErrNoRequest = errors.New("mode6: not a request")
	// ErrFormat is for a request whose lengths do not fit.
	ErrFormat = errors.New("mode6: malformed request")
)

// Request is a request; Data points into what it was parsed from.
type Request struct {
	Version     uint8
	Op          Op
	Sequence    uint16
	Association uint16
	Data        []byte
}

// ParseRequest reads a request. With ErrFormat the result can be used to say so;
// with ErrNoRequest it means nothing. A message authentication code behind the
// data is not looked at, for there is nothing that one would allow.
func ParseRequest(b []byte) (Request, error) {
	if len(b) < headerLen || b[0]&7 != modeControl || b[1]&(bitResponse|bitError|bitMore) != 0 {
		return Request{}, ErrNoRequest
	}
	r := Request{
		Version: b[0] >> 3 & 7, Op: Op(b[1] & maskOp),
		Sequence: binary.BigEndian.Uint16(b[2:]), Association: binary.BigEndian.Uint16(b[6:]),
	}
	offset, count := binary.BigEndian.Uint16(b[8:]), int(binary.BigEndian.Uint16(b[10:]))
	switch {
	case r.Version < minVersion || r.Version > maxVersion || offset != 0:
		return Request{}, ErrNoRequest
	case count > maxData || count > len(b)-headerLen:
		return r, ErrFormat
	}
	r.Data = b[headerLen : headerLen+count]
	return r, nil
}

// appendHeader appends the twelve bytes of a reply's header.
func (r *Request) appendHeader(dst []byte, leap uint8, bits uint8, status uint16, offset, count int) []byte {
	dst = append(dst, leap<<6|r.Version<<3|modeControl, bits|bitResponse|uint8(r.Op))
	for _, field := range []uint16{r.Sequence, status, r.Association, uint16(offset), uint16(count)} {
		dst = binary.BigEndian.AppendUint16(dst, field)
	}
	return dst
}

// reply cuts an answer into datagrams. Of one that is longer than maxAnswer the
// rest is left out.
func (r *Request) reply(leap uint8, status uint16, answer []byte) [][]byte {
	answer = answer[:min(len(answer), maxAnswer)]
	var all [][]byte
	for offset := 0; ; {
		part := answer[offset:min(offset+maxData, len(answer))]
		bits := uint8(0)
		if offset+len(part) < len(answer) {
			bits = bitMore
		}
		b := r.appendHeader(make([]byte, 0, headerLen+maxData), leap, bits, status, offset, len(part))
		b = append(b, part...)
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
		all = append(all, b)
		if offset += len(part); offset == len(answer) {
			return all
		}
	}
}

// refuse answers with an error; its code takes the place of the status.
func (r *Request) refuse(leap uint8, code errorCode) [][]byte {
	return [][]byte{r.appendHeader(nil, leap, bitError, uint16(code)<<8, 0, 0)}
}

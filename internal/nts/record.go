package nts

import (
	"encoding/binary"
	"errors"
	"strconv"
)

// RecordType is the type of an NTS-KE record without the critical bit
// (RFC 8915 section 7.6).
type RecordType uint16

// The record types.
const (
	RecordEnd             RecordType = 0 // End of Message
	RecordNextProtocol    RecordType = 1
	RecordError           RecordType = 2
	RecordWarning         RecordType = 3
	RecordAEAD            RecordType = 4
	RecordCookie          RecordType = 5
	RecordServer          RecordType = 6
	RecordPort            RecordType = 7
	RecordCompliantGCMSIV RecordType = 1024 // AEAD 30 keys are exported as RFC 8915 says
)

const (
	recordHeaderLen = 4
	criticalBit     = 0x8000
)

// errTruncated says that a message ends inside a record.
var errTruncated = errors.New("nts: truncated record")

// Record is one NTS-KE record (RFC 8915 section 4, figure 2):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|C|         Record Type         |          Body Length          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	.                           Record Body                         .
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type Record struct {
	Type     RecordType
	Critical bool
	Body     []byte // a view when parsed
}

// ParseRecord reads the first record of msg and returns what follows it.
func ParseRecord(msg []byte) (r Record, rest []byte, err error) {
	if len(msg) < recordHeaderLen {
		return Record{}, msg, errTruncated
	}
	typ := binary.BigEndian.Uint16(msg)
	n := recordHeaderLen + int(binary.BigEndian.Uint16(msg[2:]))
	if len(msg) < n {
		return Record{}, msg, errTruncated
	}
	r = Record{Type: RecordType(typ &^ criticalBit), Critical: typ&criticalBit != 0}
	r.Body = msg[recordHeaderLen:n:n]
	return r, msg[n:], nil
}

// Append appends the record. It panics if the body is longer than the length
// field can say: a bug, every body we send is bounded.
func (r Record) Append(dst []byte) []byte {
	if len(r.Body) > 0xffff {
		panic("nts: record body of " + strconv.Itoa(len(r.Body)) + " bytes")
	}
	typ := uint16(r.Type)
	if r.Critical {
		typ |= criticalBit
	}
	dst = binary.BigEndian.AppendUint16(dst, typ)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(r.Body)))
	return append(dst, r.Body...)
}

// Framer finds the end of a message that arrives in pieces: TCP and TLS may
// split it anywhere, and RFC 8915 §4 makes messages "self-delimiting" by their
// End of Message record. The zero value is ready; it looks at every record
// once.
type Framer struct {
	off  int
	done bool
}

// Done reports whether msg, everything received so far, holds a complete
// message. Calls must pass the same bytes again with more behind them.
func (f *Framer) Done(msg []byte) bool {
	for !f.done && f.off <= len(msg) {
		r, rest, err := ParseRecord(msg[f.off:])
		if err != nil {
			return false
		}
		f.off = len(msg) - len(rest)
		f.done = r.Type == RecordEnd
	}
	return f.done
}

// appendUint16s appends a record whose body is a list of 16-bit numbers.
func appendUint16s[T ~uint16](dst []byte, typ RecordType, critical bool, list []T) []byte {
	body := make([]byte, 0, 2*len(list))
	for _, v := range list {
		body = binary.BigEndian.AppendUint16(body, uint16(v))
	}
	return Record{Type: typ, Critical: critical, Body: body}.Append(dst)
}

// parseUint16s reads a list of 16-bit numbers, keeping the first maxListed. It
// reports false for an odd length.
func parseUint16s[T ~uint16](body []byte) (list []T, ok bool) {
	if len(body)%2 != 0 {
		return nil, false
	}
	list = make([]T, 0, min(len(body)/2, maxListed))
	for ; len(body) > 0 && len(list) < maxListed; body = body[2:] {
		list = append(list, T(binary.BigEndian.Uint16(body)))
	}
	return list, true
}

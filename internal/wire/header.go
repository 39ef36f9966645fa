package wire

import (
	"encoding/binary"
	"errors"
	"strconv"

	"ntsd/internal/ntptime"
)

// HeaderLen is the length of the header in bytes (RFC 5905 section 7.3).
const HeaderLen = 48

// ErrShort says that a packet ends before its header does.
var ErrShort = errors.New("wire: packet shorter than the header")

// Leap is the leap indicator (RFC 5905 section 7.3, figure 9).
type Leap uint8

// The leap indicators.
const (
	LeapNone    Leap = iota // no warning
	LeapInsert              // the last minute of the day has 61 seconds
	LeapDelete              // the last minute of the day has 59 seconds
	LeapUnknown             // the clock is not synchronised
)

// Mode is the association mode (RFC 5905 section 7.3, figure 10).
type Mode uint8

// The modes.
const (
	ModeReserved Mode = iota
	ModeSymmetricActive
	ModeSymmetricPassive
	ModeClient
	ModeServer
	ModeBroadcast
	ModeControl
	ModePrivate
)

// Version is the NTP version that this package writes.
const Version uint8 = 4

// ReferenceID says where a server has its time from: four characters at
// stratum 1, a kiss code at stratum 0, else the upstream's IPv4 address or a
// hash of its IPv6 address (RFC 5905 section 7.3).
type ReferenceID [4]byte

// String returns the characters when all of them are printable (trailing
// zeros dropped), otherwise eight hexadecimal digits.
func (r ReferenceID) String() string {
	n := len(r)
	for n > 0 && r[n-1] == 0 {
		n--
	}
	for _, c := range r[:n] {
		if c < 0x20 || c > 0x7e {
			return r.Hex()
		}
	}
	if n == 0 {
		return r.Hex()
	}
	return string(r[:n])
}

// Hex returns the eight upper-case hexadecimal digits of r.
func (r ReferenceID) Hex() string {
	const digits = "0123456789ABCDEF"
	var s [8]byte
	for i, c := range r {
		s[2*i], s[2*i+1] = digits[c>>4], digits[c&15]
	}
	return string(s[:])
}

// KissCode is the reason in a kiss-o'-death packet (RFC 5905 section 7.4): four
// ASCII characters, first one in the highest byte. Codes without a name here
// are legal.
type KissCode uint32

// The kiss codes that change what a client does.
const (
	KissDeny KissCode = 'D'<<24 | 'E'<<16 | 'N'<<8 | 'Y' // access denied, stop
	KissRSTR KissCode = 'R'<<24 | 'S'<<16 | 'T'<<8 | 'R' // access restricted, stop
	KissRate KissCode = 'R'<<24 | 'A'<<16 | 'T'<<8 | 'E' // poll less often
	KissNTSN KissCode = 'N'<<24 | 'T'<<16 | 'S'<<8 | 'N' // NTS NAK (RFC 8915 section 5.7)
)

// ReferenceID returns the code as it stands in the header.
func (k KissCode) ReferenceID() ReferenceID {
	var r ReferenceID
	binary.BigEndian.PutUint32(r[:], uint32(k))
	return r
}

// String returns the four characters, quoted where they are not printable.
func (k KissCode) String() string {
	r := k.ReferenceID()
	q := strconv.Quote(string(r[:]))
	return q[1 : len(q)-1]
}

// Header is the NTP header (RFC 5905 section 7.3, figure 8):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|LI | VN  |Mode |    Stratum    |     Poll      |   Precision   |   0
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                          Root delay                           |   4
//	|                        Root dispersion                        |   8
//	|                         Reference ID                          |  12
//	+---------------------------------------------------------------+
//	|                     Reference timestamp (64)                  |  16
//	|                      Origin timestamp (64)                    |  24
//	|                      Receive timestamp (64)                   |  32
//	|                      Transmit timestamp (64)                  |  40
//	+---------------------------------------------------------------+
//
// The zero value appends as 48 zero bytes; a sender sets Version and Mode.
type Header struct {
	Leap           Leap
	Version        uint8 // 0 to 7
	Mode           Mode
	Stratum        uint8 // 0: kiss or unspecified, 1: primary, 2-15, 16: unsynchronised
	Poll           ntptime.Exponent
	Precision      ntptime.Exponent
	RootDelay      ntptime.Short
	RootDispersion ntptime.Short
	ReferenceID    ReferenceID
	ReferenceTime  ntptime.Timestamp
	Origin         ntptime.Timestamp // the request's transmit timestamp
	Receive        ntptime.Timestamp // when the request arrived at the server
	Transmit       ntptime.Timestamp // when this packet left
}

// ParseHeader reads the first 48 bytes of pkt. The only error is ErrShort.
func ParseHeader(pkt []byte) (Header, error) {
	if len(pkt) < HeaderLen {
		return Header{}, ErrShort
	}
	p := pkt[:HeaderLen]
	be := binary.BigEndian
	return Header{
		Leap:           Leap(p[0] >> 6),
		Version:        p[0] >> 3 & 7,
		Mode:           Mode(p[0] & 7),
		Stratum:        p[1],
		Poll:           ntptime.Exponent(p[2]),
		Precision:      ntptime.Exponent(p[3]),
		RootDelay:      ntptime.Short(be.Uint32(p[4:])),
		RootDispersion: ntptime.Short(be.Uint32(p[8:])),
		ReferenceID:    ReferenceID(p[12:16]),
		ReferenceTime:  ntptime.Timestamp(be.Uint64(p[16:])),
		Origin:         ntptime.Timestamp(be.Uint64(p[24:])),
		Receive:        ntptime.Timestamp(be.Uint64(p[32:])),
		Transmit:       ntptime.Timestamp(be.Uint64(p[40:])),
	}, nil
}

// Append appends the 48 bytes of h to dst. Bits of Leap, Version and Mode that
// do not fit their field are dropped.
func (h Header) Append(dst []byte) []byte {
	be := binary.BigEndian
	dst = append(dst,
		byte(h.Leap)<<6|h.Version&7<<3|byte(h.Mode)&7,
		h.Stratum, byte(h.Poll), byte(h.Precision))
	dst = be.AppendUint32(dst, uint32(h.RootDelay))
	dst = be.AppendUint32(dst, uint32(h.RootDispersion))
	dst = append(dst, h.ReferenceID[:]...)
	dst = be.AppendUint64(dst, uint64(h.ReferenceTime))
	dst = be.AppendUint64(dst, uint64(h.Origin))
	dst = be.AppendUint64(dst, uint64(h.Receive))
	return be.AppendUint64(dst, uint64(h.Transmit))
}

// KissCode returns the kiss code when h is a kiss-o'-death packet.
// RFC 5905 §7.4: "If the Stratum field is 0, [...] the Reference Identifier
// field can be used to convey messages"; they come from servers only. An empty
// field conveys none: that server has no time to give yet.
func (h Header) KissCode() (code KissCode, ok bool) {
	if h.Stratum != 0 || h.Mode != ModeServer || h.ReferenceID == (ReferenceID{}) {
		return 0, false
	}
	return KissCode(binary.BigEndian.Uint32(h.ReferenceID[:])), true
}

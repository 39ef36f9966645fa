package cmdmon

import (
	"encoding/binary"
	"math"
	"net/netip"
	"strconv"

	"ntsd/internal/clock"
	"ntsd/internal/status"
)

// The families of an address.
const (
	familyNone = 0
	familyIPv4 = 1
	familyIPv6 = 2
	familyID   = 3 // a source whose address is not known yet
)

// address is what names a source or a client: an IP address, or the number of a
// source that has none yet.
//
//	IPv4(4) or IPv6(16) or number(4), zeros up to 16, family(2), zero(2)
type address struct {
	ip netip.Addr // valid, or
	id uint32     // not zero
}

// parseAddress reads an address; b has addressLength bytes. Families that are
// not known are no address.
func parseAddress(b []byte) address {
	switch binary.BigEndian.Uint16(b[16:]) {
	case familyIPv4:
		return address{ip: netip.AddrFrom4([4]byte(b[:4]))}
	case familyIPv6:
		// Programs that know of two families only (Telegraf) give a number back as
		// such an address. 0::/16 is nobody's (RFC 4291), so they can have their
		// answer, without which they would show no source at all.
		if id := binary.BigEndian.Uint32(b); id != 0 && id < 1<<16 && [12]byte(b[4:16]) == [12]byte{} {
			return address{id: id}
		}
		return address{ip: netip.AddrFrom16([16]byte(b[:16]))}
	case familyID:
		return address{id: binary.BigEndian.Uint32(b)}
	}
	return address{}
}

// ip is the address that a text names; none if it names none.
func ip(text string) address {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return address{}
	}
	return address{ip: a.Unmap().WithZone("")}
}

// reply is one under way: data are appended to it.
type reply []byte

func (r *reply) u8(v uint8)   { *r = append(*r, v) }
func (r *reply) u16(v uint16) { *r = binary.BigEndian.AppendUint16(*r, v) }
func (r *reply) u32(v uint32) { *r = binary.BigEndian.AppendUint32(*r, v) }
func (r *reply) u64(v uint64) { *r = binary.BigEndian.AppendUint64(*r, v) }

func (r *reply) float(x float64) { r.u32(toFloat(x)) }

func (r *reply) zeros(n int) { *r = append(*r, make([]byte, n)...) }

// count adds a number that chrony's 32 bits may be too few for: then it is the
// largest.
func (r *reply) count(n uint64) { r.u32(uint32(min(n, math.MaxUint32))) }

// small adds a number of 16 bits, likewise.
func (r *reply) small(n int) { r.u16(uint16(min(max(n, 0), math.MaxUint16))) }

// ago adds seconds since something; all ones are never.
func (r *reply) ago(a status.Ago) {
	if a < 0 {
		r.u32(math.MaxUint32)
		return
	}
	r.count(uint64(a))
}

// time adds a civil time: seconds since 1970 of 64 bits, and nanoseconds.
func (r *reply) time(t status.Time) {
	sec, nsec := clock.Wall(t).Unix()
	r.u64(uint64(sec))
	r.u32(uint32(nsec))
}

func (r *reply) address(a address) {
	switch {
	case a.ip.Is4():
		b := a.ip.As4()
		*r = append(*r, b[:]...)
		r.zeros(12)
		r.u16(familyIPv4)
	case a.ip.IsValid():
		b := a.ip.As16()
		*r = append(*r, b[:]...)
		r.u16(familyIPv6)
	case a.id != 0:
		r.u32(a.id)
		r.zeros(12)
		r.u16(familyID)
	default:
		r.zeros(16)
		r.u16(familyNone)
	}
	r.u16(0)
}

// referenceID adds eight hexadecimal digits as a number.
func (r *reply) referenceID(hex string) {
	v, _ := strconv.ParseUint(hex, 16, 32) // no digits: no reference
	r.u32(uint32(v))
}

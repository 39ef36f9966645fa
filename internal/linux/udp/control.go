//go:build linux

package udp

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"ntsd/internal/clock"
)

// layout is how one architecture lays out control messages. Tests decode those
// of other machines; everything else uses native.
type layout struct {
	big       bool  // big-endian
	word      int   // bytes in size_t and in a C long
	solSocket int32 // SOL_SOCKET: mips has its own
}

// native returns the layout of this machine.
func native() layout {
	return layout{binary.NativeEndian.Uint16([]byte{0, 1}) == 1, int(unsafe.Sizeof(uintptr(0))), unix.SOL_SOCKET}
}

// control is what the kernel said about a packet beside its bytes.
type control struct {
	stamp   clock.Wall // 0: none
	local   netip.Addr // the address of ours that was asked
	ifIndex uint32     // the interface that it came in on
	// From the error queue:
	queued bool   // this is a transmit timestamp
	key    uint32 // of the how-manieth packet
}

// header is the length of a cmsghdr (size_t length, int level, int type), and
// align rounds up to where the next one may begin.
func (l layout) header() int     { return l.align(l.word + 8) }
func (l layout) align(n int) int { return (n + l.word - 1) &^ (l.word - 1) }

// The numbers are read by a branch, not through binary.ByteOrder: its calls
// would be most of what a packet costs beside the kernel.

func (l layout) u32(b []byte) uint32 {
	if l.big {
		return binary.BigEndian.Uint32(b)
	}
	return binary.LittleEndian.Uint32(b)
}

func (l layout) u64(b []byte) uint64 {
	if l.big {
		return binary.BigEndian.Uint64(b)
	}
	return binary.LittleEndian.Uint64(b)
}

func (l layout) append32(b []byte, v uint32) []byte {
	if l.big {
		return binary.BigEndian.AppendUint32(b, v)
	}
	return binary.LittleEndian.AppendUint32(b, v)
}

func (l layout) append64(b []byte, v uint64) []byte {
	if l.big {
		return binary.BigEndian.AppendUint64(b, v)
	}
	return binary.LittleEndian.AppendUint64(b, v)
}

// parse reads the control messages in b. Unknown and short ones are passed
// over: a packet is worth something without them.
func (l layout) parse(b []byte) control {
	var c control
	for len(b) >= l.header() {
		length := uint64(l.u32(b))
		if l.word == 8 {
			length = l.u64(b)
		}
		if length < uint64(l.header()) || length > uint64(len(b)) {
			return c
		}
		size := int(length)
		level, kind := int32(l.u32(b[l.word:])), l.u32(b[l.word+4:])
		l.one(&c, level, kind, b[l.header():size])
		b = b[min(l.align(size), len(b)):]
	}
	return c
}

// one reads the data of a single control message into c.
func (l layout) one(c *control, level int32, kind uint32, data []byte) {
	switch {
	case level == l.solSocket && (kind == unix.SO_TIMESTAMPING_NEW || kind == unix.SO_TIMESTAMPNS_NEW):
		l.timespec(c, data, 8)
	case level == l.solSocket && (kind == unix.SO_TIMESTAMPING_OLD || kind == unix.SO_TIMESTAMPNS_OLD):
		l.timespec(c, data, l.word)
	case level == unix.IPPROTO_IP && kind == unix.IP_PKTINFO && len(data) >= 12:
		// struct in_pktinfo: int ifindex, in_addr spec_dst, in_addr addr.
		// spec_dst is ours even where addr is a broadcast address.
		c.ifIndex = l.u32(data)
		c.local = netip.AddrFrom4([4]byte(data[4:8]))
	case level == unix.IPPROTO_IPV6 && kind == unix.IPV6_PKTINFO && len(data) >= 20:
		// struct in6_pktinfo: in6_addr addr, unsigned ifindex.
		c.local = netip.AddrFrom16([16]byte(data))
		c.ifIndex = l.u32(data[16:])
	case (level == unix.IPPROTO_IP && kind == unix.IP_RECVERR ||
		level == unix.IPPROTO_IPV6 && kind == unix.IPV6_RECVERR) && len(data) >= 16:
		// struct sock_extended_err: u32 errno, u8 origin, type, code, pad,
		// u32 info, u32 data (the packet's number under OPT_ID).
		c.queued = data[4] == unix.SO_EE_ORIGIN_TIMESTAMPING
		c.key = l.u32(data[12:])
	}
}

// maxSeconds is the last second that clock.Wall holds, in 2262.
const maxSeconds = int64(1<<63-1)/1e9 - 1

// timespec reads the first struct timespec of data, whose numbers have long
// bytes: of scm_timestamping's three that is the software timestamp. Zero
// means that the kernel has none.
func (l layout) timespec(c *control, data []byte, long int) {
	if len(data) < 2*long {
		return
	}
	var sec, nsec int64
	if long == 8 {
		sec, nsec = int64(l.u64(data)), int64(l.u64(data[8:]))
	} else {
		sec, nsec = int64(int32(l.u32(data))), int64(int32(l.u32(data[4:])))
	}
	if nsec < 0 || nsec >= 1e9 || sec < 0 || sec > maxSeconds {
		return
	}
	c.stamp = clock.WallUnix(sec, nsec)
}

// card reads the last of scm_timestamping's three timestamps, a network card's,
// from control messages.
func (l layout) card(b []byte) CardTime {
	for len(b) >= l.header() {
		length := uint64(l.u32(b))
		if l.word == 8 {
			length = l.u64(b)
		}
		if length < uint64(l.header()) || length > uint64(len(b)) {
			return 0
		}
		level, kind, data := int32(l.u32(b[l.word:])), l.u32(b[l.word+4:]), b[l.header():int(length)]
		long := 8
		if kind == unix.SO_TIMESTAMPING_OLD {
			long = l.word
		}
		if level == l.solSocket && (kind == unix.SO_TIMESTAMPING_NEW || kind == unix.SO_TIMESTAMPING_OLD) && len(data) >= 6*long {
			var c control
			l.timespec(&c, data[4*long:], long)
			return CardTime(c.stamp)
		}
		b = b[min(l.align(int(length)), len(b)):]
	}
	return 0
}

// appendPacketInfo appends the control message that makes a reply leave from
// local. The interface is named only for link-local addresses, which mean
// nothing without it; all others go where the routes say.
func (l layout) appendPacketInfo(b []byte, local netip.Addr, ifIndex uint32) []byte {
	if !local.IsValid() || local.IsMulticast() {
		return b
	}
	if local.Is4() {
		b = l.appendHeader(b, unix.IPPROTO_IP, unix.IP_PKTINFO, 12)
		b = append(b, 0, 0, 0, 0)
		a := local.As4()
		b = append(append(b, a[:]...), 0, 0, 0, 0)
	} else {
		b = l.appendHeader(b, unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, 20)
		a := local.As16()
		b = append(b, a[:]...)
		if !local.IsLinkLocalUnicast() {
			ifIndex = 0
		}
		b = l.append32(b, ifIndex)
	}
	for len(b)%l.word != 0 {
		b = append(b, 0)
	}
	return b
}

// appendHeader appends a cmsghdr for data bytes of data.
func (l layout) appendHeader(b []byte, level, kind uint32, data int) []byte {
	if l.word == 8 {
		b = l.append64(b, uint64(l.header()+data))
	} else {
		b = l.append32(b, uint32(l.header()+data))
	}
	b = l.append32(b, level)
	return l.append32(b, kind)
}

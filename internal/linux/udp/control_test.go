//go:build linux

package udp

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"ntsd/internal/clock"
)

// The layouts of the machines that routers are made of.
var (
	amd64   = layout{false, 8, 1}
	s390x   = layout{true, 8, 1}
	arm     = layout{false, 4, 1}
	mips    = layout{true, 4, 0xffff}
	mipsle  = layout{false, 4, 0xffff}
	layouts = map[string]layout{"amd64": amd64, "s390x": s390x, "arm": arm, "mips": mips, "mipsle": mipsle}
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestControlFixtures decodes control messages laid out by hand from
// uapi/linux/socket.h, net_tstamp.h, in.h, ipv6.h and errqueue.h.
func TestControlFixtures(t *testing.T) {
	// 4000000000.123456789 is in 2096: 0xee6b2800 s, 0x075bcd15 ns.
	late := clock.WallUnix(4000000000, 123456789)
	// 1700000000.5 still fits 31 bits: 0x6553f100 s, 0x1dcd6500 ns.
	now := clock.WallUnix(1700000000, 500000000)
	zeros := func(n int) string { return strings.Repeat("00", n) }
	for _, c := range []struct {
		name string
		l    layout
		text string
		want control
	}{
		{
			"TIMESTAMPING_NEW", amd64,
			"4000000000000000 01000000 41000000 00286bee00000000 15cd5b0700000000" + zeros(32),
			control{stamp: late},
		},
		{
			"TIMESTAMPING_OLD", amd64,
			"4000000000000000 01000000 25000000 00286bee00000000 15cd5b0700000000" + zeros(32),
			control{stamp: late},
		},
		{
			"TIMESTAMPING_NEW", s390x,
			"0000000000000040 00000001 00000041 00000000ee6b2800 00000000075bcd15" + zeros(32),
			control{stamp: late},
		},
		{
			"TIMESTAMPING_NEW", arm,
			"3c000000 01000000 41000000 00286bee00000000 15cd5b0700000000" + zeros(32),
			control{stamp: late},
		},
		{
			"TIMESTAMPING_NEW", mips,
			"0000003c 0000ffff 00000041 00000000ee6b2800 00000000075bcd15" + zeros(32),
			control{stamp: late},
		},
		{
			"TIMESTAMPING_OLD", mips,
			"00000024 0000ffff 00000025 6553f100 1dcd6500" + zeros(16),
			control{stamp: now},
		},
		{
			"TIMESTAMPING_OLD", mipsle,
			"24000000 ffff0000 25000000 00f15365 0065cd1d" + zeros(16),
			control{stamp: now},
		},
		{
			"TIMESTAMPNS_NEW", mips,
			"0000001c 0000ffff 00000040 00000000ee6b2800 00000000075bcd15",
			control{stamp: late},
		},
		{
			"TIMESTAMPNS_OLD", arm,
			"14000000 01000000 23000000 00f15365 0065cd1d",
			control{stamp: now},
		},
		{
			"TIMESTAMPNS_OLD", mips,
			"00000014 0000ffff 00000023 6553f100 1dcd6500",
			control{stamp: now},
		},
		{
			"no software stamp", amd64,
			"4000000000000000 01000000 41000000" + zeros(48),
			control{},
		},
		{
			"not this machine's SOL_SOCKET", mips,
			"0000001c 00000001 00000040 00000000ee6b2800 00000000075bcd15",
			control{},
		},
		{
			"nanoseconds out of range", arm,
			"14000000 01000000 23000000 00f15365 00ca9a3b",
			control{},
		},
		{
			"IP_PKTINFO, then a stamp", amd64,
			"1c00000000000000 00000000 08000000 03000000 0a000001 0a0000ff 00000000" +
				"2000000000000000 01000000 40000000 00286bee00000000 15cd5b0700000000",
			control{stamp: late, local: netip.MustParseAddr("10.0.0.1"), ifIndex: 3},
		},
		{
			"IP_PKTINFO", mips,
			"00000018 00000000 00000008 00000003 0a000001 0a0000ff",
			control{local: netip.MustParseAddr("10.0.0.1"), ifIndex: 3},
		},
		{
			"IPV6_PKTINFO", mips,
			"00000020 00000029 00000032 fe800000000000000000000000000001 00000007",
			control{local: netip.MustParseAddr("fe80::1"), ifIndex: 7},
		},
		{
			"transmit stamp and its error", amd64,
			"4000000000000000 01000000 41000000 00286bee00000000 15cd5b0700000000" + zeros(32) +
				"3000000000000000 00000000 0b000000 2a000000 04000000 00000000 09000000" + zeros(16),
			control{stamp: late, queued: true, key: 9},
		},
		{
			"transmit stamp over v6", mips,
			"0000003c 0000ffff 00000041 00000000ee6b2800 00000000075bcd15" + zeros(32) +
				"00000038 00000029 00000019 0000002a 04000000 00000000 00000009" + zeros(28),
			control{stamp: late, queued: true, key: 9},
		},
		{
			"ICMP error is no stamp", mips,
			"0000002c 00000000 0000000b 0000006f 02030300 00000000 00000000" + zeros(16),
			control{},
		},
	} {
		if got := c.l.parse(unhex(t, c.text)); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestAppendPacketInfo(t *testing.T) {
	for _, c := range []struct {
		name  string
		l     layout
		local string
		want  string
	}{
		{"v4", amd64, "10.0.0.1", "1c00000000000000 00000000 08000000 00000000 0a000001 00000000 00000000"},
		{"v4", mips, "10.0.0.1", "00000018 00000000 00000008 00000000 0a000001 00000000"},
		{"global v6", amd64, "2001:db8::1", "2400000000000000 29000000 32000000 20010db8000000000000000000000001 00000000 00000000"},
		{"link-local v6", mips, "fe80::1", "00000020 00000029 00000032 fe800000000000000000000000000001 00000007"},
		{"multicast", mips, "ff02::101", ""},
	} {
		got := c.l.appendPacketInfo(nil, netip.MustParseAddr(c.local), 7)
		if want := unhex(t, c.want); !bytes.Equal(got, want) {
			t.Errorf("%s:\n got %x\nwant %x", c.name, got, want)
		}
	}
	if got := amd64.appendPacketInfo(nil, netip.Addr{}, 7); len(got) != 0 {
		t.Errorf("unknown address: got %x, want nothing", got)
	}
}

func FuzzControl(f *testing.F) {
	f.Add(unhex(f, "0000001c 0000ffff 00000040 00000000ee6b2800 00000000075bcd15"))
	f.Add(unhex(f, "1c00000000000000 00000000 08000000 03000000 0a000001 0a0000ff 00000000"))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, l := range layouts {
			l.parse(b)
			l.card(b)
		}
	})
}

func FuzzSockaddr(f *testing.F) {
	f.Add(appendSockaddr(nil, netip.MustParseAddrPort("192.0.2.1:123"), 0))
	f.Add(appendSockaddr(nil, netip.MustParseAddrPort("[fe80::1]:123"), 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		a := parseSockaddr(b)
		if !a.IsValid() {
			return
		}
		if again := parseSockaddr(appendSockaddr(nil, a, 0)); again != a {
			t.Errorf("%v became %v", a, again)
		}
	})
}

// TestCardStamp: the third of scm_timestamping's timestamps is the card's.
func TestCardStamp(t *testing.T) {
	zeros := func(n int) string { return strings.Repeat("00", n) }
	const late = CardTime(4000000000123456789)
	for _, c := range []struct {
		name string
		l    layout
		text string
		want CardTime
	}{
		{"both", amd64, "4000000000000000 01000000 41000000 00f1536500000000 0065cd1d00000000" + zeros(16) + "00286bee00000000 15cd5b0700000000", late},
		{"the card's only", mips, "0000003c 0000ffff 00000041" + zeros(32) + "00000000ee6b2800 00000000075bcd15", late},
		{"old", mips, "00000024 0000ffff 00000025" + zeros(16) + "6553f100 1dcd6500", 1700000000500000000},
		{"the kernel's only", amd64, "4000000000000000 01000000 41000000 00286bee00000000 15cd5b0700000000" + zeros(32), 0},
		{"another message first", arm, "1c000000 00000000 08000000 03000000 0a000001 0a0000ff 00000000" +
			"3c000000 01000000 41000000" + zeros(32) + "00286bee00000000 15cd5b0700000000", late},
		{"short", amd64, "2000000000000000 01000000 41000000 00286bee00000000 15cd5b0700000000", 0},
		{"longer than there is", amd64, "4100000000000000 01000000 41000000" + zeros(48), 0},
		{"nothing", amd64, "", 0},
	} {
		if got := c.l.card(unhex(t, c.text)); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

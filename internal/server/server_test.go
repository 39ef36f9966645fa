package server

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/ntptime"
	"ntsd/internal/wire"
)

// arrival is an arbitrary time after both 2036-02-07 and 2038-01-19.
func arrival() clock.Wall { return clock.WallUnix(2_300_000_000, 250_000_000) }

func goodSystem() System {
	return System{
		Leap: event.LeapInsert, Stratum: 2, Precision: -23,
		RootDelay: 20 * time.Millisecond, RootDispersion: 3 * time.Millisecond,
		ReferenceID:   wire.ReferenceID{192, 0, 2, 1},
		ReferenceTime: arrival().Add(-30 * time.Second),
	}
}

func request(version uint8, mode wire.Mode) wire.Header {
	return wire.Header{Version: version, Mode: mode, Poll: 6, Transmit: 0x0123456789abcdef}
}

func from(s string) Request {
	return Request{From: netip.MustParseAddrPort(s), Local: netip.MustParseAddr("192.0.2.1"), Received: arrival()}
}

func TestReplyHeader(t *testing.T) {
	req := from("198.51.100.7:40000")
	req.Data = request(4, wire.ModeClient).Append(nil)
	now := arrival().Add(40 * time.Microsecond)
	pkt, v := New(Config{}).Reply([]byte("prefix"), req, now, goodSystem())
	if v != Answered || !bytes.HasPrefix(pkt, []byte("prefix")) {
		t.Fatalf("Reply: got %v, %q", v, pkt)
	}
	got, err := wire.ParseHeader(pkt[len("prefix"):])
	want := wire.Header{
		Leap: wire.LeapInsert, Version: 4, Mode: wire.ModeServer, Stratum: 2, Poll: 6, Precision: -23,
		RootDelay:      ntptime.ShortFrom(20 * time.Millisecond),
		RootDispersion: ntptime.ShortFrom(3 * time.Millisecond),
		ReferenceID:    wire.ReferenceID{192, 0, 2, 1},
		ReferenceTime:  ntptime.FromWall(arrival().Add(-30 * time.Second)),
		Origin:         0x0123456789abcdef,
		Receive:        ntptime.FromWall(arrival()),
		Transmit:       ntptime.FromWall(now),
	}
	if err != nil || got != want || len(pkt) != len("prefix")+wire.HeaderLen {
		t.Errorf("header:\n got %+v (%v)\nwant %+v", got, err, want)
	}
}

func TestUnsynchronised(t *testing.T) {
	for name, spoil := range map[string]func(*System){
		"leap":       func(s *System) { s.Leap = event.LeapUnsynchronised },
		"stratum 0":  func(s *System) { s.Stratum = 0 },
		"stratum 16": func(s *System) { s.Stratum = 16 },
		"zero value": func(s *System) { *s = System{} },
	} {
		sys := goodSystem()
		spoil(&sys)
		req := from("198.51.100.7:40000")
		req.Data = request(4, wire.ModeClient).Append(nil)
		pkt, v := New(Config{}).Reply(nil, req, arrival(), sys)
		h, err := wire.ParseHeader(pkt)
		if err != nil || v != Answered {
			t.Fatalf("%s: got %v, %v", name, v, err)
		}
		if h.Leap != wire.LeapUnknown || h.Stratum != 0 || h.ReferenceID != (wire.ReferenceID{}) ||
			!h.ReferenceTime.IsZero() || h.RootDispersion.Duration() != 16*time.Second {
			t.Errorf("%s: got %+v, want leap 3, stratum 0, no reference, dispersion 16 s", name, h)
		}
	}
}

func TestVerdicts(t *testing.T) {
	type testCase struct {
		name    string
		version uint8
		mode    wire.Mode
		from    string
		local   string
		tail    []byte
		want    Verdict
		reply   wire.Mode
	}
	const client = "198.51.100.7:40000"
	unknown := wire.AppendExtension(nil, 0xF123, make([]byte, 28))
	cases := []testCase{
		{name: "unknown extension", version: 4, mode: 3, tail: unknown, want: Answered, reply: 4},
		{name: "bad extension", version: 4, mode: 3, tail: []byte{
			1, 2, 0, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
			0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		}, want: DropFormat},
		{name: "odd tail", version: 4, mode: 3, tail: make([]byte, 7), want: DropFormat},
		{name: "MAC", version: 4, mode: 3, tail: make([]byte, 20), want: DropKey},
		{name: "extension and MAC", version: 4, mode: 3, tail: append(unknown[:32:32], make([]byte, 24)...), want: DropKey},
		{name: "MAC in version 3", version: 3, mode: 3, tail: make([]byte, 20), want: DropKey},
		{name: "peer", version: 4, mode: 1, from: "198.51.100.7:123", want: Answered, reply: 2},
		{name: "version 1 without mode", version: 1, mode: 0, want: Answered, reply: 4},
		{name: "version 1 peer", version: 1, mode: 0, from: "198.51.100.7:123", want: DropMode},
		{name: "version 2 mode 0", version: 2, mode: 0, want: DropMode},
		{name: "port 0", version: 4, mode: 3, from: "198.51.100.7:0", want: DropSource},
		{name: "from broadcast", version: 4, mode: 3, from: "255.255.255.255:123", want: DropSource},
		{name: "from multicast", version: 4, mode: 3, from: "224.0.1.1:123", want: DropSource},
		{name: "from multicast 6", version: 4, mode: 3, from: "[ff02::101]:123", want: DropSource},
		{name: "from mapped multicast", version: 4, mode: 3, from: "[::ffff:224.0.1.1]:123", want: DropSource},
		{name: "from nowhere", version: 4, mode: 3, from: "0.0.0.0:4000", want: DropSource},
		{name: "to multicast", version: 4, mode: 3, local: "224.0.1.1", want: DropSource},
		{name: "to broadcast", version: 4, mode: 3, local: "255.255.255.255", want: DropSource},
		{name: "IPv6", version: 4, mode: 3, from: "[2001:db8::7]:40000", local: "2001:db8::1", want: Answered, reply: 4},
	}
	for version := uint8(1); version <= 4; version++ {
		cases = append(cases, testCase{name: "client", version: version, mode: 3, want: Answered, reply: 4})
	}
	for _, version := range []uint8{0, 5, 6, 7} {
		cases = append(cases, testCase{name: "other version", version: version, mode: 3, want: DropVersion})
	}
	for _, mode := range []wire.Mode{2, 4, 5, 6, 7} {
		cases = append(cases, testCase{name: "other mode", version: 4, mode: mode, want: DropMode})
	}
	s := New(Config{})
	var want Counts
	for _, c := range cases {
		if c.from == "" {
			c.from = client
		}
		req := from(c.from)
		if c.local != "" {
			req.Local = netip.MustParseAddr(c.local)
		}
		req.Data = append(request(c.version, c.mode).Append(nil), c.tail...)
		want[c.want]++
		pkt, v := s.Reply(nil, req, arrival(), goodSystem())
		if v != c.want || (len(pkt) > 0) != v.Replies() {
			t.Errorf("%s v%d mode %d: got %v and %d bytes, want %v", c.name, c.version, c.mode, v, len(pkt), c.want)
		}
		if h, err := wire.ParseHeader(pkt); v.Replies() && (err != nil || h.Mode != c.reply || h.Version != c.version) {
			t.Errorf("%s v%d: got reply mode %d version %d, want %d, %d", c.name, c.version, h.Mode, h.Version, c.reply, c.version)
		}
	}
	if _, v := s.Reply(nil, from(client), arrival(), goodSystem()); v != DropShort {
		t.Errorf("empty datagram: got %v, want %v", v, DropShort)
	}
	want[DropShort]++
	got := s.Counts()
	if got != want {
		t.Errorf("counts: got %v, want %v", got, want)
	}
	if n := got.Requests(); n != uint64(len(cases)+1) {
		t.Errorf("requests: got %d, want %d", n, len(cases)+1)
	}
	if got.Replies() != got[Answered] {
		t.Errorf("replies: got %d, want %d", got.Replies(), got[Answered])
	}
}

func TestVerdictNames(t *testing.T) {
	seen := map[string]Verdict{}
	for v := Verdict(0); v < verdicts; v++ {
		if old, dup := seen[v.String()]; dup || v.String() == "unknown" {
			t.Errorf("verdict %d: name %q taken by %d", v, v, old)
		}
		seen[v.String()] = v
	}
	if got := verdicts.String(); got != "unknown" {
		t.Errorf("past the last verdict: got %q, want %q", got, "unknown")
	}
}

func BenchmarkPlain(b *testing.B) {
	s := New(Config{})
	req := from("198.51.100.7:40000")
	req.Data = request(4, wire.ModeClient).Append(nil)
	sys := goodSystem()
	buf := make([]byte, 0, wire.HeaderLen)
	b.ReportAllocs()
	for b.Loop() {
		s.Reply(buf, req, arrival(), sys)
	}
}

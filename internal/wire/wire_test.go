package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"ntsd/internal/ntptime"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Layout check by hand against RFC 5905 figure 8: every field differs.
func TestHeaderLayout(t *testing.T) {
	want := Header{
		Leap: LeapDelete, Version: 4, Mode: ModeServer, Stratum: 2, Poll: 6, Precision: -25,
		RootDelay: 0x01020304, RootDispersion: 0x05060708, ReferenceID: ReferenceID{10, 66, 0, 1},
		ReferenceTime: 0x1112131415161718, Origin: 0x2122232425262728,
		Receive: 0x3132333435363738, Transmit: 0x4142434445464748,
	}
	raw := unhex(t, "a40206e7"+"01020304"+"05060708"+"0a420001"+
		"1112131415161718"+"2122232425262728"+"3132333435363738"+"4142434445464748")
	got, err := ParseHeader(raw)
	if err != nil || got != want {
		t.Errorf("ParseHeader = %+v, %v; want %+v", got, err, want)
	}
	if b := want.Append([]byte{0xff}); !bytes.Equal(b[1:], raw) || b[0] != 0xff {
		t.Errorf("Append = %x, want ff%x", b, raw)
	}
}

func TestParseHeaderShort(t *testing.T) {
	for n := range HeaderLen {
		if _, err := ParseHeader(make([]byte, n)); !errors.Is(err, ErrShort) {
			t.Errorf("%d bytes: err = %v, want ErrShort", n, err)
		}
	}
}

func TestKissCode(t *testing.T) {
	h := Header{Version: 4, Mode: ModeServer, ReferenceID: ReferenceID{'R', 'A', 'T', 'E'}}
	if c, ok := h.KissCode(); !ok || c != KissRate || c.String() != "RATE" {
		t.Errorf("KissCode = %v, %v; want RATE, true", c, ok)
	}
	h.Stratum = 1
	if _, ok := h.KissCode(); ok {
		t.Error("KissCode at stratum 1: got ok")
	}
	h.Stratum, h.Mode = 0, ModeClient
	if _, ok := h.KissCode(); ok {
		t.Error("KissCode of a client: got ok")
	}
	if got := KissCode(0x01414243).String(); got != `\x01ABC` {
		t.Errorf("unprintable code = %q, want \\x01ABC", got)
	}
}

func TestReferenceIDString(t *testing.T) {
	for _, c := range []struct {
		id   ReferenceID
		want string
	}{
		{ReferenceID{'G', 'P', 'S', 0}, "GPS"},
		{ReferenceID{'P', 'P', 'S', ' '}, "PPS "},
		{ReferenceID{10, 66, 0, 1}, "0A420001"},
		{ReferenceID{}, "00000000"},
		{ReferenceID{'A', 0, 'B', 0}, "41004200"},
	} {
		if got := c.id.String(); got != c.want {
			t.Errorf("%v.String() = %q, want %q", [4]byte(c.id), got, c.want)
		}
	}
}

// client returns a version 4 request followed by tail.
func client(tail ...byte) []byte {
	return append(Header{Version: 4, Mode: ModeClient}.Append(nil), tail...)
}

func field(typ uint16, length int) []byte {
	b := make([]byte, length)
	b[0], b[1], b[2], b[3] = byte(typ>>8), byte(typ), byte(length>>8), byte(length)
	return b
}

func TestExtensions(t *testing.T) {
	sha256MAC := make([]byte, 36)
	v3 := client(sha256MAC...)
	v3[0] = 3<<3 | byte(ModeClient)
	cases := []struct {
		name    string
		pkt     []byte
		lengths []int
		mac     int
		bad     bool
	}{
		{"nothing", client(), nil, 0, false},
		{"crypto NAK", client(make([]byte, 4)...), nil, 4, false},
		{"MD5", client(make([]byte, 20)...), nil, 20, false},
		{"SHA1", client(make([]byte, 24)...), nil, 24, false},
		{"version 3 with a long MAC", v3, nil, 36, false},
		{"one field", client(field(0x104, 36)...), []int{36}, 0, false},
		{"last field of 28", client(field(0x104, 28)...), []int{28}, 0, false},
		{"last field of 24 is a MAC", client(field(0x104, 24)...), nil, 24, false},
		{"16, 28, MAC", client(append(append(field(1, 16), field(2, 28)...), make([]byte, 20)...)...), []int{16, 28}, 20, false},
		{"field and crypto NAK", client(append(field(1, 28), 0, 0, 0, 0)...), []int{28}, 4, false},
		{"12 bytes", client(make([]byte, 12)...), nil, 0, true},
		{"odd", client(make([]byte, 5)...), nil, 0, true},
		{"length 0", client(make([]byte, 28)...), nil, 0, true},
		{"length below 16", client(append(field(1, 12), make([]byte, 28)...)...), nil, 0, true},
		{"length no multiple of 4", client(append(field(1, 30)[:4:4], make([]byte, 26)...)...), nil, 0, true},
		{"length past the end", client(append(field(1, 40)[:4:4], make([]byte, 32)...)...), nil, 0, true},
		{"short header", make([]byte, 47), nil, 0, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := PacketExtensions(c.pkt)
			var got []int
			off := HeaderLen
			for x, ok := e.Next(); ok; x, ok = e.Next() {
				if x.Offset != off || len(x.Body) != x.Length-4 {
					t.Errorf("field at %d with body %d, want at %d with %d", x.Offset, len(x.Body), off, x.Length-4)
				}
				off += x.Length
				got = append(got, x.Length)
			}
			if len(got) != len(c.lengths) {
				t.Fatalf("lengths = %v, want %v", got, c.lengths)
			}
			for i := range got {
				if got[i] != c.lengths[i] {
					t.Errorf("lengths = %v, want %v", got, c.lengths)
				}
			}
			if len(e.MAC()) != c.mac || (e.Err() != nil) != c.bad {
				t.Errorf("MAC of %d bytes, err %v; want %d, bad %v", len(e.MAC()), e.Err(), c.mac, c.bad)
			}
			if _, ok := e.Next(); ok {
				t.Error("Next after the end: got a field")
			}
		})
	}
}

func TestPlainExtensions(t *testing.T) {
	e := PlainExtensions(append(field(1, 4), field(2, 8)...))
	n := 0
	for x, ok := e.Next(); ok; x, ok = e.Next() {
		n += x.Length
	}
	if n != 12 || e.Err() != nil {
		t.Errorf("walked %d bytes, err %v; want 12, nil", n, e.Err())
	}
	for _, bad := range [][]byte{{1}, {0, 1, 0, 2}, {0, 1, 0, 8}, {0, 1, 0, 0}} {
		e := PlainExtensions(bad)
		if _, ok := e.Next(); ok || e.Err() == nil {
			t.Errorf("%x: ok %v, err %v; want an error", bad, ok, e.Err())
		}
	}
}

func TestAppendExtension(t *testing.T) {
	for _, c := range []struct{ body, length int }{{0, 16}, {12, 16}, {13, 20}, {32, 36}, {33, 40}} {
		body := bytes.Repeat([]byte{0xee}, c.body)
		b := AppendExtension(nil, 0x204, body)
		want := append(field(0x204, c.length)[:4:4], body...)
		want = append(want, make([]byte, c.length-len(want))...)
		if !bytes.Equal(b, want) {
			t.Errorf("body of %d: got %x, want %x", c.body, b, want)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	pkt := client(append(field(0x104, 36), field(0x204, 100)...)...)
	buf := make([]byte, 0, 256)
	sum := 0
	n := testing.AllocsPerRun(100, func() {
		h, _ := ParseHeader(pkt)
		buf = h.Append(buf[:0])
		e := PacketExtensions(pkt)
		for x, ok := e.Next(); ok; x, ok = e.Next() {
			buf = AppendExtension(buf, x.Type, x.Body)
			sum += x.Length
		}
	})
	if n != 0 || sum == 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func FuzzPacket(f *testing.F) {
	f.Add(client())
	f.Add(client(field(0x104, 36)...))
	f.Add(client(append(field(1, 28), make([]byte, 20)...)...))
	f.Fuzz(func(t *testing.T, pkt []byte) {
		h, err := ParseHeader(pkt)
		if err != nil {
			return
		}
		if got := h.Append(nil); !bytes.Equal(got, pkt[:HeaderLen]) {
			t.Errorf("round trip = %x, want %x", got, pkt[:HeaderLen])
		}
		e := PacketExtensions(pkt)
		out := h.Append(nil)
		for x, ok := e.Next(); ok; x, ok = e.Next() {
			out = AppendExtension(out, x.Type, x.Body)
		}
		out = append(out, e.MAC()...)
		if e.Err() == nil && !bytes.Equal(out, pkt) {
			t.Errorf("round trip = %x, want %x", out, pkt)
		}
	})
}

func FuzzPlainExtensions(f *testing.F) {
	f.Add(field(0x204, 100))
	f.Fuzz(func(t *testing.T, data []byte) {
		e := PlainExtensions(data)
		n := 0
		for x, ok := e.Next(); ok; x, ok = e.Next() {
			n += x.Length
		}
		if e.Err() == nil && n != len(data) {
			t.Errorf("walked %d of %d bytes without error", n, len(data))
		}
	})
}

func BenchmarkHeader(b *testing.B) {
	pkt := client()
	buf := make([]byte, 0, 64)
	var sum ntptime.Timestamp
	for b.Loop() {
		h, _ := ParseHeader(pkt)
		sum += h.Transmit
		buf = h.Append(buf[:0])
	}
}

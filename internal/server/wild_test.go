package server

import (
	"encoding/binary"
	"testing"

	"ntsd/internal/wire"
)

// TestClientsInTheWild: requests as programs send them that cannot be run here.
// What they fill in beside version and mode differs; all want a reply of their
// version whose origin is what they sent, zero included.
func TestClientsInTheWild(t *testing.T) {
	type fill map[int]byte // offset to value
	for _, c := range []struct {
		name     string
		first    byte // leap indicator, version, mode
		more     fill
		transmit uint64
		reply    wire.Mode
	}{
		{"busybox ntpd, systemd-timesyncd", 0x23, nil, 0x8d5c7f1e22334455, wire.ModeServer},
		{"Android, SNTP version 3", 0x1b, nil, 0xe5f10a2b00000000, wire.ModeServer},
		{"Arduino sketches, without a timestamp", 0xe3, fill{2: 6, 3: 0xec, 12: 49, 13: 0x4e, 14: 49, 15: 52}, 0, wire.ModeServer},
		{"ntpdate: alarm, root delay and dispersion of 1 s", 0xe3, fill{2: 3, 3: 0xfa, 5: 1, 9: 1}, 0xe5f10a2b12345678, wire.ModeServer},
		{"Windows, client", 0xdb, fill{2: 0x11, 3: 0xe9, 10: 0x0a, 11: 0x31}, 0xe5f10a2b9abcdef0, wire.ModeServer},
		{"Windows, symmetric active by default", 0xd9, fill{2: 0x11, 3: 0xe9, 10: 0x0a, 11: 0x31}, 0xe5f10a2b9abcdef0, wire.ModeSymmetricPassive},
		{"SNTP version 1", 0x0b, nil, 0xe5f10a2b00000001, wire.ModeServer},
		{"SNTP version 2", 0x13, nil, 0xe5f10a2b00000002, wire.ModeServer},
		{"a client of version 1 before there were modes", 0x08, nil, 0xe5f10a2b00000003, wire.ModeServer},
	} {
		data := make([]byte, wire.HeaderLen)
		data[0] = c.first
		for at, b := range c.more {
			data[at] = b
		}
		binary.BigEndian.PutUint64(data[40:], c.transmit) // RFC 5905 figure 8
		req := from("198.51.100.7:40000")
		req.Data = data
		pkt, v := New(Config{}).Reply(nil, req, arrival(), goodSystem())
		h, err := wire.ParseHeader(pkt)
		if v != Answered || err != nil {
			t.Errorf("%s: got %v, %v", c.name, v, err)
			continue
		}
		if h.Version != c.first>>3&7 || h.Mode != c.reply || uint64(h.Origin) != c.transmit || h.Stratum != 2 ||
			h.Receive.IsZero() || h.Transmit.IsZero() {
			t.Errorf("%s: got %+v, want version %d, mode %d, origin %x", c.name, h, c.first>>3&7, c.reply, c.transmit)
		}
	}
}

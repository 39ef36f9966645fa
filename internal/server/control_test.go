package server

import (
	"net/netip"
	"testing"

	"ntsd/internal/wire"
)

// TestControlStaysOnThisMachine: a question of mode 6 is told apart only where
// that is wanted, and only from loopback to loopback. Whatever else it claims,
// it is dropped and counted as before.
func TestControlStaysOnThisMachine(t *testing.T) {
	question := []byte{2<<3 | byte(wire.ModeControl), 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}
	long := append(question[:len(question):len(question)], make([]byte, wire.HeaderLen)...)
	private := append([]byte{2<<3 | byte(wire.ModePrivate)}, question[1:]...)
	for _, c := range []struct {
		name, from, to string
		off            bool
		data           []byte
		want           Verdict
	}{
		{"v4", "127.0.0.1:4000", "127.0.0.1", false, question, Control},
		{"v4 elsewhere in 127/8", "127.0.0.7:4000", "127.0.0.9", false, question, Control},
		{"v4 mapped", "[::ffff:127.0.0.1]:4000", "::ffff:127.0.0.1", false, question, Control},
		{"v6", "[::1]:4000", "::1", false, question, Control},
		{"long", "[::1]:4000", "::1", false, long, Control},
		{"off", "127.0.0.1:4000", "127.0.0.1", true, question, DropShort},
		{"off and long", "127.0.0.1:4000", "127.0.0.1", true, long, DropMode},
		{"from outside", "198.51.100.7:4000", "127.0.0.1", false, question, DropShort},
		{"from outside and long", "198.51.100.7:4000", "192.0.2.1", false, long, DropMode},
		{"forged source", "127.0.0.1:4000", "192.0.2.1", false, question, DropSource},
		{"destination unknown", "127.0.0.1:4000", "", false, question, DropShort},
		{"link-local", "[fe80::1]:4000", "fe80::2", false, question, DropShort},
		{"mode 7", "127.0.0.1:4000", "127.0.0.1", false, private, DropShort},
		{"port 0", "127.0.0.1:0", "127.0.0.1", false, question, DropSource},
		{"empty", "127.0.0.1:4000", "127.0.0.1", false, nil, DropShort},
	} {
		s := New(Config{Policy: &Policy{Control: !c.off}})
		req := Request{From: netip.MustParseAddrPort(c.from), Data: c.data, Received: arrival()}
		if c.to != "" {
			req.Local = netip.MustParseAddr(c.to)
		}
		out, v := s.Reply(nil, req, arrival(), goodSystem())
		if v != c.want || len(out) != 0 || s.Counts()[c.want] != 1 {
			t.Errorf("%s: got %v and %d bytes, want %v and none", c.name, v, len(out), c.want)
		}
	}
}

package assoc

import (
	"testing"

	"ntsd/internal/nts"
	"ntsd/internal/wire"
)

// FuzzReceived feeds datagrams of an attacker who sees the request: nothing
// panics, nothing that does not verify is measured, and the true reply still
// counts afterwards.
func FuzzReceived(f *testing.F) {
	for _, n := range []int{0, 1, 47, 48, 52, 68, 76} {
		f.Add(make([]byte, n), true)
		f.Add(make([]byte, n), false)
	}
	f.Add([]byte{0x24, 0, 6, 0xec}, true)
	f.Fuzz(func(t *testing.T, data []byte, withNTS bool) {
		b := newBench(t, Config{NTS: withNTS})
		if withNTS {
			b.ke()
		}
		req := b.poll()
		// The origin timestamp is known to the attacker.
		if h, err := wire.ParseHeader(req.Data); err == nil && len(data) >= wire.HeaderLen {
			forged, _ := wire.ParseHeader(data)
			forged.Origin, forged.Mode, forged.Version = h.Transmit, wire.ModeServer, 4
			data = append(forged.Append(nil), data[wire.HeaderLen:]...)
		}
		good := b.header(req).Append(nil)
		if withNTS {
			good = b.authentic(req, b.header(req))
		}
		v := b.reply(req, data)
		if withNTS && (v == VerdictAccepted || b.a.Last().Valid) {
			t.Fatalf("a forged reply was taken: %v", v)
		}
		if withNTS {
			r := mustParse(t, req)
			b.reply(req, nts.AppendKiss(nil, b.header(req), &r, wire.KissNTSN))
			if v := b.reply(req, good); v != VerdictAccepted {
				t.Fatalf("the true reply: %v", v)
			}
		}
		for range 3 {
			b.poll()
		}
	})
}

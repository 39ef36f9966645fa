package acceptance

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"ntsd/internal/clock"
	"ntsd/internal/interop"
	"ntsd/internal/status"
	"ntsd/internal/wire"
)

// TestSmoothedTimeIsServed: the upstream's time jumps by 60 ms and the daemon's
// clock follows. Its clients see none of that, and are told that what they see
// is not the best there is, until the operator ends it.
func TestSmoothedTimeIsServed(t *testing.T) {
	w := newWorld(t)
	const jump, close = 0.06, 0.02
	s := w.nts(nil)
	port := freePort(t)
	d := w.start(w.config(source(s), serving(port, "127.0.0.1"), section("smoothtime", "maxppm", "100", "maxwander", "10")))
	d.synchronised()
	smoothing := func() (got status.Smoothing) {
		t.Helper()
		if err := json.Unmarshal([]byte(d.ask("smoothing", "--json")), &got); err != nil {
			t.Fatal(err)
		}
		return got
	}
	eventually(t, "the beginning", func() bool { return smoothing().Active })
	if rows := d.ask("smoothing"); !strings.HasPrefix(rows, "Active         : Yes \nOffset         : ") || strings.Count(rows, "\n") != 6 {
		t.Errorf("got the rows\n%s", rows)
	}
	var got interop.Sample
	served := func(ok func(h wire.Header) bool) func() bool {
		return func() bool {
			var err error
			got, err = interop.ExchangePlain(onLoopback(port), silence)
			return err == nil && ok(got.Header)
		}
	}
	// Where the clock is right the reference is the upstream; it may be some us off.
	eventually(t, "time", served(func(h wire.Header) bool { return h.Stratum == 2 }))
	if off := got.Offset.Seconds(); math.Abs(off) > close {
		t.Errorf("before the jump: %v s off", off)
	}

	s.SetOffset(clock.OffsetSeconds(jump))
	eventually(t, "the jump", func() bool { return math.Abs(smoothing().OffsetS+jump) < close })
	// The server hears of it once a second.
	smoothed := wire.ReferenceID{127, 127, 1, 255}
	eventually(t, "smoothed time", served(func(h wire.Header) bool {
		return h.ReferenceID == smoothed && h.RootDispersion.Duration().Seconds() > jump-close
	}))
	if off := got.Offset.Seconds(); math.Abs(off) > close {
		t.Errorf("clients see time that is %v s off what it was", off)
	}
	// A correction after the reset would be smoothed again.
	eventually(t, "true time", func() bool {
		if out := d.ask("smoothtime", "reset"); out != "200 OK\n" {
			t.Fatalf("smoothtime reset: %q", out)
		}
		return served(func(wire.Header) bool { return math.Abs(got.Offset.Seconds()-jump) < close })()
	})
}

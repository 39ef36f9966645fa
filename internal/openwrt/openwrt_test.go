package openwrt

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"reflect"
	"testing"
	"time"

	"ntsd/internal/ubus/tape"
)

var record = flag.Bool("record", false, "write testdata/conversation anew, on the router whose socket UBUS names") //nolint:gochecknoglobals // a flag

// conversation is what was said on a router with ubusd, procd and netifd of
// January 2026: a WAN with DHCP, which went down in the middle.
const conversation = "testdata/conversation"

// TestRouter: the interfaces as they are, an event for those who wait for the
// time, and the interfaces again when one has gone down.
func TestRouter(t *testing.T) {
	socket, end := "", func(string) {}
	if *record {
		socket, end = tape.Record(t, os.Getenv("UBUS"))
	} else {
		socket = tape.Replay(t, conversation)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := New(socket, slog.New(slog.DiscardHandler))
	changes := make(chan []Interface)
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Run(ctx, nil, func(all []Interface) { changes <- all })
	}()
	for _, want := range [][]Interface{
		{
			{Name: "lan", Device: "br-lan", Up: true},
			{Name: "loopback", Device: "lo", Up: true},
			{Name: "wan", Device: "eth1", Up: true, Defaults: "4", TimeServers: []string{"10.9.0.1"}},
		},
		{
			{Name: "lan", Device: "br-lan", Up: true},
			{Name: "loopback", Device: "lo", Up: true},
			{Name: "wan"},
		},
	} {
		if got := <-changes; !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
		if want[2].Up {
			r.Announce([]string{"ACTION=stratum", "stratum=2", "NTSD=1"})
		}
	}
	end(conversation)
	cancel()
	<-done
}

// TestAnnounceNeverWaits: where there is no bus the oldest events are
// forgotten.
func TestAnnounceNeverWaits(t *testing.T) {
	r := New("/nonexistent/socket", slog.New(slog.DiscardHandler))
	for n := range maxEvents + 3 {
		r.Announce([]string{string(rune('a' + n))})
	}
	if got := (<-r.events)[0]; got != "d" || len(r.events) != maxEvents-1 {
		t.Errorf("got %s first, %d more, want d and %d", got, len(r.events), maxEvents-1)
	}
}

// TestNoBus: Run waits for it, and ends when it is told to.
func TestNoBus(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	New("/nonexistent/socket", slog.New(slog.DiscardHandler)).Run(ctx, nil, func(all []Interface) { t.Errorf("got %v", all) })
}

package ubus

import (
	"errors"
	"flag"
	"testing"

	"ntsd/internal/ubus/tape"
)

var record = flag.Bool("record", false, "write testdata/conversation anew, with the ubusd that UBUSD names") //nolint:gochecknoglobals // a flag

// conversation is what a client of ours and ubusd said.
const conversation = "testdata/conversation"

// TestConversation: what we send is what a real ubusd accepted, and what it
// answered we understand: a greeting, an object of ours, a call of it that
// comes back to us through the bus, refusals.
func TestConversation(t *testing.T) {
	socket, end := "", func(string) {}
	if *record {
		ubusd, _ := startUbusd(t)
		socket, end = tape.Record(t, ubusd)
	} else {
		socket = tape.Replay(t, conversation)
	}
	ctx := t.Context()
	conn, err := Dial(ctx, socket)
	if err != nil {
		t.Fatal(err)
	}
	o := &Object{
		Path: "ntsd.test", Methods: map[string]Table{"status": {"verbose": int64(typeInt8)}},
		Handle: func(_ string, args Table) (Table, error) {
			return Table{"verbose": args.Bool("verbose"), "offset": -1.5e-6, "sources": []any{Table{"name": "a", "reach": int64(255)}}}, nil
		},
	}
	if err := conn.Add(ctx, o); err != nil {
		t.Fatal(err)
	}
	got, err := conn.Call(ctx, "ntsd.test", "status", Table{"verbose": true})
	if err != nil || !got.Bool("verbose") || got["offset"] != -1.5e-6 || len(got.List("sources")) != 1 {
		t.Errorf("status: got %v, %v", got, err)
	}
	if _, err := conn.Call(ctx, "ntsd.test", "reboot", nil); !errors.Is(err, StatusMethodNotFound) {
		t.Errorf("reboot: got %v, want %v", err, StatusMethodNotFound)
	}
	if _, err := conn.Call(ctx, "hotplug.ntp", "call", nil); !errors.Is(err, StatusNotFound) {
		t.Errorf("hotplug.ntp: got %v, want %v", err, StatusNotFound)
	}
	conn.Close()
	<-conn.Closed()
	end(conversation)
}

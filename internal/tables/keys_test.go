package tables

import (
	"strings"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/status"
)

func at(y int, m time.Month, d int) status.Time {
	return status.Time(clock.WallTime(time.Date(y, m, d, 12, 0, 0, 0, time.UTC)))
}

// rendered compares what a table says.
func rendered[T any](t *testing.T, render func(*strings.Builder, T, Options) error, v T, o Options, want string) {
	t.Helper()
	var b strings.Builder
	if err := render(&b, v, o); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestNTSKeys(t *testing.T) {
	render := func(b *strings.Builder, k status.NTSKeys, o Options) error { return NTSKeys(b, k, o) }
	k := status.NTSKeys{
		Keys: []status.NTSKey{
			{ID: 9, State: status.KeyNext}, {ID: 8, State: status.KeyCurrent, Made: at(2030, 6, 15), AgeS: 600}, {ID: 7, State: status.KeyOld, AgeS: 87000},
		},
		Shared: "/mnt/keys", RotateS: 86400, Next: at(2030, 6, 16), FlashDay: 2, Flash: 30,
	}
	const table = `  Id        State    Age
=========================
9           next        -
8           current   600
7           old       24h
`
	rendered(t, render, k, Options{}, table+"\nNext rotation 2030-06-16T12:00:00Z, one every 24h0m0s.\nShared with a fleet by /mnt/keys.\n")
	rendered(t, render, k, Options{CSV: true}, "9,next,0\n8,current,600\n7,old,87000\n")
	k.Waiting, k.Shared = true, ""
	rendered(t, render, k, Options{Verbose: true}, table+
		"\nNo rotation before the clock is synchronised.\nFiles written to flash: 2 within a day, 30 since the start.\n")
	var b strings.Builder
	if err := NTSKeys(&b, status.NTSKeys{}, Options{}); err != nil || !strings.HasPrefix(b.String(), "No cookie keys") {
		t.Errorf("no keys: got %q, %v", b.String(), err)
	}
}

func TestCA(t *testing.T) {
	render := func(b *strings.Builder, c status.CA, o Options) error { return CA(b, c, o) }
	c := status.CA{
		Subject: "ntsd LAN CA 01020304 of router", Fingerprint: "AB:CD", File: "/etc/ntsd/state/lan-ca.pem",
		Names: []string{"router", "192.168.1.1"}, NotBefore: at(2030, 6, 14), NotAfter: at(2030, 12, 12), Next: at(2030, 10, 13),
	}
	const head = `Authority   : ntsd LAN CA 01020304 of router
SHA-256     : AB:CD
File        : /etc/ntsd/state/lan-ca.pem
`
	rendered(t, render, c, Options{}, head+`Certificate : 2030-06-14 to 2030-12-12, renewed 2030-10-13
Names       : router, 192.168.1.1
`)
	c.Names = nil
	rendered(t, render, c, Options{}, head+"Certificate : none before the clock is synchronised\n")
}

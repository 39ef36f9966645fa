//go:build linux

package store

import (
	"bytes"
	"flag"
	"os"
	"reflect"
	"testing"

	"ntsd/internal/nts"
)

var update = flag.Bool("update", false, "write testdata/written.* anew, on a little-endian machine") //nolint:gochecknoglobals // a flag

// TestWrittenElsewhere reads what a little-endian 64-bit machine has written,
// and writes the same bytes: a flash may move to a router of another kind. Its
// worth is under "make cross", where the reader is big-endian and of 32 bits.
func TestWrittenElsewhere(t *testing.T) {
	state := fullState()
	sessions := []nts.Session{session(t, "192.0.2.1:4460"), session(t, "[2001:db8::1]:443")}
	var reserve []byte
	for i := range sessions {
		sessions[i].Cookies = sessions[i].Cookies[:ReserveCookies]
		reserve = AppendSession(reserve, sessions[i])
	}
	written := func(path string, here []byte) string {
		t.Helper()
		if *update {
			if err := os.WriteFile(path, here, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		there, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(there, here) {
			t.Errorf("%s: %v, holds\n%swould be written here as\n%s", path, err, there, here)
		}
		// What others may read or write is refused, so it needs to be our own.
		return put(t, "own", PrivatePerm, string(there))
	}
	if got, err := LoadState(written("testdata/written.state.txt", AppendState(nil, state))); err != nil || !reflect.DeepEqual(got, state) {
		t.Errorf("state: got %+v %v\nwant %+v", got, err, state)
	}
	if got, err := LoadReserve(written("testdata/written.reserve.txt", reserve)); err != nil || !reflect.DeepEqual(got, sessions) {
		t.Errorf("reserve: got %+v %v\nwant %+v", got, err, sessions)
	}
}

package acceptance

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"ntsd/internal/interop"
	"ntsd/internal/siv"
)

// TestKEFlood: thousands of connections that say nothing, from many addresses,
// neither keep a client from its keys nor make the daemon grow.
func TestKEFlood(t *testing.T) {
	s := newWorld(t).serveNTS()
	const flood, addresses, most = 4000, 40, 100 // the last is the default of max_connections
	descriptors := func() int {
		entries, err := os.ReadDir(filepath.Join("/proc", fmt.Sprint(s.cmd.Process.Pid), "fd"))
		if err != nil {
			interop.Unavailable(t, "acceptance: %v", err)
		}
		return len(entries)
	}
	before := descriptors()
	served := 0
	for i := range flood {
		from := netip.AddrFrom4([4]byte{127, 77, 0, byte(1 + i%addresses)})
		dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0)), Timeout: limit}
		conn, err := dialer.DialContext(t.Context(), "tcp", onLoopback(s.ke).String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if i%500 == 499 {
			if n := descriptors(); n > before+most+20 {
				t.Errorf("after %d connections: got %d descriptors, want at most %d more than %d", i+1, n, most, before)
			}
			s.establish(siv.AESSIVCMAC256) // fails the test if it is not served at once
			served++
		}
	}
	got := s.stats()
	if got.KE.Good != uint64(served) || got.KE.Crowded+got.KE.Displaced+got.KE.Slow < flood-most {
		t.Errorf("got %+v, want %d served and the others not", got.KE, served)
	}
}

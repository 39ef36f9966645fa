package resolve

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// The file is what OpenWrt's netifd writes.
func TestServers(t *testing.T) {
	dir := t.TempDir()
	empty, full := filepath.Join(dir, "empty"), filepath.Join(dir, "full")
	text := "# Interface wan\nnameserver 192.0.2.1\nnameserver 192.0.2.1\nsearch lan\n" +
		"# Interface wan6\nnameserver 2001:db8::1\nnameserver fe80::1%wan\nnameserver nonsense\nnameserver 0.0.0.0\nnameserver\n"
	for path, text := range map[string]string{empty: "# Interface wan\n", full: text} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := []netip.AddrPort{
		netip.MustParseAddrPort("192.0.2.1:53"), netip.MustParseAddrPort("[2001:db8::1]:53"), netip.MustParseAddrPort("[fe80::1%wan]:53"),
	}
	if got := Servers(filepath.Join(dir, "none"), empty, full); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := Servers(empty); got != nil {
		t.Errorf("without servers: got %v", got)
	}
	var many []byte
	for i := range 2 * maxServers {
		many = fmt.Appendf(many, "nameserver 192.0.2.%d\n", i+1)
	}
	if got := ParseServers(many); len(got) != maxServers {
		t.Errorf("got %d servers, want %d", len(got), maxServers)
	}
}

func FuzzParseServers(f *testing.F) {
	f.Add([]byte("nameserver 192.0.2.1\n"))
	f.Add([]byte("nameserver fe80::1%eth0 # x"))
	f.Fuzz(func(t *testing.T, b []byte) {
		servers := ParseServers(b)
		if len(servers) > maxServers {
			t.Errorf("%d servers", len(servers))
		}
		for _, s := range servers {
			if !s.IsValid() || s.Port() != 53 {
				t.Errorf("no server: %v", s)
			}
		}
	})
}

package resolve

import (
	"bytes"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// Bounds of a list of name servers.
const (
	maxServers    = 8
	maxServerFile = 16 << 10
)

// Servers returns the name servers in the first of the files that has any, as
// resolv.conf(5) lists them.
func Servers(paths ...string) []netip.AddrPort {
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		b, err := io.ReadAll(io.LimitReader(f, maxServerFile))
		f.Close()
		if servers := ParseServers(b); err == nil && len(servers) > 0 {
			return servers
		}
	}
	return nil
}

// ParseServers reads the lines "nameserver ADDRESS"; everything else is passed
// over. At most 8 are kept, none twice.
func ParseServers(b []byte) []netip.AddrPort {
	var servers []netip.AddrPort
	for line := range bytes.Lines(b) {
		f := strings.Fields(string(line))
		if len(f) < 2 || f[0] != "nameserver" {
			continue
		}
		a, err := netip.ParseAddr(f[1])
		if err != nil || a.IsUnspecified() || a.IsMulticast() {
			continue
		}
		if s := netip.AddrPortFrom(a, 53); !slices.Contains(servers, s) {
			servers = append(servers, s)
		}
		if len(servers) == maxServers {
			break
		}
	}
	return servers
}

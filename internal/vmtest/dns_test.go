package vmtest

import (
	"net"
	"net/netip"
	"sync"

	"ntsd/internal/interop"
)

// zone is what the name server knows. It is safe for concurrent use.
type zone struct {
	mu    sync.Mutex
	addrs map[string][]netip.Addr
}

// names are those of all scenarios: there is one name server for them.
var names = zone{addrs: map[string][]netip.Addr{}} //nolint:gochecknoglobals // as the network is

func (z *zone) add(name string, addr netip.Addr) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.addrs[name] = []netip.Addr{addr}
}

func (z *zone) answer(query []byte) []byte {
	z.mu.Lock()
	defer z.mu.Unlock()
	return interop.AnswerDNS(z.addrs, query)
}

// serve answers until the process ends.
func (z *zone) serve() error {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(nameServer), Port: 53})
	if err != nil {
		return err
	}
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				continue // an ICMP error for an earlier answer
			}
			if reply := z.answer(buf[:n]); reply != nil {
				_, _ = conn.WriteToUDPAddrPort(reply, from) // a lost reply is asked for again
			}
		}
	}()
	return nil
}

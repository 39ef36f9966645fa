package interop

import (
	"net"
	"net/netip"
)

// startDNS runs a name server on the host that knows these names. The names
// of an address family come in the order given.
func (h *Host) startDNS(zone map[string][]netip.Addr) {
	h.t.Helper()
	var conn *net.UDPConn
	err := h.Do(func() (err error) {
		conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(h.IPv4, dnsPort)))
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, maxPacket)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			if reply := AnswerDNS(zone, buf[:n]); reply != nil {
				_, _ = conn.WriteToUDPAddrPort(reply, from) // a lost reply is asked for again
			}
		}
	}()
	h.t.Cleanup(func() {
		conn.Close()
		<-done
	})
}

package interop

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"ntsd/internal/nts"
)

// maxPacket is more than any of our datagrams.
const maxPacket = 2048

// path is a host between a client and a server: clients talk to its addresses
// as if it were the server. It carries TLS connections through, which it
// cannot look into, and does to datagrams what an attacker, or a bad link,
// can.
type path struct {
	h   *Host
	ntp *net.UDPConn

	mu       sync.Mutex
	server   *Host
	requests [][]byte
	ke       int                     // connections to key establishment
	longest  int                     // of requests that arrive, in bytes; 0: any
	lost     int                     // so many of the next do not
	reply    func(pkt []byte) []byte // what arrives of a reply; nil: all
}

// path makes the host of that name the way to the server.
func (l *lab) path(name string, server *Host) *path {
	l.t.Helper()
	p := &path{h: l.Host(name), server: server}
	var ke *net.TCPListener
	err := p.h.Do(func() (err error) {
		p.ntp, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(p.h.IPv4, ntpPort)))
		if err != nil {
			return err
		}
		ke, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(p.h.IPv4, nts.DefaultPort)))
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	var joined sync.WaitGroup
	joined.Go(func() { p.carryKE(ke, &joined) })
	joined.Go(func() { p.carryNTP(&joined) })
	l.t.Cleanup(func() {
		ke.Close()
		p.ntp.Close()
		joined.Wait()
	})
	return p
}

// carryKE connects clients with the server until the listener is closed.
func (p *path) carryKE(ln *net.TCPListener, joined *sync.WaitGroup) {
	for {
		client, err := ln.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.ke++
		p.mu.Unlock()
		joined.Go(func() {
			defer client.Close()
			server, err := p.dial("tcp", nts.DefaultPort)
			if err != nil {
				return
			}
			defer server.Close()
			var back sync.WaitGroup
			back.Go(func() {
				_, _ = io.Copy(client, server)
				_ = client.Close()
			})
			_, _ = io.Copy(server, client)
			_ = server.(*net.TCPConn).CloseWrite()
			back.Wait()
		})
	}
}

// dial connects the path with the server.
func (p *path) dial(network string, port uint16) (conn net.Conn, err error) {
	p.mu.Lock()
	to := netip.AddrPortFrom(p.server.IPv4, port)
	p.mu.Unlock()
	err = p.h.Do(func() error {
		if network == "tcp" {
			conn, err = net.DialTCP(network, nil, net.TCPAddrFromAddrPort(to))
		} else {
			conn, err = net.DialUDP(network, nil, net.UDPAddrFromAddrPort(to))
		}
		return err
	})
	return conn, err
}

// carryNTP carries requests, each from a port of its own, until the socket is
// closed.
func (p *path) carryNTP(joined *sync.WaitGroup) {
	buf := make([]byte, maxPacket)
	for {
		n, client, err := p.ntp.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		request := bytes.Clone(buf[:n])
		p.mu.Lock()
		p.requests = append(p.requests, request)
		dropped := p.lost > 0 || p.longest > 0 && n > p.longest
		p.lost = max(0, p.lost-1)
		p.mu.Unlock()
		if dropped {
			continue
		}
		joined.Go(func() { p.ask(request, client) })
	}
}

// ask carries one request and its reply.
func (p *path) ask(request []byte, client netip.AddrPort) {
	server, err := p.dial("udp", ntpPort)
	if err != nil {
		return
	}
	defer server.Close()
	reply := make([]byte, maxPacket)
	if _, err := server.Write(request); err != nil || server.SetReadDeadline(time.Now().Add(wait)) != nil {
		return
	}
	n, err := server.Read(reply)
	if err != nil {
		return
	}
	reply = reply[:n]
	p.mu.Lock()
	if p.reply != nil {
		reply = p.reply(reply)
	}
	p.mu.Unlock()
	if len(reply) > 0 {
		_, _ = p.ntp.WriteToUDPAddrPort(reply, client) // the client may be gone
	}
}

// onReplies changes what arrives of the replies; nothing returned is a loss.
func (p *path) onReplies(f func(pkt []byte) []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reply = f
}

// narrow drops requests that are longer; 0: none.
func (p *path) narrow(longest int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.longest = longest
}

// lose drops the next requests.
func (p *path) lose(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost = n
}

// reroute makes another host the server.
func (p *path) reroute(server *Host) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.server = server
}

// seen returns the requests and key establishments so far.
func (p *path) seen() (requests [][]byte, ke int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests[:len(p.requests):len(p.requests)], p.ke
}

// lose loses every reply.
func lose([]byte) []byte { return nil }

// tamper changes the time in a reply: the second lowest byte of the transmit
// timestamp's seconds, which is 256 s.
func tamper(pkt []byte) []byte {
	pkt[42] ^= 1
	return pkt
}

package acceptance

import (
	"bytes"
	"crypto/tls"
	"encoding/hex"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"ntsd/internal/demo"
	"ntsd/internal/ntske"
	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

// Types of extension fields (RFC 8915 section 7.5), written here once more: a
// test that took them from the product would not notice that they changed.
const (
	extUniqueID      = 0x0104
	extCookie        = 0x0204
	extPlaceholder   = 0x0304
	extAuthenticator = 0x0404
)

// relay is the path between the daemon and a server: it sees every packet and
// may do to it what an attacker can. The key establishment in front of it
// sends clients to the relay.
type relay struct {
	server *demo.Server // behind it
	ke     *ntske.Server
	addr   netip.Addr
	conn   *net.UDPConn

	mu       sync.Mutex
	requests [][]byte
	replies  [][]byte
	// toServer and toClient say what becomes of a packet; nil: it passes. An
	// empty answer loses it.
	toServer func(pkt []byte) []byte
	toClient func(pkt []byte) [][]byte
}

// relayConfig is what is special about a relay.
type relayConfig struct {
	aeads   []siv.Algorithm
	keAddr  netip.Addr // where key establishment is; the relay's own address unless set
	ntpHost string     // what key establishment calls the NTP server
	ntpPort uint16     // where the relay listens; 0: any
}

// relayed starts a server behind a relay.
func (w *world) relayed(cfg relayConfig) *relay {
	w.t.Helper()
	return w.relayedAt(newAddr(), cfg)
}

// relayedAt starts a server behind a relay with the given address.
func (w *world) relayedAt(addr netip.Addr, cfg relayConfig) *relay {
	w.t.Helper()
	// The server's own key establishment is idle: it makes the cookies of ours.
	r := &relay{server: w.nts(nil), addr: addr}
	var err error
	r.conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(r.addr, cfg.ntpPort)))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { r.conn.Close() })
	if !cfg.keAddr.IsValid() {
		cfg.keAddr = r.addr
	}
	cert := w.cert(demo.CertSpec{Names: []string{"localhost"}, Addrs: []netip.Addr{cfg.keAddr}}).Cert
	r.ke, err = ntske.NewServer(ntske.ServerConfig{
		Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &cert, nil },
		Cookies:     r.server, AEADs: cfg.aeads, NTPServer: cfg.ntpHost, NTPPort: r.conn.LocalAddr().(*net.UDPAddr).AddrPort().Port(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ln, err := net.Listen("tcp", netip.AddrPortFrom(cfg.keAddr, kePort).String())
	if err != nil {
		w.t.Fatal(err)
	}
	go r.ke.Serve(w.t.Context(), ln) //nolint:errcheck // it ends with the test
	go r.pass()
	return r
}

func (r *relay) host() string { return r.addr.String() }

// established returns how many clients got cookies.
func (r *relay) established() uint64 { return r.ke.Counters().Good }

// pass carries packets until the socket is closed.
func (r *relay) pass() {
	buf := make([]byte, 4096)
	for {
		n, from, err := r.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		pkt := bytes.Clone(buf[:n])
		r.mu.Lock()
		r.requests = append(r.requests, bytes.Clone(pkt))
		if r.toServer != nil {
			pkt = r.toServer(pkt)
		}
		r.mu.Unlock()
		if len(pkt) > 0 {
			go r.forward(pkt, from)
		}
	}
}

// forward carries one request to the server and its reply back.
func (r *relay) forward(pkt []byte, client netip.AddrPort) {
	up, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(r.server.NTPAddr()))
	if err != nil {
		return
	}
	defer up.Close()
	reply := make([]byte, 4096)
	if _, err = up.Write(pkt); err != nil || up.SetReadDeadline(time.Now().Add(time.Second)) != nil {
		return
	}
	n, err := up.Read(reply)
	if err != nil {
		return
	}
	out := [][]byte{reply[:n]}
	r.mu.Lock()
	r.replies = append(r.replies, bytes.Clone(reply[:n]))
	if r.toClient != nil {
		out = r.toClient(bytes.Clone(reply[:n]))
	}
	r.mu.Unlock()
	for _, p := range out {
		_, _ = r.conn.WriteToUDPAddrPort(p, client) // the client may be gone
	}
}

// set changes what the relay does with packets.
func (r *relay) set(toServer func([]byte) []byte, toClient func([]byte) [][]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.toServer, r.toClient = toServer, toClient
}

// seen returns the requests so far.
func (r *relay) seen() [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests)
}

// lose is a path that loses everything.
func lose([]byte) []byte { return nil }

// fields returns the types of a packet's extension fields.
func fields(pkt []byte) []uint16 {
	var types []uint16
	ext := wire.PacketExtensions(pkt)
	for x, ok := ext.Next(); ok; x, ok = ext.Next() {
		types = append(types, x.Type)
	}
	return types
}

// cookieOf returns the cookie of a request.
func cookieOf(t *testing.T, pkt []byte) []byte {
	t.Helper()
	ext := wire.PacketExtensions(pkt)
	for x, ok := ext.Next(); ok; x, ok = ext.Next() {
		if x.Type == extCookie {
			return x.Body
		}
	}
	t.Fatalf("request without a cookie: %x", pkt)
	return nil
}

// noRepeats wants each cookie and each unique identifier only once.
func noRepeats(t *testing.T, requests [][]byte) {
	t.Helper()
	seen := make(map[string]int)
	for i, pkt := range requests {
		ext := wire.PacketExtensions(pkt)
		for x, ok := ext.Next(); ok; x, ok = ext.Next() {
			if x.Type != extCookie && x.Type != extUniqueID {
				continue
			}
			if first, again := seen[string(x.Body)]; again {
				t.Errorf("request %d repeats the field %#04x of request %d: %s", i, x.Type, first, hex.EncodeToString(x.Body))
			}
			seen[string(x.Body)] = i
		}
	}
}

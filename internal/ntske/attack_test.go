package ntske

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ntsd/internal/nts"
)

// pipes is a listener whose connections are pipes: they know deadlines and
// live in the virtual time of synctest.
type pipes struct {
	conns chan net.Conn // unbuffered: dial waits for Accept
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial() net.Conn { return p.dialFrom(host(0)) }

// dialFrom connects from an address.
func (p *pipes) dialFrom(from netip.Addr) net.Conn {
	near, far := net.Pipe()
	p.conns <- &pipe{far, net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 4000))}
	return near
}

// pipe is a connection that comes from somewhere.
type pipe struct {
	net.Conn
	from *net.TCPAddr
}

func (p *pipe) RemoteAddr() net.Addr { return p.from }

// host is the i-th address.
func host(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

// besieged runs a server in virtual time, and fails if anything is left of it
// afterwards.
func besieged(t *testing.T, attack func(t *testing.T, h house, ln *pipes)) {
	t.Helper()
	h := newHouse(t, nil)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		ln := newPipes()
		done := make(chan error, 1)
		go func() { done <- h.srv.Serve(ctx, ln) }()
		attack(t, h, ln)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve = %v, want nil", err)
		}
		if n := len(h.srv.guests.all) + len(h.srv.guests.held) + len(h.srv.slots); n != 0 {
			t.Errorf("%d guests, addresses and slots are left", n)
		}
	})
}

// served reports whether an honest client gets its cookies at its first
// attempt.
func (h house) served(t *testing.T, ln *pipes, from netip.Addr) bool {
	t.Helper()
	conn := tls.Client(ln.dialFrom(from), h.clientTLS())
	defer conn.Close()
	if conn.Handshake() != nil {
		return false
	}
	req := nts.AppendRequest(nil, nts.Request{Protocols: []uint16{0}, AEADs: preferred})
	_, err := nts.ParseResponse(ask(t, conn, req), preferred)
	return err == nil
}

// counted compares the counters, once everything rests.
func (h house) counted(t *testing.T, want Counters) {
	t.Helper()
	synctest.Wait()
	want.Dropped = want.Refused + want.Crowded
	if got := h.srv.Counters(); got != want {
		t.Errorf("counters = %+v, want %+v", got, want)
	}
}

const share = MaxConnections / clientShare

// One address has its share and no more, however many connections it opens.
func TestFloodFromOneAddress(t *testing.T) {
	besieged(t, func(t *testing.T, h house, ln *pipes) {
		for range 10 * MaxConnections {
			ln.dialFrom(host(1))
		}
		if !h.served(t, ln, host(2)) {
			t.Error("an honest client is not served")
		}
		want := Counters{Accepted: share + 1, Crowded: 10*MaxConnections - share, Good: 1}
		h.counted(t, want)
		time.Sleep(ServerTimeout)
		want.Slow = share
		h.counted(t, want)
		if !h.served(t, ln, host(1)) {
			t.Error("the address is not served after its flood")
		}
	})
}

// Addresses that hold many connections make room for a client that has none,
// each time at its first attempt.
func TestFloodFromSomeAddresses(t *testing.T) {
	besieged(t, func(t *testing.T, h house, ln *pipes) {
		const addresses = MaxConnections / 2
		for i := range 100 * MaxConnections {
			ln.dialFrom(host(1 + i%addresses))
		}
		for i := range 20 {
			if !h.served(t, ln, host(1000+i)) {
				t.Errorf("honest client %d is not served", i)
			}
			synctest.Wait()
			for j := range addresses { // and again all places are taken
				ln.dialFrom(host(1 + j))
			}
		}
		synctest.Wait()
		c := h.srv.Counters()
		if c.Good != 20 || c.Accepted != c.Good+c.Displaced+MaxConnections || c.Crowded < 90*MaxConnections {
			t.Errorf("counters = %+v; want 20 good ones, and all but %d others displaced or dropped", c, MaxConnections)
		}
	})
}

// Ten thousand connections from as many addresses: no more than the bound are
// there at a time, and who comes last is served.
func TestFloodFromEverywhere(t *testing.T) {
	besieged(t, func(t *testing.T, h house, ln *pipes) {
		const flood = 10_000
		for i := range flood {
			ln.dialFrom(host(1 + i))
			if n := len(h.srv.slots); n > MaxConnections {
				t.Fatalf("%d connections are served at a time, want at most %d", n, MaxConnections)
			}
		}
		if !h.served(t, ln, netip.MustParseAddr("2001:db8::1")) {
			t.Error("an honest client is not served")
		}
		want := Counters{Accepted: flood + 1, Displaced: flood + 1 - MaxConnections, Good: 1}
		h.counted(t, want)
		time.Sleep(ServerTimeout)
		want.Slow = MaxConnections - 1
		h.counted(t, want)
	})
}

// All addresses of a subnet of IPv6 are one client.
func TestFloodFromSubnet(t *testing.T) {
	besieged(t, func(t *testing.T, h house, ln *pipes) {
		for i := range 2 * MaxConnections {
			a := netip.MustParseAddr("2001:db8:1:2::").As16()
			a[14], a[15] = byte(i>>8), byte(i)
			ln.dialFrom(netip.AddrFrom16(a))
		}
		h.counted(t, Counters{Accepted: share, Crowded: 2*MaxConnections - share})
	})
}

// drip sends a byte a second until that fails.
func drip(conn io.Writer, b []byte) {
	for i := range b {
		if _, err := conn.Write(b[i : i+1]); err != nil {
			return
		}
		time.Sleep(time.Second)
	}
}

// Who sends a byte a second, or nothing at all, is hung up on when its time is
// up, wherever it stops.
func TestSlowClients(t *testing.T) {
	hello := []byte{22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3} // the beginning of a ClientHello
	for name, act := range map[string]func(h house, conn net.Conn){
		"silent":       func(house, net.Conn) {},
		"slow hello":   func(_ house, conn net.Conn) { drip(conn, append(hello, make([]byte, 500)...)) },
		"half a hello": func(_ house, conn net.Conn) { _, _ = conn.Write(hello) },
		"half-open": func(h house, conn net.Conn) {
			_ = tls.Client(&mute{Conn: conn, left: 1}, h.clientTLS()).Handshake()
		},
		"no request": func(h house, conn net.Conn) { _ = tls.Client(conn, h.clientTLS()).Handshake() },
		"slow request": func(h house, conn net.Conn) {
			c := tls.Client(conn, h.clientTLS())
			if c.Handshake() == nil {
				drip(c, nts.AppendRequest(nil, nts.Request{Protocols: []uint16{0}, AEADs: preferred}))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			besieged(t, func(t *testing.T, h house, ln *pipes) {
				start := time.Now()
				conn := ln.dial()
				act(h, conn)
				_, _ = io.Copy(io.Discard, conn)
				if took := time.Since(start); took > ServerTimeout+2*drainTimeout {
					t.Errorf("hung up after %v, want %v", took, ServerTimeout)
				}
				h.counted(t, Counters{Accepted: 1, Slow: 1})
			})
		})
	}
}

// mute lets so many writes pass and swallows the others.
type mute struct {
	net.Conn
	left int
}

func (m *mute) Write(b []byte) (int, error) {
	if m.left == 0 {
		return len(b), nil
	}
	m.left--
	return m.Conn.Write(b)
}

// What is too long for TLS, or no TLS at all, ends the connection at once.
func TestOversizeRecords(t *testing.T) {
	record := func(kind byte, length uint16, body ...byte) []byte {
		return append(binary.BigEndian.AppendUint16([]byte{kind, 3, 1}, length), body...)
	}
	for name, b := range map[string][]byte{
		"no TLS":           []byte("GET / HTTP/1.1\r\nHost: ntp\r\n\r\n"),
		"long record":      record(22, 0xffff, make([]byte, 100)...),
		"long hello":       record(22, 0x4000, append([]byte{1, 0xff, 0xff, 0xff}, make([]byte, 0x4000-4)...)...),
		"application data": record(23, 5, 1, 2, 3, 4, 5),
		"an alert":         record(21, 2, 2, 0),
		"empty records":    append(record(22, 0), record(22, 0)...),
	} {
		t.Run(name, func(t *testing.T) {
			besieged(t, func(t *testing.T, h house, ln *pipes) {
				start := time.Now()
				conn := ln.dial()
				go func() {
					for range 100 {
						if _, err := conn.Write(b); err != nil {
							return
						}
					}
				}()
				_, _ = io.Copy(io.Discard, conn)
				if took := time.Since(start); took != 0 {
					t.Errorf("hung up after %v, want at once", took)
				}
				h.counted(t, Counters{Accepted: 1, Handshake: 1})
			})
		})
	}
}

// Whatever comes and goes: the bounds hold, and nobody with one connection is
// displaced while somebody has more.
func TestGuests(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	g := newGuests(32)
	in := make(map[*guest]bool)
	for range 50_000 {
		if random.IntN(8) == 0 && len(in) > 0 {
			for n := range in {
				if !g.leave(n) || g.leave(n) {
					t.Fatal("a guest that is there could not leave, or left twice")
				}
				delete(in, n)
				break
			}
			continue
		}
		most := 0
		for _, held := range g.held {
			most = max(most, held)
		}
		n, displaced := g.enter(silent{}, host(random.IntN(20)))
		if n != nil {
			in[n] = true
		}
		for v := range in {
			if !displaced || !v.ended {
				continue
			}
			delete(in, v)
			if g.held[v.of] != most-1 {
				t.Fatalf("a client that had %d connections was displaced though another had %d", g.held[v.of]+1, most)
			}
		}
		if len(g.all) != len(in) || len(g.all) > g.most {
			t.Fatalf("%d guests, want %d, at most %d", len(g.all), len(in), g.most)
		}
		most = 0
		for of, held := range g.held {
			most = max(most, held)
			if held < 1 || held > g.share {
				t.Fatalf("%v holds %d, want 1 to %d", of, held, g.share)
			}
		}
		if g.top != most {
			t.Fatalf("somebody holds %d, and %d is taken for the most", most, g.top)
		}
	}
}

// A client among more addresses than there are places is displaced by chance:
// while as many others come as there are places, it stays with (1-1/n)^n, better
// than one in three; so of five attempts one succeeds in nine cases of ten.
func TestDisplacedByChance(t *testing.T) {
	const places, trials = 100, 1000
	g := newGuests(places)
	stayed := 0
	for trial := range trials {
		honest, _ := g.enter(silent{}, netip.MustParseAddr("2001:db8::1"))
		if honest == nil {
			t.Fatal("an honest client is not let in")
		}
		for i := range places {
			g.enter(silent{}, host(trial*places+i))
		}
		if g.leave(honest) && trial > 0 { // the first finds room
			stayed++
		}
	}
	if share := float64(stayed) / trials; share < 0.30 || share > 0.43 {
		t.Errorf("stayed %.2f of the time, want 0.37", share)
	}
}

// silent is a connection that can be closed.
type silent struct{ net.Conn }

func (silent) Close() error { return nil }

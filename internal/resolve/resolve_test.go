package resolve

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// responder is a name server on the loopback: for each name, a list of
// addresses, or a response code.
type responder struct {
	addr  netip.AddrPort
	hosts map[string][]netip.Addr // lower-case names with the dot
	rcode map[string]byte
	drop  bool   // answer nothing
	deaf  uint16 // answer no question for this type of record
	tcp   bool   // truncate over UDP

	mu    sync.Mutex
	asked []string
	cd    []bool
}

// heard returns the names asked for so far, and the CD bits with them.
func (r *responder) heard() (names []string, cd []bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.asked), slices.Clone(r.cd)
}

// Response codes of RFC 1035 §4.1.1.
const (
	servfail = 2
	nxdomain = 3
)

func serve(t *testing.T, r *responder) *responder {
	t.Helper()
	var pc net.PacketConn
	var l net.Listener
	for try := 0; l == nil; try++ { // the same port for both protocols
		var err error
		if pc, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		if l, err = net.Listen("tcp", pc.LocalAddr().String()); err != nil {
			_ = pc.Close()
			if try > 10 {
				t.Fatal(err)
			}
		}
	}
	r.addr = netip.MustParseAddrPort(pc.LocalAddr().String())
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			if m := r.answer(buf[:n], r.tcp); m != nil {
				_, _ = pc.WriteTo(m, from)
			}
		}
	})
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			var size [2]byte
			if _, err := io.ReadFull(c, size[:]); err == nil {
				q := make([]byte, binary.BigEndian.Uint16(size[:]))
				if _, err := io.ReadFull(c, q); err == nil {
					m := r.answer(q, false)
					_, _ = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(m))), m...))
				}
			}
			_ = c.Close()
		}
	})
	t.Cleanup(func() { _ = pc.Close(); _ = l.Close(); wg.Wait() })
	return r
}

// answer makes the response to q: the header and the question come back,
// followed by one record for each address of the asked type.
func (r *responder) answer(q []byte, truncate bool) []byte {
	i, name := 12, ""
	for q[i] != 0 {
		name += strings.ToLower(string(q[i+1:i+1+int(q[i])])) + "."
		i += 1 + int(q[i])
	}
	kind := binary.BigEndian.Uint16(q[i+1:])
	end := i + 5
	r.mu.Lock()
	r.asked = append(r.asked, name)
	r.cd = append(r.cd, q[flagsLow]&cdBit != 0)
	r.mu.Unlock()
	if r.drop || r.deaf == kind {
		return nil
	}
	m := slices.Clone(q[:end])
	m[2], m[3] = 0x81, 0x80|r.rcode[name]
	clear(m[6:12])
	if truncate {
		m[2] |= 2
		return m
	}
	hosts, known := r.hosts[name]
	if !known && m[3]&15 == 0 {
		m[3] |= nxdomain
	}
	count := 0
	for _, a := range hosts {
		if want := map[bool]uint16{true: 1, false: 28}[a.Is4()]; want != kind {
			continue
		}
		data := a.AsSlice()
		m = append(m, 0xc0, 12)
		m = binary.BigEndian.AppendUint16(m, kind)
		m = append(m, 0, 1, 0, 0, 0, 60)
		m = binary.BigEndian.AppendUint16(m, uint16(len(data)))
		m = append(m, data...)
		count++
	}
	binary.BigEndian.PutUint16(m[6:], uint16(count))
	return m
}

// timeout is long enough for a loopback answer on a busy machine.
const timeout = 20 * time.Second

func (r *responder) resolver() *Resolver {
	return &Resolver{Config{Servers: []netip.AddrPort{r.addr}, Timeout: timeout}}
}

func addrs(texts ...string) []netip.Addr {
	var all []netip.Addr
	for _, s := range texts {
		all = append(all, netip.MustParseAddr(s))
	}
	return all
}

func TestLookup(t *testing.T) {
	many := make([]netip.Addr, 40)
	for i := range many {
		many[i] = netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)})
	}
	r := serve(t, &responder{hosts: map[string][]netip.Addr{
		"time.example.":  addrs("192.0.2.3", "192.0.2.1", "192.0.2.3", "2001:db8::1"),
		"many.example.":  many,
		"block.example.": addrs("0.0.0.0"),
		"empty.example.": nil,
	}, rcode: map[string]byte{"broken.example.": servfail}})
	for _, c := range []struct {
		name   string
		family Family
		want   []netip.Addr
		err    error
	}{
		{"time.example", IPv4, addrs("192.0.2.3", "192.0.2.1"), nil},
		{"time.example.", IPv4, addrs("192.0.2.3", "192.0.2.1"), nil},
		{"time.example", IPv6, addrs("2001:db8::1"), nil},
		{"many.example", IPv4, many[:MaxAddrs], nil},
		{"block.example", IPv4, nil, ErrNotFound},
		{"empty.example", IPv4, nil, ErrNotFound},
		{"none.example", IPv4, nil, ErrNotFound},
		{"broken.example", IPv4, nil, ErrTemporary},
		{"192.0.2.9", Any, addrs("192.0.2.9"), nil},
		{"::ffff:192.0.2.9", IPv4, addrs("192.0.2.9"), nil},
		{"fe80::1%eth0", IPv6, addrs("fe80::1%eth0"), nil},
		{"192.0.2.9", IPv6, nil, ErrNotFound},
	} {
		got, err := r.resolver().Lookup(t.Context(), c.name, c.family)
		if !slices.Equal(got, c.want) || !errors.Is(err, c.err) {
			t.Errorf("%s %d: got %v %v, want %v %v", c.name, c.family, got, err, c.want, c.err)
		}
	}
	both, err := r.resolver().Lookup(t.Context(), "time.example", Any)
	slices.SortFunc(both, netip.Addr.Compare)
	if want := addrs("192.0.2.1", "192.0.2.3", "2001:db8::1"); err != nil || !slices.Equal(both, want) {
		t.Errorf("both families: got %v %v, want %v", both, err, want)
	}
	if _, err := r.resolver().Lookup(t.Context(), "none.example", Any); !errors.Is(err, ErrNotFound) {
		t.Errorf("no such name: got %v, want ErrNotFound", err)
	}
	if _, err := r.resolver().Lookup(t.Context(), "broken.example", Any); !errors.Is(err, ErrTemporary) {
		t.Errorf("server failure: got %v, want ErrTemporary", err)
	}
}

// TestAbsolute: only a name without a dot may meet the search list.
func TestAbsolute(t *testing.T) {
	for name, want := range map[string]string{"a.b": "a.b.", "a.b.": "a.b.", "router": "router", "": ""} {
		if got := absolute(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
	r := serve(t, &responder{})
	_, err := r.resolver().Lookup(t.Context(), "leak.example", IPv4)
	if asked, _ := r.heard(); !errors.Is(err, ErrNotFound) || !slices.Equal(asked, []string{"leak.example."}) {
		t.Errorf("asked for %v (%v), want leak.example. alone", asked, err)
	}
}

func TestCheckingDisabled(t *testing.T) {
	for _, tcp := range []bool{false, true} {
		for _, cd := range []bool{false, true} {
			r := serve(t, &responder{tcp: tcp, hosts: map[string][]netip.Addr{"a.example.": addrs("192.0.2.1")}})
			v := r.resolver()
			v.Config.CheckingDisabled = cd
			if _, err := v.Lookup(t.Context(), "a.example", IPv4); err != nil {
				t.Fatal(err)
			}
			if _, bits := r.heard(); slices.Contains(bits, !cd) || len(bits) != map[bool]int{false: 1, true: 2}[tcp] {
				t.Errorf("tcp %v: CD bits %v, want all %v", tcp, bits, cd)
			}
		}
	}
}

func TestNextServer(t *testing.T) {
	bad := serve(t, &responder{rcode: map[string]byte{"a.example.": servfail}})
	good := serve(t, &responder{hosts: map[string][]netip.Addr{"a.example.": addrs("192.0.2.1")}})
	v := &Resolver{Config{Servers: []netip.AddrPort{bad.addr, good.addr}, Timeout: timeout}}
	got, err := v.Lookup(t.Context(), "a.example", IPv4)
	if err != nil || !slices.Equal(got, addrs("192.0.2.1")) {
		t.Errorf("got %v %v, want the second server's answer", got, err)
	}
	// "No such host" is an answer: the second is not asked.
	before, _ := good.heard()
	_, err = v.Lookup(t.Context(), "none.example", IPv4)
	if after, _ := good.heard(); !errors.Is(err, ErrNotFound) || len(after) != len(before) {
		t.Errorf("got %v after %d more questions, want ErrNotFound and none", err, len(after)-len(before))
	}
}

// TestOneDeafFamily: a server that swallows questions for one family does not
// hide the other.
func TestOneDeafFamily(t *testing.T) {
	for kind, want := range map[uint16]string{1: "2001:db8::1", 28: "192.0.2.1"} {
		r := serve(t, &responder{deaf: kind, hosts: map[string][]netip.Addr{
			"a.example.": addrs("192.0.2.1", "2001:db8::1"),
		}})
		v := r.resolver()
		v.Config.Patience = time.Millisecond
		if got, err := v.Lookup(t.Context(), "a.example", Any); err != nil || !slices.Equal(got, addrs(want)) {
			t.Errorf("deaf for type %d: got %v %v, want %s", kind, got, err, want)
		}
		// "No such host" for one family is no clear answer for both.
		v.Config.Timeout = 50 * time.Millisecond
		if _, err := v.Lookup(t.Context(), "none.example", Any); !errors.Is(err, ErrTemporary) {
			t.Errorf("deaf for type %d: got %v, want ErrTemporary", kind, err)
		}
	}
}

func TestMerge(t *testing.T) {
	v4, v6 := addrs("192.0.2.1"), addrs("2001:db8::1", "2001:db8::2")
	if got := merge(v4, v6, true); !slices.Equal(got, addrs("2001:db8::1", "2001:db8::2", "192.0.2.1")) {
		t.Errorf("route to v6: got %v", got)
	}
	if got := merge(v4, v6, false); !slices.Equal(got, addrs("192.0.2.1", "2001:db8::1", "2001:db8::2")) {
		t.Errorf("no route to v6: got %v", got)
	}
	many := make([]netip.Addr, MaxAddrs)
	if got := merge(many, v6, true); len(got) != len(v6)+MaxAddrs/2 {
		t.Errorf("a crowd: %d addresses, want %d", len(got), len(v6)+MaxAddrs/2)
	}
}

func TestTimeoutIsTemporary(t *testing.T) {
	r := serve(t, &responder{drop: true})
	v := r.resolver()
	v.Config.Timeout = time.Millisecond
	if _, err := v.Lookup(t.Context(), "a.example", IPv4); !errors.Is(err, ErrTemporary) {
		t.Errorf("got %v, want ErrTemporary", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.resolver().Lookup(ctx, "a.example", IPv4); !errors.Is(err, ErrTemporary) {
		t.Errorf("cancelled: got %v, want ErrTemporary", err)
	}
}

func TestNobodyListens(t *testing.T) {
	// From 127.0.0.1, so that the socket that asks cannot get the port itself.
	pc, err := net.ListenPacket("udp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := netip.MustParseAddrPort(pc.LocalAddr().String())
	_ = pc.Close()
	v := &Resolver{Config{Servers: []netip.AddrPort{closed}, Timeout: timeout}}
	_, err = v.Lookup(t.Context(), "a.example", IPv4)
	if !errors.Is(err, ErrNoNetwork) {
		t.Errorf("got %v, want ErrNoNetwork", err)
	}
	var e *Error
	if !errors.As(err, &e) || e.Name != "a.example" {
		t.Errorf("got %#v, want an Error for a.example", err)
	}
}

func TestSystemServersAndDial(t *testing.T) {
	r := serve(t, &responder{hosts: map[string][]netip.Addr{"a.example.": addrs("192.0.2.1")}})
	var dials atomic.Int32
	v := &Resolver{Config{Timeout: timeout, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		dials.Add(1)
		return new(net.Dialer).DialContext(ctx, network, r.addr.String())
	}}}
	if got, err := v.Lookup(t.Context(), "a.example", IPv4); err != nil || !slices.Equal(got, addrs("192.0.2.1")) || dials.Load() != 1 {
		t.Errorf("got %v %v after %d dials", got, err, dials.Load())
	}
}

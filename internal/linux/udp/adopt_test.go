//go:build linux

package udp

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"
)

// fileOf returns a socket as another program hands it over.
func fileOf(t *testing.T, s interface{ File() (*os.File, error) }) *os.File {
	t.Helper()
	f, err := s.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// A socket that somebody else bound serves like one of our own: it knows which
// address was asked. It stays his: closing ours leaves it open.
func TestAdopt(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", "[::1]:0"} {
		addr := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(address))
		network := "udp4"
		if addr.IP.To4() == nil {
			network = "udp6"
		}
		conn, err := net.ListenUDP(network, addr)
		if err != nil {
			t.Logf("%s: %v", address, err)
			continue
		}
		defer conn.Close()
		f := fileOf(t, conn)
		port := conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()
		target := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)
		if network == "udp6" {
			target = netip.AddrPortFrom(netip.IPv6Loopback(), port)
		}
		for range 2 { // the second takes over from the first
			s, err := Adopt(int(f.Fd()), ListenConfig{Now: now})
			if err != nil {
				t.Fatal(err)
			}
			client, err := net.DialUDP(network, nil, net.UDPAddrFromAddrPort(target))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := client.Write([]byte("time?")); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 100)
			n, r, err := s.ReadFrom(buf)
			if err != nil || string(buf[:n]) != "time?" || r.Local != target.Addr() {
				t.Errorf("%s: got %q asked at %v, %v; want it at %v", address, buf[:n], r.Local, err, target.Addr())
			}
			if err := s.WriteTo([]byte("now"), r); err != nil {
				t.Error(err)
			}
			if err := client.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if n, err := client.Read(buf); err != nil || string(buf[:n]) != "now" {
				t.Errorf("%s: got %q, %v", address, buf[:n], err)
			}
			client.Close()
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// What cannot be served is told from what can.
func TestAdoptRefuses(t *testing.T) {
	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	files := map[string]*os.File{"TCP": fileOf(t, tcp.(*net.TCPListener))}
	// Go makes a socket for both families where the kernel can.
	both, err := net.ListenUDP("udp", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer both.Close()
	if both.LocalAddr().(*net.UDPAddr).IP.To4() == nil {
		files["both families"] = fileOf(t, both)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	files["a pipe"] = r
	for name, f := range files {
		if s, err := Adopt(int(f.Fd()), ListenConfig{Now: now}); !errors.Is(err, ErrNotServed) {
			t.Errorf("%s: got %v, %v; want ErrNotServed", name, s, err)
		}
	}
}

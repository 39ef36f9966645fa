package main

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/server"
)

// serveOn answers on conn until it is closed; spoil may change a reply.
func serveOn(conn *net.UDPConn, spoil func([]byte)) {
	s := server.New(server.Config{Policy: &server.Policy{Interleaved: true}})
	clients := server.NewClients(64, server.Seed{1, 2})
	buf := make([]byte, 2048)
	at := clock.WallUnix(2_300_000_000, 0)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		at = at.Add(1000)
		req := server.Request{Data: buf[:n], From: netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), Received: at, Clients: clients}
		if reply, v := s.Reply(nil, req, at.Add(500), server.System{Stratum: 1}); v.Replies() {
			spoil(reply)
			_, _ = conn.WriteToUDPAddrPort(reply, from) // the client sees what is lost
		}
	}
}

func testLoad(t *testing.T, mode string, spoil func([]byte)) (status int, counts map[string]int) {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); serveOn(conn, spoil) }()
	var out, errs bytes.Buffer
	status = run([]string{"-server", conn.LocalAddr().String(), "-mode", mode, "-inflight", "4", "-time", "100ms"}, &out, &errs)
	conn.Close()
	<-ended
	t.Log(out.String(), errs.String())
	counts = map[string]int{}
	for _, m := range regexp.MustCompile(`(\w+) (\d+)`).FindAllStringSubmatch(out.String(), -1) {
		counts[m[1]], _ = strconv.Atoi(m[2])
	}
	return status, counts
}

func TestLoad(t *testing.T) {
	for _, mode := range []string{"plain", "interleaved"} {
		status, c := testLoad(t, mode, func([]byte) {})
		if status != 0 || c["replies"] == 0 || c["wrong"] != 0 {
			t.Errorf("%s: got status %d, %v", mode, status, c)
		}
		if got := c["interleaved"] > 0; got != (mode == "interleaved") {
			t.Errorf("%s: %d interleaved replies", mode, c["interleaved"])
		}
	}
}

func TestWrongReplies(t *testing.T) {
	status, c := testLoad(t, "plain", func(b []byte) { b[0] = b[0]&^7 | 5 }) // broadcast
	if status != 1 || c["wrong"] == 0 || c["replies"] != 0 {
		t.Errorf("got status %d, %v; want 1 and wrong replies", status, c)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"-mode", "fast"}, {"-inflight", "0"}, {"-placeholders", "8"}, {"-server", "nowhere"}, {"more"}} {
		var out, errs bytes.Buffer
		if status := run(args, &out, &errs); status != 2 || errs.Len() == 0 {
			t.Errorf("%q: got status %d, %q; want 2 and a reason", args, status, errs.String())
		}
	}
}

// The picture has one curve for each file.
func TestPlot(t *testing.T) {
	dir := t.TempDir()
	file, picture := filepath.Join(dir, "offsets"), filepath.Join(dir, "out.svg")
	if err := writeOffsets(file, []time.Duration{-1000, 20, 5_000_000}); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if status := run([]string{"-mode", "plot", "-plot", picture, "one=" + file, "two=" + file}, &out, &errs); status != 0 {
		t.Fatalf("status %d: %s", status, errs.String())
	}
	svg, err := os.ReadFile(picture)
	if err != nil || strings.Count(string(svg), `fill="none" stroke="#`) < 3 || !strings.Contains(string(svg), "two: 3 exchanges") {
		t.Errorf("got %v, %s", err, svg)
	}
	for _, args := range [][]string{{"-plot", picture}, {"-plot", picture, "nofile"}, {"-plot", picture, "x=" + file + "-"}} {
		if status := run(append([]string{"-mode", "plot"}, args...), &out, &errs); status != 1 {
			t.Errorf("%q: got status %d, want 1", args, status)
		}
	}
}

// TestProbe: the server's clock is fixed and far away, so every exchange has the
// same offset to within the clients' own time.
func TestProbe(t *testing.T) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); serveOn(conn, func([]byte) {}) }()
	file := filepath.Join(t.TempDir(), "offsets")
	var out, errs bytes.Buffer
	status := run([]string{
		"-mode", "probe", "-server", conn.LocalAddr().String(), "-clients", "3", "-time", "500ms", "-offsets", file,
	}, &out, &errs)
	conn.Close()
	<-ended
	offsets, err := readOffsets(file)
	if status != 0 || err != nil || len(offsets) == 0 || offsets[0] < time.Hour {
		t.Errorf("status %d, %v, offsets %v; %s%s", status, err, offsets, out.String(), errs.String())
	}
}

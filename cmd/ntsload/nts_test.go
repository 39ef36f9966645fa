package main

import (
	"bytes"
	"context"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ntsd/internal/demo"
)

// startNTS starts an NTS server and returns the options that lead to it.
func startNTS(t *testing.T) (s *demo.Server, options []string) {
	t.Helper()
	ca, err := demo.NewCA("ntsload test", time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	cert, err := ca.Issue(demo.CertSpec{Names: []string{"localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca")
	if err := ca.WritePEM(file); err != nil {
		t.Fatal(err)
	}
	any := netip.MustParseAddrPort("127.0.0.1:0")
	s, err = demo.Start(context.Background(), demo.ServerConfig{KEAddr: any, NTPAddr: any, Cert: cert})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, []string{
		"-server", s.NTPAddr().String(), "-ke", strconv.Itoa(int(s.KEAddr().Port())), "-ca", file,
		"-time", "100ms", "-inflight", "4", "-sessions", "2",
	}
}

func TestNTS(t *testing.T) {
	s, options := startNTS(t)
	for _, mode := range [][]string{
		{"-mode", "nts15"},
		{"-mode", "nts30", "-placeholders", "7"},
		{"-mode", "nts15", "-rate", "200"},
		{"-mode", "ke"},
		{"-mode", "ke", "-group", "x25519mlkem768"},
	} {
		var out, errs bytes.Buffer
		if status := run(append(mode, options...), &out, &errs); status != 0 || !strings.Contains(out.String(), " wrong 0 ") {
			t.Errorf("%v: got status %d, %s%s", mode, status, out.String(), errs.String())
		}
	}
	s.Tamper(1)
	var out, errs bytes.Buffer
	if status := run(append([]string{"-mode", "nts15"}, options...), &out, &errs); status != 1 || !strings.Contains(out.String(), " wrong 1 ") {
		t.Errorf("a forged reply: got status %d, %s%s", status, out.String(), errs.String())
	}
}

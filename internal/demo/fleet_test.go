package demo_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ntsd/internal/clock"
	"ntsd/internal/config"
	"ntsd/internal/demo"
	"ntsd/internal/interop"
	"ntsd/internal/siv"
)

func TestStartFor(t *testing.T) {
	free := startServer(t, newTestCA(t), demo.ServerConfig{}) // ports that are free on 127.0.0.1 for now
	ports := [2]uint16{free.NTPAddr().Port(), free.KEAddr().Port()}
	free.Close()
	var sources []config.Source
	for _, name := range []string{"127.0.0.21", "127.0.0.22", "127.0.0.23"} {
		sources = append(sources, config.Source{Name: name, Port: ports[0], NTSPort: ports[1], NTS: true})
	}
	dir := t.TempDir()
	fleet, err := demo.StartFor(t.Context(), sources, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer fleet.Close()
	for i, want := range []clock.Offset{0, 0, demo.WrongBy} {
		s := fleet.Servers[i]
		if got := s.KEAddr().String(); got != netip.AddrPortFrom(netip.MustParseAddr(sources[i].Name), ports[1]).String() {
			t.Errorf("server %d: key establishment at %s", i, got)
		}
		session := mustEstablish(t, fleet.CA, s, siv.AESSIVCMAC256)
		got, err := interop.Exchange(&session, deadline)
		if err != nil || (got.Offset-want).Abs() > demo.WrongBy.Abs()/2 {
			t.Errorf("server %d: got an offset of %v (%v), want %v", i, got.Offset.Duration(), err, want.Duration())
		}
	}
	pem, err := os.ReadFile(filepath.Join(dir, demo.CAFile))
	if err != nil || !strings.HasPrefix(string(pem), "-----BEGIN CERTIFICATE-----") {
		t.Errorf("%s: got %q, %v", demo.CAFile, pem, err)
	}
	if _, err := demo.StartFor(t.Context(), []config.Source{{Name: "ntp.example"}}, dir, nil); err == nil {
		t.Error("a name that is no address: got servers, want an error")
	}
}

// The file that "ntsd demo" runs is one that StartFor and the daemon understand,
// and that cannot touch the machine.
func TestDemoFile(t *testing.T) {
	cfg, diagnostics := config.Load(filepath.Join("..", "..", "cmd", "ntsd", "testdata", "demo"), os.ReadFile)
	for _, d := range diagnostics {
		t.Error(d)
	}
	if cfg == nil {
		t.FailNow()
	}
	if cfg.Main.Clock != config.ClockNone || cfg.DHCP != nil || len(cfg.Allow) > 0 {
		t.Errorf("got clock %v, %d allowed: want a daemon that only watches", cfg.Main.Clock, len(cfg.Allow))
	}
	if got := cfg.NTS; got.SystemCerts || len(got.TrustedCerts) != 1 || got.TrustedCerts[0] != demo.CAFile {
		t.Errorf("certificates: got %+v, want %s alone", got, demo.CAFile)
	}
	if len(cfg.Sources) != 3 {
		t.Fatalf("got %d sources, want 3", len(cfg.Sources))
	}
	for _, s := range cfg.Sources {
		if addr, err := netip.ParseAddr(s.Name); err != nil || !addr.IsLoopback() || !s.NTS {
			t.Errorf("source %s: want an NTS server on loopback", s.Name)
		}
	}
}

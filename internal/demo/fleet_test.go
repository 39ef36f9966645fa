package demo

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ntsd/internal/clock"
	"ntsd/internal/config"
	"ntsd/internal/siv"
)

func TestStartFor(t *testing.T) {
	free := startServer(t, newTestCA(t), ServerConfig{}) // ports that are free on 127.0.0.1 for now
	ports := [2]uint16{free.NTPAddr().Port(), free.KEAddr().Port()}
	free.Close()
	var sources []config.Source
	for _, name := range []string{"127.0.0.21", "127.0.0.22", "127.0.0.23"} {
		sources = append(sources, config.Source{Name: name, Port: ports[0], NTSPort: ports[1], NTS: true})
	}
	dir := t.TempDir()
	fleet, err := StartFor(t.Context(), sources, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer fleet.Close()
	for i, want := range []clock.Offset{0, 0, WrongBy} {
		s := fleet.Servers[i]
		if got := s.KEAddr().String(); got != netip.AddrPortFrom(netip.MustParseAddr(sources[i].Name), ports[1]).String() {
			t.Errorf("server %d: key establishment at %s", i, got)
		}
		if got := s.faults.offset(); got != want {
			t.Errorf("server %d: ahead by %v, want %v", i, got.Duration(), want.Duration())
		}
		session := mustEstablish(t, fleet.CA, s, siv.AESSIVCMAC256)
		if _, err := exchange(&session, deadline); err != nil {
			t.Errorf("server %d: %v", i, err)
		}
	}
	pem, err := os.ReadFile(filepath.Join(dir, CAFile))
	if err != nil || !strings.HasPrefix(string(pem), "-----BEGIN CERTIFICATE-----") {
		t.Errorf("%s: got %q, %v", CAFile, pem, err)
	}
	if _, err := StartFor(t.Context(), []config.Source{{Name: "ntp.example"}}, dir, nil); err == nil {
		t.Error("a name that is no address: got servers, want an error")
	}
}

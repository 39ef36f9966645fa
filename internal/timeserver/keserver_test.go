package timeserver

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/config"
	"ntsd/internal/ntske"
	"ntsd/internal/responder"
	"ntsd/internal/siv"
	"ntsd/internal/smooth"
	"ntsd/internal/snapshot"
	"ntsd/internal/store"
)

// writePair makes a certificate of that name for 127.0.0.1 and its key.
func writePair(t *testing.T, cert, key, name string, mode fs.FileMode) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
}

// stillClock is a clock for servers that only count.
type stillClock struct{}

func (stillClock) Now() (clock.Reading, clock.Offset) {
	return clock.Reading{Wall: clock.WallTime(time.Now())}, 0
}

func (stillClock) Serve(smooth.Plan) {}

// The NTS-KE server is started by the responder, gives cookies, serves a renewed
// certificate from then on, and is closed with the responder.
func TestKEServer(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	writePair(t, cert, key, "first", 0o600)
	cfg := config.Default()
	port := freeTCP(t)
	cfg.Allow = []config.Access{{Subnets: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}}
	cfg.Serve.Enabled = false
	cfg.NTSServer.Enabled, cfg.NTSServer.Certs, cfg.NTSServer.Keys, cfg.NTSServer.Ports = true, []string{cert}, []string{key}, []uint16{port}
	started := make(chan responder.KE, 1)
	r, err := responder.New(responder.Options{
		Clock: stillClock{}, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler), Workers: 1, Keys: newKeyFile(dir, t.TempDir(), new(store.Flash), slog.New(slog.DiscardHandler)),
		InForce:    func(context.Context) (snapshot.System, *config.Config, error) { return snapshot.System{}, cfg, nil },
		Interfaces: func(func(string, uint32, []netip.Prefix)) error { return nil },
		ListenKE: func(c config.NTSServer, g *responder.Grants) (responder.KE, error) {
			ke, err := (&keServers{log: slog.New(slog.DiscardHandler)}).listen(c, g)
			if err == nil {
				started <- ke
			}
			return ke, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); r.Run(ctx) }()
	ke := <-started
	subject := func() string {
		t.Helper()
		got, err := ntske.NewClient().Exchange(ctx, ntske.Request{
			Name: "127.0.0.1", Addr: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port), NoVal: true,
			AEADs: []siv.Algorithm{siv.AESSIVCMAC256},
		})
		if err != nil || len(got.Session.Cookies) != 8 {
			t.Fatalf("key establishment: got %+v, %v", got, err)
		}
		return got.Info.Subject
	}
	if got := subject(); !strings.Contains(got, "first") {
		t.Errorf("certificate: got %s, want the first", got)
	}
	writePair(t, cert, key, "second", 0o600)
	later := time.Now().Add(time.Minute)
	if err := os.Chtimes(cert, later, later); err != nil {
		t.Fatal(err)
	}
	if err := ke.Reload(); err != nil {
		t.Fatal(err)
	}
	if got := subject(); !strings.Contains(got, "second") {
		t.Errorf("renewed certificate: got %s, want the second", got)
	}
	writePair(t, cert, key, "third", 0o644)
	if err := ke.Reload(); err == nil || !strings.Contains(err.Error(), "chmod") {
		t.Errorf("key open to everybody: got %v, want what to do", err)
	}
	if got := subject(); !strings.Contains(got, "second") {
		t.Errorf("after a refused reload: got %s, want the second", got)
	}
	if accepted, dropped, _ := ke.Counts(); accepted != 3 || dropped != 0 {
		t.Errorf("counted %d, %d; want 3, 0", accepted, dropped)
	}
	if info, err := os.Stat(filepath.Join(dir, keysName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("cookie keys: %v, %v; want 0600", info, err)
	}
	cancel()
	<-ended
	if conn, err := net.Dial("tcp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port).String()); err == nil {
		conn.Close()
		t.Error("the port is still open")
	}
}

func freeTCP(t *testing.T) uint16 {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).AddrPort().Port()
}

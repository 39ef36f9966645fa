package demo_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ntsd/internal/demo"
)

func TestIssue(t *testing.T) {
	ca := newTestCA(t)
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	end := begin.AddDate(0, 3, 0)
	cert, err := ca.Issue(demo.CertSpec{
		Names:     []string{"ntp.example", "nts.example"},
		Addrs:     []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")},
		NotBefore: begin, NotAfter: end,
	})
	if err != nil {
		t.Fatal(err)
	}
	if !cert.Leaf.NotBefore.Equal(begin) || !cert.Leaf.NotAfter.Equal(end) {
		t.Errorf("validity: got %v to %v, want %v to %v", cert.Leaf.NotBefore, cert.Leaf.NotAfter, begin, end)
	}
	for _, name := range []string{"ntp.example", "nts.example", "192.0.2.1", "2001:db8::1"} {
		if err := cert.Leaf.VerifyHostname(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := cert.Leaf.VerifyHostname("other.example"); err == nil {
		t.Error("other.example: got no error")
	}
}

func TestPEM(t *testing.T) {
	ca, dir := newTestCA(t), t.TempDir()
	spec := demo.CertSpec{Names: []string{"ntp.example"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Minute)}
	cert, err := ca.Issue(spec)
	if err != nil {
		t.Fatal(err)
	}
	certPath, keyPath, caPath := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "ca.pem")
	if err := demo.WriteKeyPair(cert, certPath, keyPath); err != nil {
		t.Fatal(err)
	}
	if err := ca.WritePEM(caPath); err != nil {
		t.Fatal(err)
	}
	read, err := tls.LoadX509KeyPair(certPath, keyPath)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pem, err := os.ReadFile(caPath)
	if err != nil || !pool.AppendCertsFromPEM(pem) {
		t.Fatalf("%s: %v", caPath, err)
	}
	if _, err := read.Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: "ntp.example"}); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(keyPath); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%s: got mode %v (%v), want 0600", keyPath, info.Mode(), err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 3 {
		t.Errorf("got %d files (%v), want 3", len(entries), err)
	}
	if err := ca.WritePEM(filepath.Join(dir, "missing", "ca.pem")); err == nil {
		t.Error("into a missing folder: got no error")
	}
}

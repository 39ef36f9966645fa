package ntske

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ntsd/internal/nts"
	"ntsd/internal/siv"
)

// keyKinds are the private keys that a server may have.
func keyKinds(t testing.TB) map[string]crypto.Signer {
	t.Helper()
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	// Kept, since it takes half a minute to make on a slow machine; it is
	// nobody's but this test's.
	b, err := os.ReadFile("testdata/rsa2048.key")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(b)
	r, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]crypto.Signer{"P256": p256, "RSA2048": r, "Ed25519": ed}
}

// keyed makes a certificate for nts.test with a key under the authority.
func keyed(t testing.TB, ca *authority, key crypto.Signer) tls.Certificate {
	t.Helper()
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "nts.test"}, DNSNames: []string{"nts.test"},
		NotBefore: y2029.Time(), NotAfter: y2031.Time(), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, ca.cert, key.Public(), ca.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// pemKeys are the forms that tools write private keys in.
func pemKeys(t *testing.T, key crypto.Signer) map[string]*pem.Block {
	t.Helper()
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	forms := map[string]*pem.Block{"PKCS8": {Type: "PRIVATE KEY", Bytes: pkcs8}}
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		sec1, err := x509.MarshalECPrivateKey(k)
		if err != nil {
			t.Fatal(err)
		}
		forms["SEC1"] = &pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1}
	case *rsa.PrivateKey:
		forms["PKCS1"] = &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)}
	}
	return forms
}

// TestServerKeys: a key of each kind in each form serves; one that everybody
// can read is refused with what to do, whatever its kind.
func TestServerKeys(t *testing.T) {
	ca := newCA(t, nil, "CA")
	for kind, key := range keyKinds(t) {
		pair := keyed(t, ca, key)
		for form, block := range pemKeys(t, key) {
			t.Run(kind+" "+form, func(t *testing.T) {
				dir := t.TempDir()
				f := KeyPairFiles{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
				cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})
				if err := os.WriteFile(f.Cert, cert, 0o644); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(f.Key, pem.EncodeToMemory(block), 0o640); err != nil {
					t.Fatal(err)
				}
				pairs, err := LoadKeyPairs(f)
				if err != nil {
					t.Fatal(err)
				}
				h := newHouse(t, func(cfg *ServerConfig) { cfg.Certificate = pairs.Certificate })
				addr := h.start(t)
				h.req.Roots = ca.pool()
				if _, err := h.exchange(t, addr); err != nil {
					t.Error(err)
				}
				if err := os.Chmod(f.Key, 0o644); err != nil {
					t.Fatal(err)
				}
				if _, err := LoadKeyPairs(f); err == nil || !strings.Contains(err.Error(), "chmod 640") {
					t.Errorf("a key for everybody: got %v, want what to do", err)
				}
			})
		}
	}
}

// TestCertificateByAddress: a client that names nobody (RFC 6066 has no server
// name for addresses) gets the certificate for the address that it asked.
func TestCertificateByAddress(t *testing.T) {
	dir := t.TempDir()
	ca := newCA(t, nil, "CA")
	public := leaf(t, ca, func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = []string{"time.example"}, nil })
	lan := leaf(t, ca, func(c *x509.Certificate) { c.DNSNames = []string{"router.lan"} }).tls()
	var err error
	if lan.Leaf, err = x509.ParseCertificate(lan.Certificate[0]); err != nil {
		t.Fatal(err)
	}
	pairs, err := LoadKeyPairs(writePair(t, dir, "public", public))
	if err != nil {
		t.Fatal(err)
	}
	pairs.Beside = func() *tls.Certificate { return &lan }
	h := newHouse(t, func(cfg *ServerConfig) { cfg.Certificate = pairs.Certificate })
	addr := h.start(t)
	h.req.Roots = ca.pool()
	for _, name := range []string{"time.example", "router.lan", "127.0.0.1"} {
		h.req.Name = name
		if _, err := h.exchange(t, addr); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	var none KeyPairs
	if _, err := none.Certificate(&tls.ClientHelloInfo{}); err == nil {
		t.Error("no certificate at all: no error")
	}
	none.Beside = pairs.Beside
	if c, err := none.Certificate(&tls.ClientHelloInfo{}); err != nil || c != &lan {
		t.Errorf("one certificate suits everybody: %v", err)
	}
}

// BenchmarkHandshake is what a key establishment costs client and server
// together, by the server's key and the client's key exchange.
func BenchmarkHandshake(b *testing.B) {
	ca := newCA(b, nil, "CA")
	for _, kind := range []string{"P256", "RSA2048", "Ed25519"} {
		pair := keyed(b, ca, keyKinds(b)[kind])
		for name, group := range map[string]tls.CurveID{"X25519MLKEM768": tls.X25519MLKEM768, "X25519": tls.X25519, "P256": tls.CurveP256} {
			b.Run(kind+"/"+name, func(b *testing.B) {
				h := newHouse(b, func(cfg *ServerConfig) {
					cfg.Certificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil }
				})
				benchServer(b, h, group)
			})
		}
	}
}

func benchServer(b *testing.B, h house, group tls.CurveID) {
	b.Helper()
	cfg := h.clientTLS()
	cfg.InsecureSkipVerify, cfg.CurvePreferences = true, []tls.CurveID{group}
	req := nts.AppendRequest(nil, nts.Request{Protocols: []uint16{0}, AEADs: []siv.Algorithm{15}})
	b.ReportAllocs()
	for b.Loop() {
		near, far := net.Pipe()
		done := make(chan struct{})
		go func() { defer close(done); h.srv.converse(far); far.Close() }()
		_ = near.SetDeadline(time.Now().Add(ServerTimeout))
		c := tls.Client(near, cfg)
		if _, err := c.Write(req); err != nil {
			b.Fatal(err)
		}
		if answer, err := io.ReadAll(c); err != nil || len(answer) < 100 { // to the close_notify
			b.Fatal(err)
		}
		c.Close()
		near.Close()
		<-done
	}
}

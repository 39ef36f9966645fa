package ntske

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writePair writes a certificate with its chain and its key.
func writePair(t *testing.T, dir, name string, a *authority) KeyPairFiles {
	t.Helper()
	f := KeyPairFiles{Cert: filepath.Join(dir, name+".pem"), Key: filepath.Join(dir, name+".key")}
	var chain []byte
	for _, der := range a.tls().Certificate {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	key, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		t.Fatal(err)
	}
	for path, b := range map[string][]byte{
		f.Cert: chain, f.Key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
	} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func TestKeyPairs(t *testing.T) {
	dir := t.TempDir()
	ca := newCA(t, nil, "CA")
	inter := newCA(t, ca, "Intermediate")
	one := leaf(t, inter, nil)
	two := leaf(t, ca, func(c *x509.Certificate) {
		c.DNSNames = []string{"two.test"}
		c.NotAfter = date(2030, 7, 1).Time()
	})
	first, second := writePair(t, dir, "one", one), writePair(t, dir, "two", two)
	pairs, err := LoadKeyPairs(first, second)
	if err != nil {
		t.Fatal(err)
	}
	if got := pairs.NotAfter(); got != date(2030, 7, 1) {
		t.Errorf("expires %v, want 2030-07-01", got.Time())
	}

	h := newHouse(t, func(cfg *ServerConfig) { cfg.Certificate = pairs.Certificate })
	addr := h.start(t)
	h.req.Roots = ca.pool()
	for _, name := range []string{"nts.test", "two.test", "127.0.0.1"} {
		h.req.Name = name
		if _, err := h.exchange(t, addr); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}

	// A renewed certificate is used from Reload on; a broken one is not.
	other := newCA(t, nil, "Other CA")
	writePair(t, dir, "one", leaf(t, other, nil))
	if err := pairs.Reload(); err != nil {
		t.Fatal(err)
	}
	h.req.Roots, h.req.Name = other.pool(), "nts.test"
	if _, err := h.exchange(t, addr); err != nil {
		t.Errorf("after the renewal: %v", err)
	}
	if err := os.WriteFile(first.Cert, []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := pairs.Reload(); err == nil {
		t.Error("a broken file: no error")
	}
	if _, err := h.exchange(t, addr); err != nil {
		t.Errorf("after a broken renewal: %v", err)
	}
}

func TestKeyPairErrors(t *testing.T) {
	dir := t.TempDir()
	good := writePair(t, dir, "good", leaf(t, nil, nil))
	other := writePair(t, dir, "other", leaf(t, nil, nil))
	public := writePair(t, dir, "public", leaf(t, nil, nil))
	if err := os.Chmod(public.Key, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		files KeyPairFiles
		want  string
	}{
		{KeyPairFiles{good.Cert, other.Key}, "does not match"},
		{public, "open to everybody"},
		{KeyPairFiles{good.Cert, filepath.Join(dir, "none")}, "no such file"},
		{KeyPairFiles{filepath.Join(dir, "none"), good.Key}, "no such file"},
		{KeyPairFiles{good.Key, good.Key}, "good.key"},
	} {
		if _, err := LoadKeyPairs(c.files); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.files, err, c.want)
		}
	}
	if _, err := LoadKeyPairs(); err == nil {
		t.Error("no files: no error")
	}
	if pairs, err := LoadKeyPairs(good); err != nil {
		t.Error(err)
	} else if _, err := pairs.Certificate(&tls.ClientHelloInfo{}); err != nil {
		t.Errorf("one pair suits everybody: %v", err)
	}
}

package ntske

import (
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func writePEM(t *testing.T, path string, certs ...*authority) string {
	t.Helper()
	var b []byte
	for _, c := range certs {
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw})...)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadRoots(t *testing.T) {
	one, two := newCA(t, nil, "One"), newCA(t, nil, "Two")
	dir := t.TempDir()
	file := writePEM(t, filepath.Join(t.TempDir(), "ca.pem"), one, two)
	writePEM(t, filepath.Join(dir, "one.crt"), one)
	writePEM(t, filepath.Join(dir, "empty.crt"))
	if err := os.Symlink("/nonexistent", filepath.Join(dir, "dead.0")); err != nil {
		t.Fatal(err)
	}
	both := one.pool()
	both.AddCert(two.cert)

	pool, err := LoadRoots(false, []string{file})
	if err != nil || !pool.Equal(both) {
		t.Errorf("file: %v; want both CAs", err)
	}
	pool, err = LoadRoots(false, []string{dir})
	if err != nil || !pool.Equal(one.pool()) {
		t.Errorf("folder: %v; want the first CA", err)
	}
	empty := writePEM(t, filepath.Join(t.TempDir(), "empty.pem"))
	huge := filepath.Join(t.TempDir(), "huge.pem")
	if err := os.WriteFile(huge, make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		empty: "no CA certificate in", huge: "is larger than", t.TempDir(): "no CA certificate in",
		"/nonexistent/ca.pem": "no such file",
	} {
		if _, err := LoadRoots(false, []string{path}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if _, err := LoadRoots(false, nil); !errors.Is(err, ErrNoRoots) {
		t.Errorf("nothing: %v, want ErrNoRoots", err)
	}
}

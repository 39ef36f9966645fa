package ntske

import (
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"slices"
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
	// A missing, an empty and a full bundle, then one too many.
	system := writePEM(t, filepath.Join(t.TempDir(), "ca-certificates.crt"), two)
	pool, err = loadRoots([]string{"/nonexistent", empty, system, file}, []string{dir})
	if err != nil || !pool.Equal(both) {
		t.Errorf("system and folder: %v; want the first bundle with certificates, and the folder", err)
	}
	pool, err = loadRoots([]string{"/nonexistent", empty, dir, file}, nil)
	if err != nil || !pool.Equal(one.pool()) {
		t.Errorf("folder as system: %v; want its CA", err)
	}
	for _, path := range []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem", "/etc/ssl/certs"} {
		if !slices.Contains(systemBundles(), path) {
			t.Errorf("OpenWrt's %s is not looked at", path)
		}
	}
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

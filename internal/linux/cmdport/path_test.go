//go:build linux

package cmdport

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A socket of streams is open to the group, its folder to nobody else; what a dead
// program left is replaced, what a living one or no socket holds is left alone.
func TestListenStream(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run", "ntsd")
	path := filepath.Join(dir, "ntsd.sock")
	first, err := ListenStream(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{dir: fs.ModeDir | 0o700, path: fs.ModeSocket | 0o660} {
		if info, err := os.Lstat(name); err != nil || info.Mode() != want {
			t.Errorf("%s: got %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
	for _, listen := range []func(string) error{
		func(p string) error { _, err := ListenStream(p); return err },
		func(p string) error { _, err := Listen(p); return err },
	} {
		if err := listen(path); !errors.Is(err, ErrInUse) {
			t.Errorf("in the place of a living one: got %v, want %v", err, ErrInUse)
		}
	}
	_ = first.Close()
	second, err := ListenStream(path)
	if err != nil {
		t.Fatalf("in the place of a dead one: %v", err)
	}
	_ = second.Close()
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("files beside the socket: %v", left)
	}
	for range 2 {
		if err := Remove(path); err != nil {
			t.Error(err)
		}
	}
	other, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ListenStream(path); !errors.Is(err, ErrInUse) {
		t.Errorf("in the place of a socket of datagrams: got %v, want %v", err, ErrInUse)
	}
	_ = other.Close() // the file stays
	if err := errors.Join(os.Remove(path), os.WriteFile(path, []byte("precious"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := ListenStream(path); !errors.Is(err, ErrNotSocket) {
		t.Errorf("in the place of a file: got %v, want %v", err, ErrNotSocket)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "precious" {
		t.Errorf("the file changed: %q, %v", b, err)
	}
	if _, err := ListenStream(filepath.Join(path, "below", "a.sock")); err == nil {
		t.Error("a folder that is a file: got no error")
	}
	if _, err := ListenStream("/" + strings.Repeat("x", maxPath)); !errors.Is(err, ErrLongPath) {
		t.Errorf("a long path: got %v, want %v", err, ErrLongPath)
	}
}

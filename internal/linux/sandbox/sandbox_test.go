package sandbox

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestOwn: the folder and its own files change hands; what a link of either
// kind leads to does not.
func TestOwn(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("sandbox: only root can give files away")
	}
	outside, dir := t.TempDir(), filepath.Join(t.TempDir(), "run")
	if err := os.MkdirAll(filepath.Join(dir, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		filepath.Join(outside, "secret"), filepath.Join(outside, "linked"), filepath.Join(dir, "drift"), filepath.Join(dir, "folder", "deep"),
	} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "symlink")); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(outside, "linked"), filepath.Join(dir, "hardlink")); err != nil {
		t.Fatal(err)
	}
	u := User{Name: "somebody", UID: 12345, GID: 12346}
	if err := u.Own(dir); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]uint32{
		dir:                                  12345,
		filepath.Join(dir, "drift"):          12345,
		filepath.Join(dir, "folder"):         0,
		filepath.Join(dir, "folder", "deep"): 0,
		filepath.Join(outside, "secret"):     0,
		filepath.Join(outside, "linked"):     0,
		filepath.Join(dir, "symlink"):        0, // of what it leads to
	} {
		fi, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := fi.Sys().(*syscall.Stat_t).Uid; got != want {
			t.Errorf("%s: got user %d, want %d", path, got, want)
		}
	}
	if err := u.Own(filepath.Join(dir, "nothing")); err != nil {
		t.Errorf("a folder that is not there: got %v, want nothing", err)
	}
}

func TestLookup(t *testing.T) {
	for _, name := range []string{"root", "0"} {
		if u, err := Lookup(name); err != nil || u.UID != 0 || u.Name != "root" {
			t.Errorf("Lookup(%q) = %+v, %v, want root", name, u, err)
		}
	}
	if _, err := Lookup("no such user"); err == nil {
		t.Error("found a user that does not exist")
	}
}

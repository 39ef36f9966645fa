package store

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func newFolder(t *testing.T) *Folder {
	t.Helper()
	f, err := OpenFolder(filepath.Join(t.TempDir(), "a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *Folder) append(t *testing.T, name, text string) {
	t.Helper()
	if err := f.Append(name, []byte(text)); err != nil {
		t.Error(err)
	}
}

func (f *Folder) want(t *testing.T, name, text string) {
	t.Helper()
	if got, err := os.ReadFile(f.path(name)); err != nil || string(got) != text {
		t.Errorf("%s: got %q, %v; want %q", name, got, err, text)
	}
}

func TestFolder(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077)) // as under systemd
	f := newFolder(t)
	if info, err := os.Stat(f.dir); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("folder: got %v, %v", info.Mode(), err)
	}
	f.append(t, "x.1", "one\n")
	f.append(t, "x.1", "two\n")
	f.want(t, "x.1", "one\ntwo\n")
	if info, err := os.Stat(f.path("x.1")); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("got %v, %v", info.Mode(), err)
	}
	link := func(to string) {
		t.Helper()
		if err := f.Link("x", to); err != nil {
			t.Error(err)
		}
	}
	link("x.1")
	f.append(t, "x.1", "three\n")
	f.want(t, "x", "one\ntwo\nthree\n")
	link("x.1") // again, as after a restart
	f.append(t, "x.2", "next\n")
	link("x.2")
	f.want(t, "x", "next\n")
	f.want(t, "x.1", "one\ntwo\nthree\n")
	sizes := map[string]int64{}
	if err := f.Each(func(name string, size int64) { sizes[name] = size }); err != nil || len(sizes) != 3 || sizes["x.1"] != 14 || sizes["x"] != 5 {
		t.Errorf("got %v, %v", sizes, err)
	}
	// What has no other name is not lost.
	if err := f.Remove("x.2"); err != nil {
		t.Error(err)
	}
	link("x.1")
	f.want(t, "x.old", "next\n")
	for _, name := range []string{"x.1", "never"} {
		if err := f.Remove(name); err != nil {
			t.Error(err)
		}
	}
	if err := f.Link("x", "x.1"); err == nil {
		t.Error("a link to nothing")
	}
}

// TestFolderRefuses: nothing is written through a symlink, nor into what is no
// file; a pipe nobody reads does not hold up.
func TestFolderRefuses(t *testing.T) {
	f := newFolder(t)
	outside := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(outside, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, make := range map[string]func(path string) error{
		"symlink": func(path string) error { return os.Symlink(outside, path) },
		"pipe":    func(path string) error { return syscall.Mkfifo(path, 0o644) },
		"folder":  func(path string) error { return os.Mkdir(path, 0o755) },
	} {
		if err := make(f.path(name)); err != nil {
			t.Fatal(err)
		}
		if err := f.Append(name, []byte("theirs")); err == nil {
			t.Errorf("%s: written", name)
		}
	}
	if got, err := os.ReadFile(outside); err != nil || string(got) != "mine" {
		t.Errorf("got %q, %v", got, err)
	}
	// The name without a day may be a symlink: that of a file system without
	// hard links.
	f.append(t, "y.1", "text\n")
	if err := os.Symlink("y.0", f.path("y")); err != nil {
		t.Fatal(err)
	}
	if err := f.Link("y", "y.1"); err != nil {
		t.Error(err)
	}
	f.want(t, "y", "text\n")
	if _, err := OpenFolder(f.path("y.1")); err == nil || !strings.Contains(err.Error(), "y.1") {
		t.Errorf("a file as a folder: got %v", err)
	}
}

//go:build linux

package store

import (
	"bytes"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ntsd/internal/clock"
)

// put makes a file in a folder of the test.
func put(t *testing.T, name string, perm fs.FileMode, data string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(data), perm); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, perm); err != nil {
		t.Fatal(err)
	}
	return path
}

// refused fails unless err refuses path for the reason.
func refused(t *testing.T, err error, path string, want Reason) {
	t.Helper()
	var r *RefusedError
	if !errors.As(err, &r) || r.Reason != want || r.Path != path {
		t.Errorf("got %v, want %s refused: %v", err, path, want)
	}
}

func TestWriteAtomic(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state")
	left := filepath.Join(dir, ".state.tmp") // as a crash leaves it
	if err := os.WriteFile(left, []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, data := range []string{"first", "second, longer", ""} {
		if err := WriteAtomic(path, PrivatePerm, []byte(data)); err != nil {
			t.Fatal(err)
		}
		got, err := ReadPrivate(path, 100)
		if err != nil || string(got) != data {
			t.Errorf("got %q %v, want %q", got, err, data)
		}
		if fi, err := os.Stat(path); err != nil || fi.Mode() != PrivatePerm {
			t.Errorf("mode %v %v, want %v", fi.Mode(), err, PrivatePerm)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%d files in the folder, want 1: %v", len(entries), entries)
	}
}

// TestWriteReplacesALink: the link is replaced, what it points to is not
// written.
func TestWriteReplacesALink(t *testing.T) {
	target := put(t, "target", 0o600, "precious")
	link := filepath.Join(filepath.Dir(target), "link")
	temp := filepath.Join(filepath.Dir(target), ".link.tmp")
	for _, l := range []string{link, temp} {
		if err := os.Symlink(target, l); err != nil {
			t.Fatal(err)
		}
	}
	if err := WriteAtomic(link, PrivatePerm, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(target); string(b) != "precious" {
		t.Errorf("the target became %q", b)
	}
	if b, err := ReadPrivate(link, 100); err != nil || string(b) != "new" {
		t.Errorf("got %q %v, want a regular file", b, err)
	}
}

func TestWriteFailureKeepsTheOld(t *testing.T) {
	path := put(t, "state", 0o600, "old")
	dir := filepath.Dir(path)
	if err := os.Mkdir(filepath.Join(dir, ".state.tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".state.tmp", "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := WriteAtomic(path, PrivatePerm, []byte("new")); err == nil || !strings.Contains(err.Error(), ".state.tmp") {
		t.Errorf("a folder in the way: got %v, want an error that names it", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "old" {
		t.Errorf("the file became %q, want the old one", b)
	}
	// A rename that cannot be: the temporary file goes again.
	sub := filepath.Join(dir, "sub")
	if err := os.MkdirAll(filepath.Join(sub, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteAtomic(sub, PrivatePerm, []byte("new")); err == nil || strings.Contains(err.Error(), ".tmp") {
		t.Errorf("writing over a folder: got %v, want an error without the temporary file", err)
	}
	absent := filepath.Join(dir, "absent", "state")
	if err := WriteAtomic(absent, PrivatePerm, nil); err == nil || err.Error() != "store: write "+absent+": no such file or directory" {
		t.Errorf("no folder: got %v", err)
	}
	if _, err := os.Lstat(filepath.Join(dir, ".sub.tmp")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("temporary file after a failure: %v, want none", err)
	}
	if err := WriteAtomic(filepath.Join(dir, "none", "state"), PrivatePerm, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: got %v, want ErrNotExist", err)
	}
}

func TestReadRefuses(t *testing.T) {
	path := put(t, "key", 0o600, "secret")
	link := filepath.Join(filepath.Dir(path), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	_, err := ReadPrivate(link, 100)
	refused(t, err, link, Symlink)

	_, err = ReadPrivate(path, 5)
	refused(t, err, path, TooLong)
	if b, err := ReadPrivate(path, 6); err != nil || string(b) != "secret" {
		t.Errorf("exactly the limit: got %q %v", b, err)
	}

	dir := t.TempDir()
	_, err = ReadPrivate(dir, 100)
	refused(t, err, dir, NotRegular)
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = ReadPrivate(fifo, 100) // and does not wait for a writer
	refused(t, err, fifo, NotRegular)

	for _, perm := range []fs.FileMode{0o640, 0o604, 0o620, 0o644} {
		p := put(t, "open", perm, "x")
		_, err = ReadPrivate(p, 100)
		refused(t, err, p, TooOpen)
	}
	if _, err := ReadPublic(put(t, "public", 0o644, "x"), 100); err != nil {
		t.Errorf("readable public file: %v", err)
	}
	writable := put(t, "public", 0o664, "x")
	_, err = ReadPublic(writable, 100)
	refused(t, err, writable, TooOpen)

	if _, err := ReadPrivate(filepath.Join(dir, "none"), 100); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: got %v, want ErrNotExist", err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(path, 12345, 0); err != nil {
			t.Skip(err)
		}
		_, err = ReadPrivate(path, 100)
		refused(t, err, path, ForeignOwner)
	}
}

// TestCheck covers what needs no file.
func TestCheck(t *testing.T) {
	me := uint32(os.Geteuid())
	for _, c := range []struct {
		name string
		st   unix.Stat_t
		want Reason
	}{
		{"ours", unix.Stat_t{Mode: unix.S_IFREG | 0o600, Uid: me}, 0},
		{"root's", unix.Stat_t{Mode: unix.S_IFREG | 0o600, Uid: 0}, 0},
		{"foreign", unix.Stat_t{Mode: unix.S_IFREG | 0o600, Uid: me + 1}, ForeignOwner},
		{"device", unix.Stat_t{Mode: unix.S_IFCHR | 0o600, Uid: me}, NotRegular},
		{"group", unix.Stat_t{Mode: unix.S_IFREG | 0o640, Uid: me}, TooOpen},
		{"huge", unix.Stat_t{Mode: unix.S_IFREG | 0o600, Uid: me, Size: 1 << 40}, TooLong},
	} {
		if got := check(&c.st, 100, 0o077); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestMakeDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := MakeDir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(dir); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("got %v %v, want 0700", fi, err)
	}
	if err := MakeDir(dir, 0o750); err != nil { // exists: stays
		t.Fatal(err)
	}
	if fi, _ := os.Stat(dir); fi.Mode().Perm() != 0o700 {
		t.Errorf("an existing folder became %v", fi.Mode())
	}
	if err := MakeDir(filepath.Join(put(t, "file", 0o600, ""), "x"), 0o700); err == nil {
		t.Error("below a file: got no error")
	}
}

func TestRemove(t *testing.T) {
	path := put(t, "x", 0o600, "")
	for range 2 { // gone already is fine
		if err := Remove(path); err != nil {
			t.Error(err)
		}
	}
	full := filepath.Dir(put(t, "y", 0o600, ""))
	if err, want := Remove(full), "store: remove "+full+": directory not empty"; err == nil || err.Error() != want {
		t.Errorf("a full folder: got %v, want %s", err, want)
	}
}

func TestDrift(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drift")
	want := Drift{clock.RatePPM(-248.761), clock.RatePPM(1.271)}
	if err := SaveDrift(path, want); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if text := "         -248.761000             1.271000\n"; err != nil || string(b) != text {
		t.Errorf("got %q, want chrony's %q", b, text)
	}
	got, err := LoadDrift(path)
	if err != nil || math.Abs(got.Frequency.PPM()+248.761) > 1e-6 || math.Abs(got.Skew.PPM()-1.271) > 1e-6 {
		t.Errorf("got %v %v, want %v", got, err, want)
	}
	if c := got.Correction(); c != -got.Frequency {
		t.Errorf("correction %v of a clock that is %v slow", c, got.Frequency)
	}
}

func TestDriftDamaged(t *testing.T) {
	for _, text := range []string{"", "1", "1\n", "1 2", "1 2 3\n", "1 -2\n", "nan 1\n", "1 inf\n", "200000 1\n", "1 2\nmore\n", "x y\n"} {
		p := put(t, "drift", 0o644, text)
		_, err := LoadDrift(p)
		refused(t, err, p, Damaged)
	}
}

func TestLockPID(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ntsd.pid")
	p, err := LockPID(path)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(path)
	if want := []byte(strconv.Itoa(os.Getpid()) + "\n"); !bytes.Equal(b, want) {
		t.Errorf("got %q, want %q", b, want)
	}
	_, err = LockPID(path)
	var r *RunningError
	if !errors.As(err, &r) || r.PID != os.Getpid() {
		t.Errorf("a second lock: got %v, want RunningError with %d", err, os.Getpid())
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Close: %v, want no file", err)
	}
	// What a crash left is taken over.
	if err := os.WriteFile(path, []byte("99999999 and more"), 0o644); err != nil {
		t.Fatal(err)
	}
	q, err := LockPID(path)
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(path); string(b) != strconv.Itoa(os.Getpid())+"\n" {
		t.Errorf("got %q after a crash", b)
	}
	_ = q.Close()
	if err := os.Symlink("/nonexistent", path); err != nil {
		t.Fatal(err)
	}
	_, err = LockPID(path)
	refused(t, err, path, Symlink)
}

package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"ntsd/internal/config"
	"ntsd/internal/linux/sandbox"
)

// TestGiveClock: a socket that only root could make is made in the daemon's
// folder, and its name leads there; what belongs to others stays.
func TestGiveClock(t *testing.T) {
	dir, run := t.TempDir(), t.TempDir()
	if info, err := os.Stat(dir); err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Skip("needs root")
	}
	cfg := &config.Config{Main: config.Main{RunDir: run}}
	give := func(name string) string {
		path := filepath.Join(dir, name)
		giveClock(sandbox.User{UID: 12345, GID: 12345}, cfg, &config.RefClock{Driver: "SOCK", Parameter: path})
		to, _ := os.Readlink(path)
		return to
	}
	want := filepath.Join(run, "a.sock")
	for range 2 { // the second finds the link of the first
		if got := give("a.sock"); got != want {
			t.Errorf("got a link to %q, want %q", got, want)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "b.sock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := give("b.sock"); got != "" {
		t.Errorf("a file became a link to %q", got)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if got := give("c.sock"); got != "" {
		t.Errorf("in a folder for everybody: a link to %q", got)
	}
	giveClock(sandbox.User{}, cfg, &config.RefClock{Driver: "PPS", Parameter: filepath.Join(dir, "b.sock:clear")})
	if info, err := os.Stat(filepath.Join(dir, "b.sock")); err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Errorf("what is no device changed its owner: %v", err)
	}
}

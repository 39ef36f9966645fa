package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"golang.org/x/sys/unix"

	"ntsd/internal/control"
	"ntsd/internal/linux/cmdport"
	"ntsd/internal/store"
)

// announced is a log that tells of each of its lines.
type announced struct {
	slog.Handler
	lines chan string // with room for all of a test
}

func (a announced) Enabled(context.Context, slog.Level) bool { return true }

func (a announced) Handle(_ context.Context, r slog.Record) error { a.lines <- r.Message; return nil }

// inodes mounts a small file system, in which the function that it returns makes
// room.
func inodes(t *testing.T) (dir string, room func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount a small file system")
	}
	dir = t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "nr_inodes=1"); err != nil {
		t.Skipf("cannot mount: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, 0) })
	return dir, func() {
		if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, "nr_inodes=20"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDoorOpensLater: a folder that cannot be made is used as soon as it can. Until
// then, and afterwards, a second daemon is kept out.
func TestDoorOpensLater(t *testing.T) {
	dir, room := inodes(t)
	run := filepath.Join(dir, "run")
	synctest.Test(t, func(t *testing.T) {
		said := announced{lines: make(chan string, 10)}
		log := slog.New(said)
		d, err := openDoor(run, log)
		if err != nil || len(said.lines) != 1 {
			t.Fatalf("got %v and %d lines, want a door and a line", err, len(said.lines))
		}
		<-said.lines
		var other *store.RunningError
		second := func(when string) {
			t.Helper()
			if _, err := openDoor(run, log); !errors.As(err, &other) {
				t.Errorf("a second daemon %s: got %v", when, err)
			}
		}
		second("without the folder")
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			d.serve(ctx, func(context.Context, control.Request) control.Response { return control.Done() }, log, func(err error) { t.Error(err) })
		}()
		synctest.Wait() // it has tried in vain
		room()
		if got := <-said.lines; got != "the folder of option 'run_dir' can be used again" {
			t.Errorf("got %q", got)
		}
		conn, err := net.Dial("unix", d.socket())
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		second("with the folder")
		cancel()
		<-ended
		d.close()
		if left, err := os.ReadDir(run); err != nil || len(left) != 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
}

// TestAnotherWasFaster: whoever takes the folder while we could not use it is not
// disturbed: we end.
func TestAnotherWasFaster(t *testing.T) {
	dir, room := inodes(t)
	run := filepath.Join(dir, "run")
	synctest.Test(t, func(t *testing.T) {
		log := slog.New(slog.DiscardHandler)
		d, err := openDoor(run, log)
		if err != nil {
			t.Fatal(err)
		}
		defer d.close()
		room()
		faster, err := openDoor(run, log)
		if err != nil {
			t.Fatal(err)
		}
		defer faster.listener.Close()
		defer faster.close()
		var why error
		d.serve(t.Context(), nil, log, func(err error) { why = err })
		var other *store.RunningError
		if !errors.As(why, &other) || other.PID != os.Getpid() {
			t.Errorf("got %v, want word of the other", why)
		}
	})
}

// TestDoorIsTaken: where something else answers on the socket we do not start, and
// leave nothing behind.
func TestDoorIsTaken(t *testing.T) {
	run := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(run, "ntsd.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if d, err := openDoor(run, slog.New(slog.DiscardHandler)); !errors.Is(err, cmdport.ErrInUse) || d != nil {
		t.Errorf("got %v, %v", d, err)
	}
	if left, err := os.ReadDir(run); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

package main

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ntsd/internal/daemon"
	"ntsd/internal/linux/sysclock"
)

// What a person reads who starts the daemon on a configuration that leaves it
// nothing to do, and the exit status that procd sees.
func TestStartWithoutWork(t *testing.T) {
	tests := []struct {
		name, text string
		status     int
		want       string
		lines      int
	}{
		{"missing", "", exitFailed, "cannot be read: no such file or directory; -f and -c say", 2},
		{"broken", "config server 'x\n", exitFailed, "broken:1: a quote ' opens here and never closes, or one is missing on a line before; correct it, ntsd -p checks it", 2},
		{"empty", "\n", exitFailed, "names no source of time; add a section 'server' to", 2},
		{"off", "config ntsd 'main'\n\toption enabled '0'\n", exitDone, "switched off by option 'enabled'", 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), tt.name)
			if tt.text != "" {
				if err := os.WriteFile(file, []byte(tt.text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			var stdout, stderr bytes.Buffer
			if got := run([]string{"ntsd", "-x", "-f", file}, nil, &stdout, &stderr); got != tt.status {
				t.Errorf("exit status %d, want %d", got, tt.status)
			}
			if text := stderr.String(); !strings.Contains(text, tt.want) || strings.Count(text, "\n") != tt.lines {
				t.Errorf("stderr, want %d lines with %q:\n%s", tt.lines, tt.want, text)
			}
		})
	}
}

// TestHangupAtTheStart: a SIGHUP that comes while the configuration is read for
// the first time, as of a reload right behind a start, kills nobody.
func TestHangupAtTheStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ntsd")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	status := make(chan int)
	go func() { status <- run([]string{"ntsd", "-x", "-f", path}, nil, io.Discard, io.Discard) }()
	opened := make(chan *os.File)
	go func() {
		w, err := os.OpenFile(path, os.O_WRONLY, 0) // waits for the reader
		if err != nil {
			t.Error(err)
		}
		opened <- w
	}()
	var config *os.File
	select {
	case config = <-opened:
	case got := <-status:
		t.Fatalf("got status %d before the configuration was read", got)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if _, err := config.WriteString("config ntsd\n\toption enabled '0'\n"); err != nil {
		t.Error(err)
	}
	config.Close()
	if got := <-status; got != exitDone {
		t.Errorf("got status %d, want %d", got, exitDone)
	}
}

// TestNobodyReadsTheLog: a log that is closed at its other end, as by a journal
// that was restarted, does not end the daemon.
func TestNobodyReadsTheLog(t *testing.T) {
	const child = "NTSD_TEST_CONFIG"
	if path := os.Getenv(child); path != "" {
		os.Exit(run([]string{"ntsd", "-x", "-f", path}, nil, os.Stdout, os.Stderr))
	}
	path := filepath.Join(t.TempDir(), "ntsd")
	if err := os.WriteFile(path, []byte("config ntsd\n\toption enabled '0'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r.Close()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env, cmd.Stderr = append(os.Environ(), child+"="+path), w
	err = cmd.Run()
	if errors.Is(err, syscall.ENOEXEC) {
		t.Skip("an emulated process cannot start itself")
	}
	if err != nil {
		t.Errorf("it ended with: %v", err)
	}
}

// TestRefusedConfiguration: a configuration that is read changes nothing before it
// is in force: it may be refused.
func TestRefusedConfiguration(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ntsd")
	if err := os.WriteFile(path, []byte("config ntsd\n\toption log_level 'debug'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	clk, err := sysclock.OpenDryRun(0)
	if err != nil {
		t.Fatal(err)
	}
	level := new(slog.LevelVar)
	o := options{file: path}
	before, _ := o.load()
	before.Main.LogLevel = slog.LevelInfo
	parts, _ := assemble(o, before, clk, true, level, daemon.NewJournal(slog.DiscardHandler))
	cfg, diagnostics := parts.Load()
	if cfg == nil || cfg.Main.LogLevel != slog.LevelDebug {
		t.Fatalf("got %v, %v", cfg, diagnostics)
	}
	if level.Level() != slog.LevelInfo {
		t.Errorf("read: level %v, want it as it was", level)
	}
	parts.Applied(cfg)
	if level.Level() != slog.LevelDebug {
		t.Errorf("in force: level %v, want debug", level)
	}
}

// TestReadLeaps: what is no list is refused, and does not hold anybody up.
func TestReadLeaps(t *testing.T) {
	const good = "../../internal/leaplist/testdata/leap-seconds.list"
	if l, err := readLeaps(good); err != nil || l == nil {
		t.Errorf("%s: %v", good, err)
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	for _, path := range []string{"nowhere", pipe, "/dev/zero", "."} {
		if _, err := readLeaps(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want an error that names it", path, err)
		}
	}
}

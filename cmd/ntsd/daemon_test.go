package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ntsd/internal/clock"
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
		{"broken", "config server 'x\n", exitFailed, "broken:1: EOF with unterminated '; -f and -c say", 2},
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

func TestLeapDay(t *testing.T) {
	for text, want := range map[string]bool{
		"2016-12-31T00:00:00Z": true, "2015-06-30T23:59:59Z": true, "2041-12-31T12:00:00Z": true,
		"2016-12-30T23:59:59Z": false, "2017-01-01T00:00:00Z": false, "2026-11-30T12:00:00Z": false,
	} {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		if got := leapDay(clock.WallTime(at)); got != want {
			t.Errorf("%s: got %t, want %t", text, got, want)
		}
	}
}

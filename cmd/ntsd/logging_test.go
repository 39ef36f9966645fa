package main

import (
	"io"
	"log/slog"
	"log/syslog"
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// TestSyslog: each record has its level, as RFC 3164 counts it in the facility
// "daemon", and neither time nor level in its text.
func TestSyslog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w, err := syslog.Dial("unixgram", path, syslog.LOG_DAEMON|syslog.LOG_INFO, "ntsd")
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(newSyslog(w, slog.LevelDebug)).With("a", 1)
	buf := make([]byte, 1000)
	for _, tt := range []struct {
		write  func(string, ...any)
		prefix string
	}{{log.Error, "<27>"}, {log.Warn, "<28>"}, {log.Info, "<30>"}, {log.Debug, "<31>"}} {
		tt.write("it happened", "b", "two words")
		n, err := l.Read(buf)
		got := strings.TrimSpace(string(buf[:n]))
		if err != nil || !strings.HasPrefix(got, tt.prefix) || !strings.HasSuffix(got, `]: msg="it happened" a=1 b="two words"`) {
			t.Errorf("got %q, %v, want %s...", got, err, tt.prefix)
		}
	}
}

func TestUnknownLog(t *testing.T) {
	var told strings.Builder
	if _, err := parseFlags([]string{"-l", "/var/log/ntsd"}, io.Discard, &told); err == nil || !strings.Contains(told.String(), `only "syslog" is allowed`) {
		t.Errorf("got %v, want what is allowed", err)
	}
}

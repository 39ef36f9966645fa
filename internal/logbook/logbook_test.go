package logbook

import (
	"fmt"
	"log/slog"
	"log/syslog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
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

// TestJournal: on systemd's journal, which JOURNAL_STREAM names, a line begins with
// its level as sd-daemon(3) has it, and has neither time nor level in its text.
func TestJournal(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	t.Setenv("JOURNAL_STREAM", "1:1")
	if IsJournal(f, os.Getenv) {
		t.Error("another file counts as the journal")
	}
	var st syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	t.Setenv("JOURNAL_STREAM", fmt.Sprintf("%d:%d", st.Dev, st.Ino))
	handler, err := Open("", f, slog.LevelDebug)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(handler).With("a", 1)
	log.Error("it happened")
	log.Warn("it happened")
	log.Info("it happened")
	log.Debug("it happened")
	got, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	const text = `msg="it happened" a=1` + "\n"
	if want := "<3>" + text + "<4>" + text + "<6>" + text + "<7>" + text; string(got) != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

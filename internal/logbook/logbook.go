// Package logbook opens the log of a program: lines on standard error, or a log of the
// system that keeps the level beside the text, syslog's or systemd's journal. It is
// layer 3.
//
// Not here: what is logged, in which words, and whoever does not read it (backlog).
package logbook

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"log/syslog"
	"os"
	"sync"
	"syscall"

	"ntsd/internal/terminal"
)

// Syslog is the name of the system's log for Open.
const Syslog = "syslog"

// Open returns the handler of a log: Syslog's, or that of standard error, which may be
// the journal. An error says what to do.
func Open(to string, stderr io.Writer, level slog.Leveler) (slog.Handler, error) {
	switch {
	case to == Syslog:
	case IsJournal(stderr, os.Getenv):
		return newJournal(stderr, level), nil
	default:
		// procd puts the time before each line itself, so it is left out unless a
		// person is looking.
		return textHandler(stderr, level, terminal.Is(stderr), true), nil
	}
	w, err := syslog.New(syslog.LOG_DAEMON|syslog.LOG_INFO, "ntsd")
	if err != nil {
		return nil, fmt.Errorf("-l syslog: %w: does the system's log run? Without -l the log goes to standard error", err)
	}
	return newSyslog(w, level), nil
}

func textHandler(w io.Writer, level slog.Leveler, withTime, withLevel bool) slog.Handler {
	return slog.NewTextHandler(w, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			drop := a.Key == slog.TimeKey && !withTime || a.Key == slog.LevelKey && !withLevel
			if drop && len(groups) == 0 {
				return slog.Attr{}
			}
			return a
		},
	})
}

// IsJournal reports whether stderr is systemd's journal, which knows of levels
// too: JOURNAL_STREAM of systemd.exec(5) names the file that it is.
func IsJournal(stderr io.Writer, getenv func(string) string) bool {
	f, ok := stderr.(*os.File)
	named := getenv("JOURNAL_STREAM")
	if !ok || named == "" {
		return false
	}
	info, err := f.Stat()
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && named == fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}

// ErrorPrefix stands before a line to the journal that is an error, as sd-daemon(3)
// has it.
const ErrorPrefix = "<3>"

const (
	warnPrefix  = "<4>"
	infoPrefix  = "<6>"
	debugPrefix = "<7>"
)

func newJournal(w io.Writer, level slog.Leveler) slog.Handler {
	return newLevelled(func(l slog.Level, line string) error {
		prefix := debugPrefix
		switch {
		case l >= slog.LevelError:
			prefix = ErrorPrefix
		case l >= slog.LevelWarn:
			prefix = warnPrefix
		case l >= slog.LevelInfo:
			prefix = infoPrefix
		}
		_, err := io.WriteString(w, prefix+line)
		return err
	}, level)
}

func newSyslog(w *syslog.Writer, level slog.Leveler) slog.Handler {
	return newLevelled(func(l slog.Level, line string) error {
		switch {
		case l >= slog.LevelError:
			return w.Err(line)
		case l >= slog.LevelWarn:
			return w.Warning(line)
		case l >= slog.LevelInfo:
			return w.Info(line)
		}
		return w.Debug(line)
	}, level)
}

func newLevelled(write func(slog.Level, string) error, level slog.Leveler) slog.Handler {
	s := &sink{write: write}
	return &levelHandler{Handler: textHandler(s, level, false, false), sink: s}
}

// levelHandler gives each record to a log that keeps the level beside the text.
type levelHandler struct {
	slog.Handler
	sink *sink
}

// sink takes the line of one record at a time.
type sink struct {
	mu    sync.Mutex
	write func(slog.Level, string) error
	level slog.Level
}

// Handle writes one record.
func (h *levelHandler) Handle(ctx context.Context, r slog.Record) error {
	h.sink.mu.Lock()
	defer h.sink.mu.Unlock()
	h.sink.level = r.Level
	return h.Handler.Handle(ctx, r)
}

// WithAttrs returns a handler with more attributes.
func (h *levelHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &levelHandler{h.Handler.WithAttrs(attrs), h.sink}
}

// WithGroup returns a handler that puts what follows into a group.
func (h *levelHandler) WithGroup(name string) slog.Handler {
	return &levelHandler{h.Handler.WithGroup(name), h.sink}
}

// Write is called by Handle, whose record's level it takes.
func (s *sink) Write(line []byte) (int, error) {
	return len(line), s.write(s.level, string(line))
}
